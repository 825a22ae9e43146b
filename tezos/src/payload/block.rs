//! Block headers.

use super::reader::{Reader, write_optional};
use super::{DecodeError, magic};
use crate::{ChainId, Level, Round, Slot};

/// A Tenderbake block header without its signature. All integers are big-endian, all hashes raw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    chain: ChainId,
    level: Level,
    protocol_level: u8,
    predecessor: [u8; 32],
    timestamp: [u8; 8],
    validation_passes: u8,
    operations_hash: [u8; 32],
    fitness: Fitness,
    context: [u8; 32],
    payload_hash: [u8; 32],
    payload_round: Round,
    proof_of_work: [u8; 8],
    seed_nonce_hash: Option<[u8; 32]>,
    /// The baker's votes on protocol parameters: one in 025, two in 024 and before. Every value is
    /// taken, since their meaning has no bearing on signing twice.
    votes: u8,
}

/// What a header says about its place in consensus. The level is the header's own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Fitness {
    locked_round: Option<Round>,
    predecessor_round: Round,
    round: Round,
}

/// The fitness version of Tenderbake (Octez, `constants_repr.ml`, `fitness_version_number`).
const VERSION: u8 = 2;

/// Bytes of a fitness without and with a locked round: five items, each after its 32-bit length.
const UNLOCKED_LEN: u32 = 33;
const LOCKED_LEN: u32 = 37;

impl Block {
    /// Reads what follows the magic byte.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let chain = ChainId(reader.array("chain id")?);
        let level = reader.height("level")?;
        let protocol_level = reader.u8("protocol level")?;
        let predecessor = reader.array("predecessor")?;
        let timestamp = reader.array("timestamp")?;
        let validation_passes = reader.u8("validation passes")?;
        let operations_hash = reader.array("operations hash")?;
        let fitness = Fitness::read(reader, level)?;
        let context = reader.array("context hash")?;
        let payload_hash = reader.array("payload hash")?;
        let payload_round: Round = reader.height("payload round")?;
        if payload_round > fitness.round {
            return Err(DecodeError::PayloadRound {
                payload_round: payload_round.get(),
                round: fitness.round.get(),
            });
        }
        let proof_of_work = reader.array("proof of work nonce")?;
        let seed_nonce_hash =
            reader.optional("seed nonce hash", |reader| reader.array("seed nonce hash"))?;
        let votes = reader.u8("per-block votes")?;
        Ok(Self {
            chain,
            level,
            protocol_level,
            predecessor,
            timestamp,
            validation_passes,
            operations_hash,
            fitness,
            context,
            payload_hash,
            payload_round,
            proof_of_work,
            seed_nonce_hash,
            votes,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![magic::BLOCK];
        out.extend(self.chain.0);
        out.extend(self.level.get().to_be_bytes());
        out.push(self.protocol_level);
        out.extend(self.predecessor);
        out.extend(self.timestamp);
        out.push(self.validation_passes);
        out.extend(self.operations_hash);
        self.fitness.write(&mut out, self.level);
        out.extend(self.context);
        out.extend(self.payload_hash);
        out.extend(self.payload_round.get().to_be_bytes());
        out.extend(self.proof_of_work);
        write_optional(&mut out, self.seed_nonce_hash.as_ref(), |out, hash| {
            out.extend(hash)
        });
        out.push(self.votes);
        out
    }

    /// The chain it is for.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }

    /// Its level, and the round of its fitness.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        Slot::new(self.level, self.fitness.round)
    }

    /// The round in which the payload was first proposed: lower than the block's own round when a
    /// payload is proposed again.
    #[must_use]
    pub const fn payload_round(&self) -> Round {
        self.payload_round
    }

    /// The 32 bytes of the payload hash.
    #[must_use]
    pub const fn payload_hash(&self) -> &[u8; 32] {
        &self.payload_hash
    }

    /// The 32 bytes of the predecessor's hash.
    #[must_use]
    pub const fn predecessor(&self) -> &[u8; 32] {
        &self.predecessor
    }

    /// The round in which a quorum preattested the payload before, if one did.
    #[must_use]
    pub const fn locked_round(&self) -> Option<Round> {
        self.fitness.locked_round
    }

    /// The round of the predecessor.
    #[must_use]
    pub const fn predecessor_round(&self) -> Round {
        self.fitness.predecessor_round
    }

    /// Seconds since 1970, as the baker wrote them. Nothing is decided by it.
    #[must_use]
    pub const fn timestamp(&self) -> i64 {
        i64::from_be_bytes(self.timestamp)
    }
}

impl Fitness {
    /// Reads the five items: version, level, locked round, -1 - predecessor round, round.
    fn read(reader: &mut Reader<'_>, level: Level) -> Result<Self, DecodeError> {
        let at = reader.at();
        let length = reader.u32("fitness")?;
        if length != UNLOCKED_LEN && length != LOCKED_LEN {
            let expected = "33 or 37";
            return Err(DecodeError::Fitness {
                field: "length",
                at,
                found: length,
                expected,
            });
        }
        item(reader, "version length", 1, "1")?;
        let at = reader.at();
        let version = reader.u8("fitness version")?;
        if version != VERSION {
            let found = version.into();
            return Err(DecodeError::Fitness {
                field: "version",
                at,
                found,
                expected: "2",
            });
        }
        item(reader, "level length", 4, "4")?;
        let fitness_level: Level = reader.height("fitness level")?;
        if fitness_level != level {
            return Err(DecodeError::FitnessLevel {
                header: level.get(),
                fitness: fitness_level.get(),
            });
        }
        let locked_round: Option<Round> = if length == LOCKED_LEN {
            item(reader, "locked round length", 4, "4")?;
            Some(reader.height("locked round")?)
        } else {
            item(reader, "locked round length", 0, "0")?;
            None
        };
        item(reader, "predecessor round length", 4, "4")?;
        let predecessor_round = predecessor_round(reader)?;
        item(reader, "round length", 4, "4")?;
        let round: Round = reader.height("round")?;
        if let Some(locked) = locked_round.filter(|locked| *locked >= round) {
            return Err(DecodeError::LockedRound {
                locked: locked.get(),
                round: round.get(),
            });
        }
        Ok(Self {
            locked_round,
            predecessor_round,
            round,
        })
    }

    fn write(&self, out: &mut Vec<u8>, level: Level) {
        let length = if self.locked_round.is_some() {
            LOCKED_LEN
        } else {
            UNLOCKED_LEN
        };
        out.extend(length.to_be_bytes());
        out.extend(1_u32.to_be_bytes());
        out.push(VERSION);
        out.extend(4_u32.to_be_bytes());
        out.extend(level.get().to_be_bytes());
        match self.locked_round {
            Some(round) => {
                out.extend(4_u32.to_be_bytes());
                out.extend(round.get().to_be_bytes());
            }
            None => out.extend(0_u32.to_be_bytes()),
        }
        out.extend(4_u32.to_be_bytes());
        // In two's complement -1 - x is the complement of x.
        out.extend((!self.predecessor_round.get()).to_be_bytes());
        out.extend(4_u32.to_be_bytes());
        out.extend(self.round.get().to_be_bytes());
    }
}

/// Reads the length of a fitness item, which has one right value.
fn item(
    reader: &mut Reader<'_>,
    field: &'static str,
    right: u32,
    expected: &'static str,
) -> Result<(), DecodeError> {
    let at = reader.at();
    match reader.u32(field)? {
        found if found == right => Ok(()),
        found => Err(DecodeError::Fitness {
            field,
            at,
            found,
            expected,
        }),
    }
}

fn predecessor_round(reader: &mut Reader<'_>) -> Result<Round, DecodeError> {
    let at = reader.at();
    let stored = reader.u32("predecessor round")?;
    Round::new(!stored).ok_or(DecodeError::PredecessorRound { at })
}
