//! The bytes a baker asks to have signed, decoded whole.
//!
//! The layouts are those of the Octez protocols that [`PROTOCOLS`] names (`block_header_repr.ml`,
//! `operation_repr.ml`, `fitness_repr.ml` of each). Every byte is accounted for: a message with one
//! byte missing, one too many, or one in a place where this version expects another is refused,
//! because a signer that misreads a level signs twice.

mod block;
mod content;
mod fault;
mod manager;
mod name;
mod natural;
mod operation;
mod reader;
mod transaction;
mod vote;

pub use block::Block;
pub use content::Content;
pub use fault::DecodeError;
pub use name::{BallotVote, OperationName};
use operation::Contents;
pub use operation::Operation;
pub use vote::Vote;

use crate::vocabulary::vocabulary;
use crate::{ChainId, Curve, Digest, Slot};
use reader::Reader;

/// The protocols whose layouts this version knows. `docs/protocols.md` has the details.
pub const PROTOCOLS: &str = "023 Seoul, 024 Tallinn and 025 Ushuaia";

vocabulary! {
    /// What a message with a slot is. Each kind has its own mark.
    pub enum Kind as "kind" known "block, preattestation, attestation" {
        /// A block header, magic byte 0x11.
        Block = 0 "block",
        /// A preattestation, magic byte 0x12.
        Preattestation = 1 "preattestation",
        /// An attestation with or without DAL content, magic byte 0x13.
        Attestation = 2 "attestation",
    }
}

/// A message that can be signed: one with a slot, or a generic operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Payload {
    /// A block, preattestation or attestation: at most one per slot is ever signed.
    Consensus(Consensus),
    /// Generic operations, magic byte 0x03: allowed by name or refused.
    Operation(Operation),
}

/// A message with a slot, and the bytes it was decoded from.
///
/// **Invariant:** the fields, the digest and the bytes are of one and the same message: only
/// [`Payload::decode`] makes one, and nothing changes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Consensus {
    form: Form,
    digest: Digest,
    message: Vec<u8>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Form {
    Block(Block),
    Vote(Vote),
}

/// The first byte of a message.
mod magic {
    pub(super) const LEGACY_BLOCK: u8 = 0x01;
    pub(super) const LEGACY_ENDORSEMENT: u8 = 0x02;
    pub(super) const OPERATION: u8 = 0x03;
    pub(super) const AUTHENTICATION: u8 = 0x04;
    pub(super) const MICHELINE: u8 = 0x05;
    pub(super) const BLOCK: u8 = 0x11;
    pub(super) const PREATTESTATION: u8 = 0x12;
    pub(super) const ATTESTATION: u8 = 0x13;
}

impl Payload {
    /// Decodes the whole of `bytes`, the message that a key of `curve` is asked to sign, magic byte
    /// first.
    ///
    /// # Errors
    /// [`DecodeError`], whose text is what a baker reads in its log.
    pub fn decode(curve: Curve, bytes: Vec<u8>) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        let mut reader = Reader::new(&bytes);
        let form = match reader.u8("magic byte")? {
            magic::BLOCK => Form::Block(Block::read(&mut reader)?),
            magic::PREATTESTATION => {
                Form::Vote(Vote::read(&mut reader, Kind::Preattestation, curve)?)
            }
            magic::ATTESTATION => Form::Vote(Vote::read(&mut reader, Kind::Attestation, curve)?),
            magic::OPERATION => {
                let contents = Contents::read(reader)?;
                return Ok(Self::Operation(Operation::new(contents, bytes)));
            }
            magic::LEGACY_BLOCK => {
                return Err(DecodeError::Legacy {
                    magic: 0x01,
                    was: "an Emmy block",
                });
            }
            magic::LEGACY_ENDORSEMENT => {
                return Err(DecodeError::Legacy {
                    magic: 0x02,
                    was: "an Emmy endorsement",
                });
            }
            magic::AUTHENTICATION => {
                return Err(DecodeError::NeverSigned {
                    magic: 0x04,
                    is: "a signer authentication request",
                });
            }
            magic::MICHELINE => {
                return Err(DecodeError::NeverSigned {
                    magic: 0x05,
                    is: "packed Micheline",
                });
            }
            magic => return Err(DecodeError::Magic { magic }),
        };
        reader.finish()?;
        Ok(Self::Consensus(Consensus {
            form,
            digest: Digest::of(&bytes),
            message: bytes,
        }))
    }

    /// Writes the message from its decoded fields, never from the bytes they came from. For every
    /// message that decodes, the two are equal.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Consensus(Consensus {
                form: Form::Block(block),
                ..
            }) => block.encode(),
            Self::Consensus(Consensus {
                form: Form::Vote(vote),
                ..
            }) => vote.encode(),
            Self::Operation(operation) => operation.encode(),
        }
    }

    /// BLAKE2b-256 of the whole message.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        match self {
            Self::Consensus(consensus) => consensus.digest(),
            Self::Operation(operation) => operation.digest(),
        }
    }

    /// The whole message, as it was asked for and as it is signed.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        match self {
            Self::Consensus(consensus) => consensus.message(),
            Self::Operation(operation) => operation.message(),
        }
    }
}

impl Consensus {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match &self.form {
            Form::Block(_) => Kind::Block,
            Form::Vote(vote) => vote.kind(),
        }
    }

    /// The chain it is for.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        match &self.form {
            Form::Block(block) => block.chain(),
            Form::Vote(vote) => vote.chain(),
        }
    }

    /// Its level and round. A block's round is that of its fitness, not its payload round.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        match &self.form {
            Form::Block(block) => block.slot(),
            Form::Vote(vote) => vote.slot(),
        }
    }

    /// BLAKE2b-256 of the whole message.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The whole message, as it was asked for and as it is signed.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Whether it is a vote in the form that tz4 keys sign (tag 40 or 41), which names no committee
    /// slot. A companion key signs nothing else.
    #[must_use]
    pub const fn bls_mode(&self) -> bool {
        match &self.form {
            Form::Block(_) => false,
            Form::Vote(vote) => vote.bls_mode(),
        }
    }

    /// The fields of the block, if it is one.
    #[must_use]
    pub const fn as_block(&self) -> Option<&Block> {
        match &self.form {
            Form::Block(block) => Some(block),
            Form::Vote(_) => None,
        }
    }

    /// The fields of the vote, if it is one.
    #[must_use]
    pub const fn as_vote(&self) -> Option<&Vote> {
        match &self.form {
            Form::Block(_) => None,
            Form::Vote(vote) => Some(vote),
        }
    }
}
