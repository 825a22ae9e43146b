//! A message that is wrong in one place is refused for that place, in words that a baker can read.

use serde_json::{Value, json};
use tezos::Curve;
use tezos::payload::{DecodeError, PROTOCOLS, Payload};

use crate::vectors::{self, bytes};

/// A genuine block with a locked round (level 7, round 5, locked in round 2) or a genuine
/// attestation, both of the vectors, to be altered byte by byte.
fn genuine(kind: &str, locked: &Value) -> Vec<u8> {
    let entries = vectors::octez("parse");
    let entry = entries.iter().find(|entry| {
        entry["expect"]["kind"] == kind && entry["expect"]["locked_round"] == *locked
    });
    bytes(entry.unwrap(), "message_hex")
}

fn locked_block() -> Vec<u8> {
    genuine("block", &json!(2))
}

fn attestation() -> Vec<u8> {
    genuine("attestation", &Value::Null)
}

fn altered(mut message: Vec<u8>, at: usize, change: &[u8]) -> Result<Payload, DecodeError> {
    message[at..at + change.len()].copy_from_slice(change);
    Payload::decode(Curve::Ed25519, message)
}

/// Where a message is altered, to what, and the reason for which the whole is refused.
type Change<'a> = (usize, &'a [u8], &'a str);

fn check(message: &[u8], changes: &[Change<'_>]) {
    Payload::decode(Curve::Ed25519, message.to_vec()).unwrap();
    for (at, change, why) in changes {
        let refused = altered(message.to_vec(), *at, change).unwrap_err();
        let why = why.replace("{protocols}", PROTOCOLS);
        assert_eq!(refused.to_string(), why, "byte {at}");
    }
}

#[test]
fn a_fitness_of_another_shape_is_refused_for_the_part_that_differs() {
    const HEAD: &str = "the fitness is not that of {protocols}: its ";
    for (at, change, part) in [
        (
            83,
            &[0, 0, 0, 38][..],
            "length at byte 83 is 38, not 33 or 37",
        ),
        (87, &[0, 0, 0, 2], "version length at byte 87 is 2, not 1"),
        (91, &[1], "version at byte 91 is 1, not 2"),
        (91, &[3], "version at byte 91 is 3, not 2"),
        (92, &[0, 0, 0, 8], "level length at byte 92 is 8, not 4"),
        (
            100,
            &[0, 0, 0, 0],
            "locked round length at byte 100 is 0, not 4",
        ),
        (
            108,
            &[0, 0, 0, 5],
            "predecessor round length at byte 108 is 5, not 4",
        ),
        (116, &[0, 0, 0, 5], "round length at byte 116 is 5, not 4"),
    ] {
        check(&locked_block(), &[(at, change, &format!("{HEAD}{part}"))]);
    }
}

#[test]
fn levels_and_rounds_of_a_block_that_cannot_be_are_refused_r35() {
    check(
        &locked_block(),
        &[
            (5, &[0x80, 0, 0, 7], "the level at byte 5 is negative"),
            (
                5,
                &[0, 0, 0, 8],
                "the header says level 8, its fitness says level 7",
            ),
            (
                96,
                &[0, 0, 0, 8],
                "the header says level 7, its fitness says level 8",
            ),
            (
                96,
                &[0x80, 0, 0, 7],
                "the fitness level at byte 96 is negative",
            ),
            (104, &[0xff; 4], "the locked round at byte 104 is negative"),
            (
                104,
                &[0, 0, 0, 6],
                "the locked round 6 is not below the round 5",
            ),
            (
                104,
                &[0, 0, 0, 5],
                "the locked round 5 is not below the round 5",
            ),
            (
                112,
                &[0; 4],
                "the predecessor round at byte 112 is not negative, as fitness stores it",
            ),
            (120, &[0x80, 0, 0, 5], "the round at byte 120 is negative"),
            (
                188,
                &[0, 0, 0, 6],
                "the payload round 6 is above the round 5",
            ),
            (188, &[0xff; 4], "the payload round at byte 188 is negative"),
            (
                200,
                &[1],
                "the seed nonce hash at byte 200 starts with 0x01, not with 0x00 (absent) or 0xFF",
            ),
        ],
    );
}

#[test]
fn the_round_of_a_block_is_that_of_its_fitness_not_its_payload_round() {
    let Payload::Consensus(block) = altered(locked_block(), 188, &[0; 4]).unwrap() else {
        panic!()
    };
    assert_eq!(block.as_block().unwrap().payload_round().get(), 0);
    assert_eq!(block.slot().round.get(), 5);
}

#[test]
fn votes_are_refused_for_the_tag_the_key_and_every_bound_r35() {
    let no_such = "in any protocol this version knows ({protocols})";
    check(
        &attestation(),
        &[
            (
                0,
                &[0x12],
                &format!("tag 21 is no preattestation {no_such}"),
            ),
            (37, &[20], &format!("tag 20 is no attestation {no_such}")),
            (37, &[22], &format!("tag 22 is no attestation {no_such}")),
            (37, &[0], &format!("tag 0 is no attestation {no_such}")),
            (37, &[40], &format!("tag 40 is no attestation {no_such}")),
            (
                37,
                &[41],
                "tag 41 is a vote that tz4 keys sign, this key is ed25519",
            ),
            (
                37,
                &[23],
                "the message ends in its DAL bitset at byte 80, short by 1",
            ),
            (40, &[0x80], "the level at byte 40 is negative"),
            (44, &[0xff], "the round at byte 44 is negative"),
        ],
    );
    for bound in [[0; 4], [0x7f, 0xff, 0xff, 0xff]] {
        altered(attestation(), 40, &bound).unwrap();
        altered(attestation(), 44, &bound).unwrap();
    }
}

#[test]
fn a_dal_bitset_has_one_spelling() {
    let with = |dal: &[u8]| {
        let mut message = attestation();
        message[37] = 23;
        message.extend(dal);
        Payload::decode(Curve::Ed25519, message)
    };
    for good in [
        &[0x00][..],
        &[0x3f],
        &[0x80, 0x01],
        &[0xbf, 0xff, 0x7f],
        &[0x80, 0x80, 0x20],
    ] {
        let payload = with(good).unwrap();
        assert_eq!(payload.encode(), payload.message());
    }
    // Second spellings of zero and of one, minus zero, minus one.
    for bad in [
        &[0x80, 0x00][..],
        &[0x81, 0x00],
        &[0x81, 0x80, 0x00],
        &[0x40],
        &[0x41],
    ] {
        assert_eq!(
            with(bad).unwrap_err().to_string(),
            "the DAL bitset at byte 80 is not a natural number in its shortest form"
        );
    }
    assert_eq!(
        with(&[0x80]).unwrap_err().to_string(),
        "the message ends in its DAL bitset at byte 81, short by 1"
    );
    assert_eq!(
        with(&[0x01, 0x00]).unwrap_err().to_string(),
        "the message should end at byte 81 and is longer by 1"
    );
}

#[test]
fn unknown_and_legacy_messages_are_refused_with_their_magic_byte() {
    let refused = |bytes: &[u8]| {
        Payload::decode(Curve::P256, bytes.to_vec())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused(&[]), "can't sign empty data");
    let legacy = format!("which no protocol since 012 has; this version knows {PROTOCOLS}");
    assert_eq!(
        refused(&[1; 200]),
        format!("magic byte 0x01 not allowed: an Emmy block, {legacy}")
    );
    assert_eq!(
        refused(&[2; 43]),
        format!("magic byte 0x02 not allowed: an Emmy endorsement, {legacy}")
    );
    assert_eq!(
        refused(&[4, 1]),
        "magic byte 0x04 not allowed: a signer authentication request"
    );
    assert_eq!(
        refused(&[5]),
        "magic byte 0x05 not allowed: packed Micheline"
    );
    for magic in (0..=255_u8).filter(|magic| !matches!(magic, 1..=5 | 0x11..=0x13)) {
        assert_eq!(
            refused(&[magic; 80]),
            format!(
                "magic byte 0x{magic:02X} not allowed: known are 0x03, 0x11, 0x12 and 0x13, of \
                 {PROTOCOLS}"
            )
        );
    }
}
