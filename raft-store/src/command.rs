//! What is replicated: a proposal is one entry of the log, its answer is what applying it said.
//!
//! Sign-path entries (advance, record, permit) are proposed by the ledger alone; a [`Command`] is
//! what an operator may ask for.

mod answer;

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeTuple as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tezos::{
    BallotVote, ChainId, Digest, Kind, Level, OperationName, PublicKey, PublicKeyHash, Round,
    Signature, Slot,
};

pub use answer::{Answer, Excess, Refusal};

use crate::state::{Chains, ReleaseMode, Role};

/// The newest format of a proposal that this version reads and applies.
pub const FORMAT: u16 = 1;

/// The most imported marks that one `Enrol` may carry.
pub const IMPORTS_MAX: usize = 1024;

/// The most clients that may be authorized for one key.
pub const AUTHORIZED_MAX: usize = 64;

/// One entry of the log: what is asked, and the clock of the leader that proposed it.
///
/// Its serialised form starts with the format (`u16`), so that an entry of a later version is
/// refused by its number and never misread (R36).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proposal {
    /// Seconds since 1970 by the clock of the proposing leader. It serves the jump rule only: it
    /// may refuse, and it never allows anything at or below a mark (R16).
    pub at_s: u64,
    /// What is asked.
    pub act: Act,
}

/// What one entry asks for. bincode goes by position: only ever append variants.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Act {
    /// Move a mark to a slot, so that its message may be signed.
    Advance(Advance),
    /// Attach the signature that is to be released for a mark. The first one wins.
    Record(Record),
    /// Allow one message that has no slot.
    Permit(PermitAsked),
    /// What an operator decided.
    Command(Command),
}

/// Moves the mark of (key, chain, kind) to a slot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Advance {
    /// The key that is to sign.
    pub key: PublicKeyHash,
    /// The chain the message is for.
    pub chain: ChainId,
    /// Its kind.
    pub kind: Kind,
    /// Its slot.
    pub slot: Slot,
    /// The digest of the whole signable message.
    pub digest: Digest,
}

/// Attaches a signature to the mark that an earlier [`Advance`] set.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Record {
    /// The advance whose grant was signed.
    pub advance: Advance,
    /// The signature, verified by the proposer.
    pub signature: Signature,
}

/// Asks for one message without a slot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PermitAsked {
    /// The key that is to sign.
    pub key: PublicKeyHash,
    /// The digest of the whole signable message.
    pub digest: Digest,
    /// What kind of message it is.
    pub what: Permitted,
}

/// What a message without a slot is. Policy allows it by these names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Permitted {
    /// A generic operation: every content in it by name, every vote in it.
    Operation {
        /// The names of its contents.
        names: BTreeSet<OperationName>,
        /// The votes of its ballots.
        votes: BTreeSet<BallotVote>,
    },
    /// A BLS proof of possession.
    Possession,
}

/// What an operator asks for. Each names the generation of the key that it was decided on: apply
/// refuses another, so that a command whose outcome was unknown can be repeated but never lands
/// late. bincode goes by position: only ever append variants.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Command {
    /// Introduce a key, or take a disabled one into service again. Lowers nothing.
    Enrol(Box<Enrolment>),
    /// Change the policy of a key.
    Edit {
        /// The key.
        key: PublicKeyHash,
        /// Its generation when this was decided.
        generation: u64,
        /// What changes.
        edit: Box<Edit>,
    },
    /// Stop signing with a key. Its marks stay for ever.
    Disable {
        /// The key.
        key: PublicKeyHash,
        /// Its generation when this was decided.
        generation: u64,
    },
    /// Sign with a disabled key again.
    Enable {
        /// The key.
        key: PublicKeyHash,
        /// Its generation when this was decided.
        generation: u64,
    },
    /// Burn every slot up to and including `level`, so that the next one may be signed.
    Raise {
        /// The key.
        key: PublicKeyHash,
        /// Its generation when this was decided.
        generation: u64,
        /// The chain.
        chain: ChainId,
        /// One kind, or all of them.
        kind: Option<Kind>,
        /// The last level that is burnt.
        level: Level,
    },
    /// Every voter reads this format: from here on entries may use it.
    Format {
        /// The format.
        format: u16,
    },
}

/// A key, its policy, and what another signer is known to have signed with it: one entry, since
/// two could commit in the other order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// 0 for a key that is not known yet, else its generation when this was decided.
    pub generation: u64,
    /// The key.
    pub public_key: PublicKey,
    /// What the key is to the baker.
    pub role: Role,
    /// When a signature may leave.
    pub release: ReleaseMode,
    /// The consensus kinds it may sign.
    pub kinds: BTreeSet<Kind>,
    /// The generic operations it may sign, by name.
    pub operations: BTreeSet<OperationName>,
    /// The ballots it may cast.
    pub votes: BTreeSet<BallotVote>,
    /// The chains it may sign for, each with the first level that may be signed.
    pub chains: Chains,
    /// The clients that may ask; empty for anyone who reaches the socket. At most
    /// [`AUTHORIZED_MAX`].
    pub authorized: Vec<PublicKey>,
    /// What was signed elsewhere: each slot is burnt. At most [`IMPORTS_MAX`].
    pub imports: Vec<Import>,
}

/// The highest slot that another signer is known to have signed, or to have been able to sign.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The chain.
    pub chain: ChainId,
    /// One kind, or all of them.
    pub kind: Option<Kind>,
    /// The level.
    pub level: Level,
    /// The round; without it the whole level is burnt, so that the next level is the first one
    /// that may be signed.
    pub round: Option<Round>,
}

/// What changes in a key's policy; what is `None` stays. A floor may be corrected downward, but
/// never to or below a mark; a new release mode first moves every mark one level up, burnt.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// What the key is to the baker.
    pub role: Option<Role>,
    /// When a signature may leave.
    pub release: Option<ReleaseMode>,
    /// The consensus kinds it may sign.
    pub kinds: Option<BTreeSet<Kind>>,
    /// The generic operations it may sign.
    pub operations: Option<BTreeSet<OperationName>>,
    /// The ballots it may cast.
    pub votes: Option<BTreeSet<BallotVote>>,
    /// The chains and their floors.
    pub chains: Option<Chains>,
    /// The clients that may ask.
    pub authorized: Option<Vec<PublicKey>>,
}

impl Proposal {
    /// The format that is needed to read and apply this proposal. A leader proposes it only after
    /// that format was committed.
    #[must_use]
    pub const fn format(&self) -> u16 {
        match self.act {
            Act::Advance(_) | Act::Record(_) | Act::Permit(_) | Act::Command(_) => FORMAT,
        }
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.act {
            Act::Advance(advance) => write!(out, "advance {advance}"),
            Act::Record(record) => write!(out, "record {}", record.advance),
            Act::Permit(permit) => write!(out, "permit {} {}", permit.key, permit.digest),
            Act::Command(command) => command.fmt(out),
        }
    }
}

impl fmt::Display for Advance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            chain,
            kind,
            slot,
            digest,
        } = self;
        write!(out, "{key} {chain} {kind} {slot} {digest}")
    }
}

impl fmt::Display for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enrol(e) => write!(out, "enrol {} of generation {}", e.public_key, e.generation),
            Self::Edit {
                key, generation, ..
            } => {
                write!(out, "edit {key} of generation {generation}")
            }
            Self::Disable { key, generation } => {
                write!(out, "disable {key} of generation {generation}")
            }
            Self::Enable { key, generation } => {
                write!(out, "enable {key} of generation {generation}")
            }
            Self::Raise {
                key,
                generation,
                chain,
                level,
                ..
            } => {
                write!(
                    out,
                    "raise {key} of generation {generation} on {chain} to level {level}"
                )
            }
            Self::Format { format } => write!(out, "format {format}"),
        }
    }
}

impl Serialize for Proposal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut frame = serializer.serialize_tuple(3)?;
        frame.serialize_element(&self.format())?;
        frame.serialize_element(&self.at_s)?;
        frame.serialize_element(&self.act)?;
        frame.end()
    }
}

impl<'de> Deserialize<'de> for Proposal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(3, Frame)
    }
}

/// Reads the format before anything whose layout depends on it.
struct Frame;

impl<'de> Visitor<'de> for Frame {
    type Value = Proposal;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a proposal: its format, its clock, what it asks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut frame: A) -> Result<Proposal, A::Error> {
        let cut_off = |at| A::Error::invalid_length(at, &"3 parts of a proposal");
        let format: u16 = frame.next_element()?.ok_or_else(|| cut_off(0))?;
        if format != FORMAT {
            return Err(A::Error::custom(format_args!(
                "a proposal of format {format}: this version reads up to {FORMAT}; \
                 install the version of Quorate that wrote it"
            )));
        }
        let at_s = frame.next_element()?.ok_or_else(|| cut_off(1))?;
        let act = frame.next_element()?.ok_or_else(|| cut_off(2))?;
        Ok(Proposal { at_s, act })
    }
}
