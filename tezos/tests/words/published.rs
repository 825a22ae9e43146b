//! Every published message of the known protocols is decoded field by field, or refused for the
//! reason it should be.

use serde_json::Value;
use tezos::payload::{Block, DecodeError, Payload, Vote};
use tezos::{ChainId, Curve, OperationName, PublicKeyHash};

use crate::vectors::{self, bytes, number, text};

fn signers(tag: u8) -> &'static [Curve] {
    match tag {
        40 | 41 => &[Curve::Bls12_381],
        20 | 21 | 23 => &[Curve::Ed25519, Curve::Secp256k1, Curve::P256],
        _ => Curve::ALL,
    }
}

#[test]
fn every_published_block_and_vote_is_decoded_field_by_field() {
    let parsed = vectors::octez("sign")
        .into_iter()
        .filter(|entry| !entry["parsed"].is_null());
    let mut seen = 0;
    for mut entry in vectors::octez("parse").into_iter().chain(parsed) {
        if !entry["parsed"].is_null() {
            entry["expect"] = entry["parsed"].clone();
        }
        let (message, expect) = (bytes(&entry, "message_hex"), &entry["expect"]);
        let tag = expect["tag"]
            .as_u64()
            .map_or(0, |tag| u8::try_from(tag).unwrap());
        assert_eq!(
            message.len(),
            usize::try_from(number(expect, "total_len")).unwrap()
        );
        for curve in Curve::ALL {
            let decoded = Payload::decode(*curve, message.clone());
            if !signers(tag).contains(curve) {
                assert!(
                    matches!(decoded, Err(DecodeError::VoteCurve { .. })),
                    "{decoded:?}"
                );
                continue;
            }
            let Ok(Payload::Consensus(consensus)) = decoded else {
                panic!("{decoded:?}")
            };
            assert_eq!(
                consensus.chain(),
                text(expect, "chain_id").parse::<ChainId>().unwrap()
            );
            assert_eq!(consensus.slot().level.get(), number(expect, "level"));
            assert_eq!(consensus.slot().round.get(), number(expect, "round"));
            assert_eq!(consensus.bls_mode(), tag >= 40);
            match (consensus.as_block(), consensus.as_vote()) {
                (Some(block), None) => check_block(block, expect),
                (None, Some(vote)) => check_vote(vote, expect),
                both => panic!("{both:?}"),
            }
            seen += 1;
        }
    }
    assert!(seen >= 21 + 3 * 10, "{seen}");
}

const BLOCK_HASH: &[u8] = &[0x01, 0x34];
const PAYLOAD_HASH: &[u8] = &[0x01, 0x6a, 0xf2];

fn check_block(block: &Block, expect: &Value) {
    let locked = expect["locked_round"]
        .as_u64()
        .map(|round| u32::try_from(round).unwrap());
    assert_eq!(block.locked_round().map(|round| round.get()), locked);
    assert_eq!(
        block.predecessor_round().get(),
        number(expect, "predecessor_round")
    );
    assert_eq!(block.payload_round().get(), number(expect, "payload_round"));
    assert_eq!(
        vectors::spell(PAYLOAD_HASH, block.payload_hash()),
        text(expect, "payload_hash")
    );
    assert_eq!(block.timestamp(), expect["timestamp"].as_i64().unwrap());
    assert_eq!(
        vectors::spell(BLOCK_HASH, block.predecessor()),
        text(expect, "predecessor")
    );
}

fn check_vote(vote: &Vote, expect: &Value) {
    let slot = expect["slot"]
        .as_u64()
        .map(|slot| u16::try_from(slot).unwrap());
    assert_eq!(vote.committee_slot(), slot);
    assert_eq!(
        vectors::spell(BLOCK_HASH, vote.branch()),
        text(expect, "branch")
    );
    assert_eq!(
        vectors::spell(PAYLOAD_HASH, vote.payload_hash()),
        text(expect, "payload_hash")
    );
    assert_eq!(vote.dal_bit(0).is_some(), expect["tag"] == 23);
}

#[test]
fn the_dal_bits_of_the_octez_sample_are_those_of_2048() {
    let entries = vectors::octez("parse");
    let entry = entries
        .iter()
        .find(|entry| entry["expect"]["tag"] == 23)
        .unwrap();
    let decoded = Payload::decode(Curve::Ed25519, bytes(entry, "message_hex")).unwrap();
    let Payload::Consensus(consensus) = decoded else {
        panic!()
    };
    let vote = consensus.as_vote().unwrap();
    let set: Vec<usize> = (0..64).filter(|bit| vote.dal_bit(*bit).unwrap()).collect();
    assert_eq!(set, [11]);
}

/// What becomes of an operation of protocol 025 behind the magic byte 0x03.
enum Expected {
    Named(OperationName),
    Refused(u8, &'static str),
}

fn expected(sample: &str) -> Expected {
    use Expected::{Named, Refused};
    match sample {
        "reveal" => Named(OperationName::Reveal),
        "seed-nonce-revelation" => Named(OperationName::SeedNonceRevelation),
        "transaction-to-implicit" => Named(OperationName::Transaction),
        "update-companion-key" => Named(OperationName::UpdateCompanionKey),
        "updated-consensus-key" => Named(OperationName::UpdateConsensusKey),
        "delegation-withdrawal" => Named(OperationName::Delegation),
        "activate-account" => Refused(4, "activate_account"),
        "attestations-aggregate" => Refused(31, "attestations_aggregate"),
        "preattestation-aggregate" => Refused(30, "preattestations_aggregate"),
        "dal-entrapment-evidence" => Refused(24, "dal_entrapment_evidence"),
        "double-baking-evidence" => Refused(3, "double_baking_evidence"),
        "origination" => Refused(109, "origination"),
        "preaatestation" => Refused(20, "a preattestation without its magic byte 0x12"),
        "double-attestation-aggregate-evidence"
        | "double-attestation-evidence"
        | "double-consensus-operation-evidence"
        | "double-preattestation-aggregate-evidence"
        | "double-preattestation-evidence" => Refused(2, "double_consensus_operation_evidence"),
        other => panic!("{other} has no expectation here"),
    }
}

#[test]
fn every_operation_that_octez_samples_is_named_or_refused_by_name() {
    let mut named = 0;
    for entry in vectors::octez("unsigned_encoding") {
        let Some(sample) = text(&entry, "name").strip_prefix("operation.unsigned-") else {
            continue;
        };
        let message = [vec![0x03], bytes(&entry, "hex")].concat();
        let decoded = Payload::decode(Curve::Ed25519, message.clone());
        match expected(sample) {
            Expected::Named(name) => {
                let Ok(payload) = decoded else {
                    panic!("{sample}: {decoded:?}")
                };
                assert_eq!(payload.encode(), message, "{sample}");
                let Payload::Operation(operation) = payload else {
                    panic!("{sample}")
                };
                let names: Vec<_> = operation.contents().iter().map(|one| one.name()).collect();
                assert_eq!(names, [name], "{sample}");
                named += 1;
            }
            Expected::Refused(tag, name) => {
                let refusal = DecodeError::OperationRefused { tag, name };
                assert_eq!(decoded, Err(refusal), "{sample}");
            }
        }
    }
    assert_eq!(named, 6);
}

#[test]
fn headers_with_the_fitness_of_emmy_are_refused_and_the_known_protocols_named() {
    let mut seen = 0;
    for entry in vectors::octez("unsigned_encoding") {
        let magic = match text(&entry, "name") {
            "block_header" | "block_header.unsigned" => 0x11,
            "operation.bls_mode_unsigned_attestation" => 0x13,
            _ => continue,
        };
        let message = [
            vec![magic],
            ChainId::MAINNET.0.to_vec(),
            bytes(&entry, "hex"),
        ]
        .concat();
        let decoded = Payload::decode(Curve::Bls12_381, message);
        if magic == 0x13 {
            decoded.unwrap();
        } else {
            assert_eq!(
                decoded.unwrap_err().to_string(),
                "the fitness is not that of 023 Seoul, 024 Tallinn and 025 Ushuaia: its length at \
                 byte 83 is 17, not 33 or 37"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn a_socket_frame_of_octez_holds_a_payload_and_the_hash_of_its_key() {
    for entry in vectors::octez("socket") {
        let frame = bytes(&entry, "frame_hex");
        // Two bytes of length, the request's tag, a version tag, the hash, the signature version,
        // four bytes of length.
        let hash: [u8; 21] = frame[4..25].try_into().unwrap();
        let hash = PublicKeyHash::from_bytes(&hash).unwrap();
        assert_eq!(hash.to_string(), "tz4EECtMxAuJ9UDLaiMZH7G1GCFYUWsj8HZn");
        assert_eq!(hash.to_bytes(), frame[4..25]);
        let payload = Payload::decode(hash.curve(), frame[30..].to_vec()).unwrap();
        assert!(matches!(payload, Payload::Consensus(vote) if vote.bls_mode()));
    }
}
