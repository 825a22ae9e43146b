//! The bytes that are signed, read by the judge itself: which kind, which chain, which slot.
//!
//! Blocks: Octez, `block_header_repr.ml` and `fitness_repr.ml`; votes: `operation_repr.ml`, with the
//! layout without a committee slot for tz4 (module `Bls_mode`). All integers are big-endian.

use crate::base58;
use crate::history::Kind;

/// A level and a round, ordered.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Slot {
    pub(crate) level: i64,
    pub(crate) round: i64,
}

impl std::fmt::Display for Slot {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "level {} round {}", self.level, self.round)
    }
}

/// What a message is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Content {
    /// It has a slot.
    Slotted {
        kind: Kind,
        chain: String,
        slot: Slot,
    },
    /// It has none: an operation, a proof of possession.
    Slotless,
    /// It begins like a message with a slot, and its slot cannot be told.
    Unreadable(&'static str),
}

impl Content {
    /// Reads `bytes`, which a key of this kind of address (`tz1` to `tz4`) is to sign.
    pub(crate) fn read(bytes: &[u8], key: &str) -> Self {
        let Some((magic, rest)) = bytes.split_first() else {
            return Self::Unreadable("it is empty");
        };
        let mut reader = Reader(rest);
        let kind = match magic {
            0x11 => Kind::Block,
            0x12 => Kind::Preattestation,
            0x13 => Kind::Attestation,
            0x01 | 0x02 => return Self::Unreadable("it is of before Tenderbake"),
            _ => return Self::Slotless,
        };
        let read = reader.chain().and_then(|chain| {
            let slot = match kind {
                Kind::Block => reader.block()?,
                Kind::Preattestation | Kind::Attestation => {
                    reader.vote(kind, key.starts_with("tz4"))?
                }
            };
            Ok((chain, slot))
        });
        match read {
            Ok((chain, slot)) if reader.0.is_empty() => Self::Slotted { kind, chain, slot },
            Ok(_) => Self::Unreadable("bytes follow its end"),
            Err(why) => Self::Unreadable(why),
        }
    }
}

const PREATTESTATION: u8 = 20;
const ATTESTATION: u8 = 21;
const ATTESTATION_WITH_DAL: u8 = 23;
const BLS_PREATTESTATION: u8 = 40;
const BLS_ATTESTATION: u8 = 41;

type Read<T> = Result<T, &'static str>;

/// What is left of a message.
struct Reader<'bytes>(&'bytes [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or("it is too short")?;
        self.0 = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Read<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// Levels and rounds: 32 bits with a sign, and never below zero.
    fn height(&mut self) -> Read<i64> {
        let height = i32::from_be_bytes(self.take()?);
        if height < 0 {
            return Err("a level or round is below zero");
        }
        Ok(height.into())
    }

    fn chain(&mut self) -> Read<String> {
        self.take().map(base58::chain)
    }

    /// Level, protocol, predecessor, timestamp, passes, operations hash, fitness, context, payload
    /// hash, payload round, proof of work, perhaps a seed nonce hash, votes.
    fn block(&mut self) -> Read<Slot> {
        let level = self.height()?;
        self.byte()?;
        self.take::<32>()?;
        self.take::<8>()?;
        self.byte()?;
        self.take::<32>()?;
        let round = self.fitness(level)?;
        self.take::<32>()?;
        self.take::<32>()?;
        if self.height()? > round {
            return Err("its payload is of a later round than the block");
        }
        self.take::<8>()?;
        match self.byte()? {
            0x00 => {}
            0xff => {
                self.take::<32>()?;
            }
            _ => return Err("its seed nonce hash is neither there nor absent"),
        }
        self.byte()?;
        Ok(Slot { level, round })
    }

    /// Version, level, locked round, predecessor round, round: each after its length. The round of a
    /// block is this one: the payload round is older when a payload is proposed again.
    fn fitness(&mut self, level: i64) -> Read<i64> {
        let length = u32::from_be_bytes(self.take()?);
        self.item(1)?;
        if self.byte()? != 2 {
            return Err("its fitness is not of Tenderbake");
        }
        self.item(4)?;
        if self.height()? != level {
            return Err("its fitness is of another level");
        }
        let locked = match (u32::from_be_bytes(self.take()?), length) {
            (0, 33) => None,
            (4, 37) => Some(self.height()?),
            _ => return Err("its fitness has another length than it says"),
        };
        self.item(4)?;
        // It stands there as -1 - round, so it is below zero.
        if i32::from_be_bytes(self.take()?) >= 0 {
            return Err("the round of its predecessor is below zero");
        }
        self.item(4)?;
        let round = self.height()?;
        if locked.is_some_and(|locked| locked >= round) {
            return Err("its locked round is not before its round");
        }
        Ok(round)
    }

    fn item(&mut self, length: u32) -> Read<()> {
        if u32::from_be_bytes(self.take()?) == length {
            Ok(())
        } else {
            Err("an item of its fitness has another length")
        }
    }

    /// Branch, tag, committee slot but for tz4, level, round, payload hash, DAL for one tag.
    fn vote(&mut self, kind: Kind, is_bls: bool) -> Read<Slot> {
        self.take::<32>()?;
        let tag = self.byte()?;
        match (kind, is_bls, tag) {
            (Kind::Preattestation, false, PREATTESTATION)
            | (Kind::Attestation, false, ATTESTATION | ATTESTATION_WITH_DAL) => {
                self.take::<2>()?;
            }
            (Kind::Preattestation, true, BLS_PREATTESTATION)
            | (Kind::Attestation, true, BLS_ATTESTATION) => {}
            (Kind::Block | Kind::Preattestation | Kind::Attestation, ..) => {
                return Err("its tag does not fit its magic byte and key");
            }
        }
        let slot = Slot {
            level: self.height()?,
            round: self.height()?,
        };
        self.take::<32>()?;
        if tag == ATTESTATION_WITH_DAL {
            self.zarith()?;
        }
        Ok(slot)
    }

    /// A number without a fixed length: the top bit of a byte says that another follows, and the last
    /// of several is not zero.
    fn zarith(&mut self) -> Read<()> {
        let mut first = true;
        loop {
            let byte = self.byte()?;
            if byte & 0x80 == 0 {
                return if byte == 0 && !first {
                    Err("its DAL bits are not in their shortest form")
                } else {
                    Ok(())
                };
            }
            first = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::vectors;

    #[derive(Deserialize)]
    struct Vector {
        bytes: String,
        key: String,
        kind: Kind,
        chain: String,
        level: i64,
        round: i64,
    }

    fn vectors() -> Vec<(Vec<u8>, Vector)> {
        let all: Vec<Vector> = vectors::of("read");
        assert!(all.len() > 10);
        let read = |vector: Vector| (hex::decode(&vector.bytes).unwrap(), vector);
        all.into_iter().map(read).collect()
    }

    #[test]
    fn genuine_messages_of_every_layout_have_the_slot_that_they_say() {
        for (bytes, vector) in vectors() {
            let expected = Content::Slotted {
                kind: vector.kind,
                chain: vector.chain,
                slot: Slot {
                    level: vector.level,
                    round: vector.round,
                },
            };
            assert_eq!(
                Content::read(&bytes, &vector.key),
                expected,
                "{}",
                vector.bytes
            );
        }
    }

    #[test]
    fn a_message_cut_anywhere_or_with_a_byte_too_many_cannot_be_told_a_slot() {
        for (bytes, vector) in vectors() {
            for length in 0..bytes.len() {
                let cut = Content::read(&bytes[..length], &vector.key);
                assert!(matches!(cut, Content::Unreadable(_)), "{length}: {cut:?}");
            }
            let mut long = bytes.clone();
            long.push(1);
            let long = Content::read(&long, &vector.key);
            assert_eq!(long, Content::Unreadable("bytes follow its end"));
        }
    }

    #[test]
    fn a_vote_in_the_layout_of_another_kind_of_key_cannot_be_told_a_slot() {
        for (bytes, vector) in vectors() {
            let other = if vector.key == "tz4" { "tz1" } else { "tz4" };
            match Content::read(&bytes, other) {
                // A block has one layout for every key.
                Content::Slotted { kind, .. } => assert_eq!(kind, Kind::Block),
                Content::Unreadable(why) => assert!(why.contains("tag"), "{why}"),
                Content::Slotless => panic!("it has a slot"),
            }
        }
    }

    #[test]
    fn an_operation_has_no_slot_and_a_message_of_old_protocols_cannot_be_told_one() {
        assert_eq!(Content::read(&[0x03, 0x12, 0x34], "tz1"), Content::Slotless);
        for old in [0x01, 0x02] {
            let read = Content::read(&[old, 0, 0, 0, 0], "tz1");
            assert_eq!(read, Content::Unreadable("it is of before Tenderbake"));
        }
    }
}
