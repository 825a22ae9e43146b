//! What applying an entry said. Plain data on every replica: it is not a permission, and only the
//! ledger turns its own node's answer into one.

use serde::{Deserialize, Serialize};
use tezos::{BallotVote, ChainId, Digest, Kind, Level, OperationName, Signature, Slot};

use crate::state::ReleaseMode;

/// What applying an entry said.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Answer {
    /// An entry of openraft's own: blank, or a membership.
    Noted,
    /// The mark stands at the slot that was asked, with this digest: its message may be signed.
    Granted {
        /// The digest that the mark holds.
        digest: Digest,
        /// When the signature may leave.
        release: ReleaseMode,
    },
    /// The same message was signed before: this is its signature.
    Replayed {
        /// The digest that the mark holds.
        digest: Digest,
        /// The recorded signature.
        signature: Signature,
    },
    /// A signature is recorded for the mark: this one leaves, whoever made it.
    Recorded {
        /// The digest that the mark holds.
        digest: Digest,
        /// The signature that came first.
        signature: Signature,
    },
    /// The message without a slot that has this digest may be signed.
    Permitted {
        /// The digest that was asked.
        digest: Digest,
    },
    /// An operator's command was applied.
    Applied {
        /// The generation of the key from here on; 0 for a command that is about no key.
        generation: u64,
    },
    /// A decision not to do it.
    Refused(Refusal),
}

/// A decision not to do what was asked. Being unable to decide is never one of these.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
pub enum Refusal {
    /// The key is not enrolled.
    #[error("the key is not enrolled")]
    Unknown,
    /// An operator disabled the key.
    #[error("the key is disabled")]
    Disabled,
    /// The cluster was recovered and its floors are not set yet.
    #[error("the cluster is locked")]
    Locked,
    /// The key may not sign for this chain.
    #[error("chain {chain} is not allowed for this key")]
    ChainNotAllowed {
        /// The chain that was asked.
        chain: ChainId,
    },
    /// The key has marks on as many chains as one key may have.
    #[error("the key has marks on {limit} chains, which is the limit")]
    TooManyChains {
        /// The limit.
        limit: usize,
    },
    /// The key may not sign this kind.
    #[error("kind {kind} is not allowed for this key")]
    KindNotAllowed {
        /// The kind that was asked.
        kind: Kind,
    },
    /// The level is below the first one that may be signed.
    #[error("{asked} is below the floor, level {floor}")]
    BelowFloor {
        /// The slot that was asked.
        asked: Slot,
        /// The first level that may be signed.
        floor: Level,
    },
    /// The slot is below the mark.
    #[error("{asked} is below the mark, {mark}")]
    Below {
        /// The slot that was asked.
        asked: Slot,
        /// Where the mark stands.
        mark: Slot,
    },
    /// Another message was granted at this slot.
    #[error("another message was granted at {slot}")]
    Conflict {
        /// The slot.
        slot: Slot,
    },
    /// The slot was burnt by an import, a raise, or a change of the release mode.
    #[error("{slot} is burnt")]
    Burnt {
        /// The slot.
        slot: Slot,
    },
    /// The level is further above the mark than the jump rule allows.
    #[error("{asked} is more than {limit} levels above level {mark}")]
    Jump {
        /// The slot that was asked.
        asked: Slot,
        /// The level of the mark, or of the floor.
        mark: Level,
        /// How many levels it may rise at once now.
        limit: u64,
    },
    /// The mark moved on before the signature was recorded, so nothing may leave.
    #[error("{asked} is below the mark, {mark}, which moved on while this was signed")]
    MovedOn {
        /// The slot that was signed.
        asked: Slot,
        /// Where the mark stands now.
        mark: Slot,
    },
    /// A signature for a slot that was never granted.
    #[error("{slot} was never granted")]
    NeverGranted {
        /// The slot.
        slot: Slot,
    },
    /// The key may not sign this operation.
    #[error("operation {name} is not allowed for this key")]
    OperationNotAllowed {
        /// The operation that was asked.
        name: OperationName,
    },
    /// The key may not cast this ballot.
    #[error("a ballot {vote} is not allowed for this key")]
    VoteNotAllowed {
        /// The vote that was asked.
        vote: BallotVote,
    },
    /// A proof of possession of a key that is not BLS.
    #[error("only a BLS key proves its possession")]
    NoPossession,
    /// The command was decided on another generation of the key.
    #[error("the key is at generation {actual}, the command was decided on {expected}")]
    Generation {
        /// The generation that the command named.
        expected: u64,
        /// The generation of the key.
        actual: u64,
    },
    /// The key is in service already.
    #[error("the key is enrolled already")]
    AlreadyEnrolled,
    /// A mark cannot be imported into a key that may be signing.
    #[error("marks cannot be imported into an enabled key")]
    ImportIntoEnabled,
    /// The floor would be at or below a mark.
    #[error("floor {floor} on chain {chain} is not above the mark, {mark}")]
    FloorAtMark {
        /// The chain.
        chain: ChainId,
        /// The floor that was asked.
        floor: Level,
        /// The highest mark on that chain.
        mark: Slot,
    },
    /// Every mark that was to rise stands higher already.
    #[error("nothing to raise: the lowest mark is {mark} already")]
    NothingToRaise {
        /// The lowest of the marks.
        mark: Slot,
    },
    /// There is no level above the mark.
    #[error("there is no level above {mark}")]
    NoLevelAbove {
        /// The mark.
        mark: Slot,
    },
    /// A companion key signs attestations only.
    #[error("a companion key may sign attestations only, and must be BLS")]
    CompanionPolicy,
    /// More than fits into one command.
    #[error("{count} {what} are more than the limit, {limit}")]
    TooMany {
        /// What there is too much of.
        what: Excess,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The entry is of a format that the cluster has not agreed on.
    #[error("format {format} is not agreed yet, the cluster is at {agreed}")]
    FormatNotAgreed {
        /// The format of the entry.
        format: u16,
        /// The format that is agreed.
        agreed: u16,
    },
}

/// What a command may have too much of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Excess {
    /// Chains of a key.
    Chains,
    /// Clients authorized for a key.
    Clients,
    /// Imported marks.
    Imports,
    /// Enrolled keys.
    Keys,
}

impl std::fmt::Display for Excess {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Chains => "chains",
            Self::Clients => "authorized clients",
            Self::Imports => "imported marks",
            Self::Keys => "keys",
        })
    }
}
