//! Mistakes that a programmer could make here, built in on purpose to prove that the simulation sees
//! each of them (`make chaos-mutants`).
//!
//! A mutant is active in one thread at a time, and only in a build with the feature `mutants`, which
//! nothing but the tests of `chaos` turns on. Without it [`active`] is a constant `false`, and what
//! hangs on it is not in the program.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("the feature `mutants` builds faults into Quorate: a release build cannot have it");

#[cfg(feature = "mutants")]
mod switch;

use std::fmt;

#[cfg(feature = "mutants")]
pub use switch::{Switched, active, switch_on};

/// One mistake.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Mutant {
    /// Appended entries are acknowledged before they are synced.
    AppendNotSynced,
    /// A vote is acknowledged before it is synced.
    VoteNotSynced,
    /// A start takes what it reads for durable and does not sync it.
    RestartTrustsPageCache,
    /// A leader signs once its entry is on the way, before a majority has it.
    ReleaseBeforeCommit,
    /// A leader decides by its state before the entry, and not by what applying the entry said.
    DecisionFromLocalState,
    /// A node that lost everything but its key is taken for a new one.
    WipedDiskAccepted,
    /// What is remembered of a peer is forgotten with its next start.
    OlderDiskAccepted,
    /// Two processes may have one data folder.
    CloneAccepted,
    /// A restarted leader resumes its term without an election.
    LeaderRestoreLeftOn,
    /// The signature of a key that is released after the record is released without one.
    RecordSkipped,
    /// The signature that is recorded last wins.
    SecondRecordWins,
    /// Another message is granted at the slot of the mark.
    TwoDigestsForOneSlot,
    /// The log is purged while the snapshot and the state that cover it are in the cache.
    PurgeBeforeSnapshotDurable,
    /// A snapshot holds marks from before its last entry.
    SnapshotWithStaleMark,
    /// A node that does not lead decides by its own state.
    FollowerSigns,
    /// Levels below the floor are granted.
    FloorIgnored,
    /// *Disable* is answered as committed when it is proposed.
    DisableAnsweredBeforeCommitted,
    /// A signature is recorded whatever became of the key since it was granted.
    RecordNotGated,
    /// A command is applied whatever generation it was decided on.
    GenerationIgnored,
    /// The last slot of another signer may be signed again.
    ImportNotBurnt,
}

impl Mutant {
    /// All of them, in the order of the issue that asked for them.
    pub const ALL: [Self; 20] = [
        Self::AppendNotSynced,
        Self::VoteNotSynced,
        Self::RestartTrustsPageCache,
        Self::ReleaseBeforeCommit,
        Self::DecisionFromLocalState,
        Self::WipedDiskAccepted,
        Self::OlderDiskAccepted,
        Self::CloneAccepted,
        Self::LeaderRestoreLeftOn,
        Self::RecordSkipped,
        Self::SecondRecordWins,
        Self::TwoDigestsForOneSlot,
        Self::PurgeBeforeSnapshotDurable,
        Self::SnapshotWithStaleMark,
        Self::FollowerSigns,
        Self::FloorIgnored,
        Self::DisableAnsweredBeforeCommitted,
        Self::RecordNotGated,
        Self::GenerationIgnored,
        Self::ImportNotBurnt,
    ];

    /// Its name, in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppendNotSynced => "append not synced",
            Self::VoteNotSynced => "vote not synced",
            Self::RestartTrustsPageCache => "restart trusts the page cache",
            Self::ReleaseBeforeCommit => "release before commit",
            Self::DecisionFromLocalState => "decision from local state",
            Self::WipedDiskAccepted => "wiped disk accepted",
            Self::OlderDiskAccepted => "older disk accepted",
            Self::CloneAccepted => "clone accepted",
            Self::LeaderRestoreLeftOn => "leader restore left on",
            Self::RecordSkipped => "record skipped",
            Self::SecondRecordWins => "second record wins",
            Self::TwoDigestsForOneSlot => "two digests for one slot",
            Self::PurgeBeforeSnapshotDurable => "purge before the snapshot is durable",
            Self::SnapshotWithStaleMark => "snapshot with a stale mark",
            Self::FollowerSigns => "follower signs",
            Self::FloorIgnored => "floor ignored",
            Self::DisableAnsweredBeforeCommitted => "disable answered before it is committed",
            Self::RecordNotGated => "record not gated",
            Self::GenerationIgnored => "generation ignored",
            Self::ImportNotBurnt => "import not burnt",
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Whether this thread runs with this mistake: in this build, none does.
#[cfg(not(feature = "mutants"))]
#[must_use]
pub const fn active(_mutant: Mutant) -> bool {
    false
}
