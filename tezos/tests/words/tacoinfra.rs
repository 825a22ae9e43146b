//! The payloads of tacoinfra/remote-signer, one by one: which of them are still signed by anybody,
//! and why the others are refused.

use tezos::payload::{DecodeError, Payload};
use tezos::{BallotVote, ChainId, Curve, Digest, Kind, OperationName};

use crate::vectors::{self, bytes, number, text};

#[test]
fn every_tacoinfra_payload_is_decoded_as_its_own_suite_says_or_refused_for_a_named_reason() {
    let all = vectors::tacoinfra();
    let vectors = all["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 15);
    for entry in vectors {
        let index = number(entry, "index");
        let message = bytes(entry, "hex");
        assert_eq!(
            message.len(),
            usize::try_from(number(entry, "length")).unwrap()
        );
        assert_eq!(Digest::of(&message).to_string(), text(entry, "blake2b_256"));
        let decoded = Payload::decode(Curve::Secp256k1, message);
        match (index, decoded) {
            // 0x11, 0x12 and 0x13 have had one layout since Tenderbake (012): these are current.
            (0..=9, Ok(Payload::Consensus(consensus))) => {
                let kind: Kind = text(entry, "kind").parse().unwrap();
                assert_eq!(consensus.kind(), kind, "{index}");
                let chain: ChainId = text(entry, "chain_id").parse().unwrap();
                assert_eq!(consensus.chain(), chain, "{index}");
                assert_eq!(
                    consensus.slot().level.get(),
                    number(entry, "level"),
                    "{index}"
                );
                assert_eq!(
                    consensus.slot().round.get(),
                    number(entry, "round"),
                    "{index}"
                );
            }
            // Ballots kept their layout too. Their "chain_id" is a misreading of the branch by that
            // suite: a generic operation has none.
            (10..=13, Ok(Payload::Operation(operation))) => {
                let [ballot] = operation.contents() else {
                    panic!("{index}: one ballot")
                };
                assert_eq!(ballot.name(), OperationName::Ballot, "{index}");
                let vote: BallotVote = text(entry, "vote").parse().unwrap();
                assert_eq!(ballot.vote(), Some(vote), "{index}");
            }
            // A ballot, then a tag without an operation: 7 was double_preattestation_evidence until
            // 022 and is free since.
            (14, Err(error)) => assert_eq!(
                error,
                DecodeError::OperationRefused {
                    tag: 7,
                    name: "double_preattestation_evidence (before 023)"
                }
            ),
            (index, other) => panic!("{index}: {other:?}"),
        }
    }
}

#[test]
fn a_tacoinfra_vote_cannot_be_signed_by_a_tz4_key_since_its_layout_is_another_keys() {
    let all = vectors::tacoinfra();
    for entry in all["vectors"].as_array().unwrap() {
        let message = bytes(entry, "hex");
        if matches!(message[0], 0x12 | 0x13) {
            let tag = message[37];
            assert_eq!(
                Payload::decode(Curve::Bls12_381, message),
                Err(DecodeError::VoteCurve {
                    tag,
                    signers: "tz1, tz2 and tz3",
                    curve: Curve::Bls12_381
                })
            );
        }
    }
}

#[test]
fn what_tacoinfra_only_parses_is_refused() {
    let all = vectors::tacoinfra();
    let [emmy, not_hex] = all["parse_only"].as_array().unwrap().as_slice() else {
        panic!("two entries")
    };
    // The header of an Emmy block behind the magic byte of operations: what its byte 33 says is a
    // tag that never was one.
    let message = bytes(emmy, "hex");
    let tag = message[33];
    let refused = Payload::decode(Curve::Ed25519, message).unwrap_err();
    assert_eq!(refused, DecodeError::OperationUnknown { tag });
    // Not bytes at all: refused where hexadecimal is read, before there is a payload.
    hex::decode(text(not_hex, "input")).unwrap_err();
}
