//! The ledger: turns what this node itself committed into permission to sign.
//!
//! **Invariant:** permission comes from the answer to this node's own committed entry, and from
//! nothing else: not from leadership, a lease, a metric or a clock. What is unknown is a failure,
//! never a refusal, and frees nothing (R5, R15).

mod mint;
#[cfg(feature = "mutants")]
mod mistake;
mod outstanding;
mod propose;

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

pub use mint::{
    Decision, Grant, Permit, PermitDecision, Release, Released, Signed, WrongSignature,
};
pub use propose::{Committed, Unavailable};

use crate::command::{Act, Command, PermitAsked};
use crate::machine::{StateDisk, StateReader, StateRef};
use crate::policy::{Slotless, Slotted};
use crate::types::Raft;
use crate::witness::Witnessed;
use outstanding::{Outstanding, Ticket};

/// Commits entries through this node, and mints permission from their answers. Cheap to clone.
pub struct Ledger<D: StateDisk> {
    raft: Raft<D>,
    reader: StateReader,
    outstanding: Arc<Outstanding>,
    clock: Clock,
}

/// A clock: seconds since 1970. It travels in entries for the jump rule only, which may refuse by
/// it and never allow.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The clock of this machine.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(propose::unix_seconds)
}

impl<D: StateDisk> Ledger<D> {
    /// The ledger over `raft`, whose state machine `reader` looks at.
    #[must_use]
    pub fn new(raft: Raft<D>, reader: StateReader) -> Self {
        Self {
            raft,
            reader,
            outstanding: Arc::default(),
            clock: system_clock(),
        }
    }

    /// The same ledger by another clock, for a simulation.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The same ledger under the eyes of a witness, who sees every signature that is made on what
    /// it grants from here on.
    #[must_use]
    pub fn witnessed(self, witness: Witnessed) -> Self {
        let outstanding = Outstanding::witnessed(witness);
        Self {
            outstanding,
            ..self
        }
    }

    /// Who sees what this node decides, if anybody.
    #[must_use]
    pub fn witness(&self) -> &Witnessed {
        self.outstanding.witness()
    }

    /// Asks for a message with a slot. Returns once a majority has it on disk, or at `deadline`.
    ///
    /// # Errors
    /// [`Unavailable`]; nothing may be signed then.
    pub async fn advance(
        &self,
        allowed: Slotted,
        deadline: Instant,
    ) -> Result<Decision, Unavailable> {
        let ticket = self.ticket();
        let advance = mint::advance_of(allowed.key(), allowed.consensus());
        let committed = self.commit(Act::Advance(advance), deadline).await?;
        mint::decide(allowed, ticket, committed)
    }

    /// Asks for a message without a slot. Returns once a majority has it on disk, or at `deadline`.
    ///
    /// A message without a slot compiles:
    /// ```
    /// use raft_store::{ledger::Ledger, machine::StateDisk, policy::Slotless};
    /// async fn ask<D: StateDisk>(ledger: Ledger<D>, allowed: Slotless) {
    ///     let _ = ledger.permit(allowed, tokio::time::Instant::now()).await;
    /// }
    /// ```
    /// One with a slot does not:
    /// ```compile_fail,E0308
    /// use raft_store::{ledger::Ledger, machine::StateDisk, policy::Slotted};
    /// async fn ask<D: StateDisk>(ledger: Ledger<D>, allowed: Slotted) {
    ///     let _ = ledger.permit(allowed, tokio::time::Instant::now()).await;
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Unavailable`]; nothing may be signed then.
    pub async fn permit(
        &self,
        allowed: Slotless,
        deadline: Instant,
    ) -> Result<PermitDecision, Unavailable> {
        let ticket = self.ticket();
        let (key, subject) = (allowed.key().hash(), allowed.subject());
        let asked = PermitAsked {
            key,
            digest: subject.digest(),
            what: subject.permitted(),
        };
        let committed = self.commit(Act::Permit(asked), deadline).await?;
        mint::decide_slotless(allowed, ticket, committed)
    }

    /// Lets a signature go. For a key that releases after record, the signature is committed first
    /// and the one that was recorded first leaves, whoever made it.
    ///
    /// # Errors
    /// [`Unavailable`]; nothing may leave then.
    pub async fn release(&self, signed: Signed, deadline: Instant) -> Result<Release, Unavailable> {
        match signed.to_record() {
            None => Ok(Release::Released(signed.released())),
            Some(record) => {
                let committed = self.commit(Act::Record(record), deadline).await?;
                signed.decide(committed)
            }
        }
    }

    /// Commits what an operator decided. Its first stage: from the entry it returns on, the command
    /// holds. Its second, drained, is when every node has applied that entry and
    /// [`outstanding`](Self::outstanding) names none before it.
    ///
    /// # Errors
    /// [`Unavailable`]. The command names a generation, so it can be repeated: it is applied once.
    pub async fn propose(
        &self,
        command: Command,
        deadline: Instant,
    ) -> Result<Committed, Unavailable> {
        self.commit(Act::Command(command), deadline).await
    }

    /// The applied state of this node.
    #[must_use]
    pub fn state(&self) -> StateRef<'_> {
        self.reader.state()
    }

    /// The lowest log index that a grant, a permit or a signature alive in this node may come from,
    /// requests that are still being committed included. None may come from before it.
    #[must_use]
    pub fn outstanding(&self) -> Option<u64> {
        self.outstanding.lowest()
    }

    /// A ticket is taken before proposing, so that no grant is ever on its way uncounted.
    fn ticket(&self) -> Ticket {
        let applied = self.state().applied().map_or(0, |id| id.index);
        Outstanding::take(&self.outstanding, applied.saturating_add(1))
    }
}

impl<D: StateDisk> Clone for Ledger<D> {
    fn clone(&self) -> Self {
        Self {
            raft: self.raft.clone(),
            reader: self.reader.clone(),
            outstanding: Arc::clone(&self.outstanding),
            clock: Clock::clone(&self.clock),
        }
    }
}

impl<D: StateDisk> fmt::Debug for Ledger<D> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Ledger")
            .field("outstanding", &self.outstanding)
            .finish_non_exhaustive()
    }
}
