//! Messages as a baker sends them, made up for the story and the tests.
//!
//! The layouts are those of octez (`block_header_repr.ml`, `operation_repr.ml`): magic byte, chain, then an unsigned
//! header or an unsigned operation with a single content. `tezos` decodes them; it has no part in making
//! them, so what is asked for here is not what the decoder would like to see.

use tezos::{ChainId, Curve, Kind, Slot};

/// The bytes to be signed for a slot. Messages with another `flavour` differ in the payload hash only.
pub fn consensus(curve: Curve, kind: Kind, chain: ChainId, slot: Slot, flavour: u64) -> Vec<u8> {
    match kind {
        Kind::Block => block(chain, slot, flavour),
        Kind::Preattestation => vote(curve, 0x12, [20, 40], chain, slot, flavour),
        Kind::Attestation => vote(curve, 0x13, [21, 41], chain, slot, flavour),
    }
}

/// tz4 votes have another tag and no committee slot, so that they can be aggregated.
fn vote(
    curve: Curve,
    magic: u8,
    [tag, bls_tag]: [u8; 2],
    chain: ChainId,
    slot: Slot,
    flavour: u64,
) -> Vec<u8> {
    let mut bytes = vec![magic];
    bytes.extend(chain.as_bytes());
    bytes.extend(BRANCH);
    match curve {
        Curve::Bls12_381 => bytes.push(bls_tag),
        Curve::Ed25519 | Curve::Secp256k1 | Curve::P256 => {
            bytes.push(tag);
            bytes.extend(COMMITTEE_SLOT.to_be_bytes());
        }
    }
    bytes.extend(slot.level.get().to_be_bytes());
    bytes.extend(slot.round.get().to_be_bytes());
    bytes.extend(payload_hash(flavour));
    bytes
}

fn block(chain: ChainId, slot: Slot, flavour: u64) -> Vec<u8> {
    let level = slot.level.get().to_be_bytes();
    let round = slot.round.get().to_be_bytes();
    let mut bytes = vec![0x11];
    bytes.extend(chain.as_bytes());
    bytes.extend(level);
    bytes.push(1); // protocol level
    bytes.extend(BRANCH); // predecessor
    bytes.extend(TIMESTAMP.to_be_bytes());
    bytes.push(4); // validation passes
    bytes.extend([0x0a; 32]); // operations hash
    bytes.extend(33_u32.to_be_bytes()); // fitness: five items, no locked round
    for item in [&[2][..], &level, &[], &NO_PREDECESSOR_ROUND, &round] {
        let length = u32::try_from(item.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(item);
    }
    bytes.extend([0x0c; 32]); // context hash
    bytes.extend(payload_hash(flavour));
    bytes.extend(round); // payload round
    bytes.extend([0; 8]); // proof of work nonce
    bytes.push(0); // no seed nonce hash
    bytes.push(0); // votes
    bytes
}

fn payload_hash(flavour: u64) -> [u8; 32] {
    let mut hash = [0x5a; 32];
    for (byte, value) in hash.iter_mut().zip(flavour.to_be_bytes()) {
        *byte = value;
    }
    hash
}

const BRANCH: [u8; 32] = [0xb5; 32];
const COMMITTEE_SLOT: u16 = 7;
const TIMESTAMP: i64 = 1_780_000_000;
/// -1 - 0: the predecessor was baked in round 0.
const NO_PREDECESSOR_ROUND: [u8; 4] = [0xff; 4];

#[cfg(test)]
mod tests {
    use tezos::payload::Payload;
    use tezos::{Level, Round};

    use super::*;

    #[test]
    fn every_message_decodes_to_what_it_was_made_for_on_every_curve() {
        let chain = ChainId([1, 2, 3, 4]);
        let slot = Slot::new(Level::new(77).unwrap(), Round::new(3).unwrap());
        for curve in [
            Curve::Ed25519,
            Curve::Secp256k1,
            Curve::P256,
            Curve::Bls12_381,
        ] {
            for kind in [Kind::Block, Kind::Preattestation, Kind::Attestation] {
                let bytes = consensus(curve, kind, chain, slot, 9);
                let decoded = Payload::decode(curve, bytes.clone()).unwrap();
                let Payload::Consensus(message) = decoded else {
                    panic!("{kind:?} for {curve} decoded as an operation");
                };
                assert_eq!(
                    (message.kind(), message.chain(), message.slot()),
                    (kind, chain, slot)
                );
                assert_ne!(bytes, consensus(curve, kind, chain, slot, 10));
            }
        }
    }
}
