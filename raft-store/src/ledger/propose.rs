//! Getting an entry committed through this node within a deadline, and saying honestly what is not
//! known when that fails.

use std::time::Duration;

use openraft::ReadPolicy;
use openraft::errors::{ClientWriteError, Fatal, ForwardReason, LinearizableReadError, RaftError};
use openraft::raft::ClientWriteResponse;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout_at};

use super::Ledger;
use crate::command::{Act, Answer, Proposal};
use crate::machine::StateDisk;
use crate::types::{EntryId, Types};

/// How often a leader that no majority acknowledges looks again. Each look wakes consensus, so
/// waiting for consensus to change instead would spin.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Why there is no decision. Never a refusal: the entry may or may not be committed, now or later.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
pub enum Unavailable {
    /// This node does not lead; nothing was proposed.
    #[error("this node does not lead")]
    NotLeader {
        /// Who does, as far as this node knows.
        leader: Option<u64>,
    },
    /// This node lost the lead while the entry was on its way.
    #[error("this node lost the lead, and whether the entry is committed is unknown")]
    Deposed {
        /// Who leads now, as far as this node knows.
        leader: Option<u64>,
    },
    /// The deadline came first.
    #[error("no majority answered in time, and whether the entry is committed is unknown")]
    OutOfTime,
    /// This node's consensus has stopped; only a restart helps.
    #[error("this node has stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
}

/// Where a command was committed, and what applying it said.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Committed {
    /// The entry.
    pub entry: EntryId,
    /// What applying it said.
    pub answer: Answer,
}

impl<D: StateDisk> Ledger<D> {
    /// Proposes `act` and waits until it is applied here.
    pub(super) async fn commit(
        &self,
        act: Act,
        deadline: Instant,
    ) -> Result<Committed, Unavailable> {
        #[cfg(feature = "mutants")]
        if let Some(mistaken) = self.mistaken(&act, deadline).await {
            return mistaken;
        }
        self.proposed(act, deadline).await
    }

    pub(super) async fn proposed(
        &self,
        act: Act,
        deadline: Instant,
    ) -> Result<Committed, Unavailable> {
        let proposal = Proposal {
            at_s: (self.clock)(),
            act,
        };
        let committed = async {
            loop {
                match self.raft.client_write(proposal.clone()).await {
                    Ok(ClientWriteResponse { log_id, data, .. }) => {
                        return Ok(Committed {
                            entry: log_id.into(),
                            answer: data,
                        });
                    }
                    // A leader that no majority has acknowledged yet; nothing was appended.
                    Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))
                        if forward.reason == ForwardReason::LeaseExpired =>
                    {
                        sleep(LOOK_AGAIN).await;
                    }
                    Err(error) => return Err(unavailable(error)),
                }
            }
        };
        timeout_at(deadline, committed)
            .await
            .unwrap_or(Err(Unavailable::OutOfTime))
    }

    /// Waits until this node has applied the entry at `index`, which another one committed; at most
    /// until `deadline`. Says whether it has.
    pub async fn applied(&self, index: u64, deadline: Instant) -> bool {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let applied = self.raft.wait(Some(remaining));
        let applied = applied.applied_index_at_least(Some(index), "committed elsewhere");
        applied.await.is_ok()
    }

    /// Waits until this node has applied everything that was committed when this was called, and a
    /// majority has confirmed that it leads. A denial that rests on this node's state may leave
    /// only after it was found again in a confirmed state (P4). A grant never needs it.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn confirm(&self, deadline: Instant) -> Result<(), Unavailable> {
        let confirmed = async {
            loop {
                match self.raft.ensure_linearizable(ReadPolicy::ReadIndex).await {
                    Ok(_read_index) => return Ok(()),
                    // Another round may find a majority; until then nothing is known.
                    Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => {
                        sleep(LOOK_AGAIN).await;
                    }
                    Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)))
                        if forward.reason == ForwardReason::LeaseExpired =>
                    {
                        sleep(LOOK_AGAIN).await;
                    }
                    Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                        return Err(Unavailable::NotLeader {
                            leader: forward.leader_id,
                        });
                    }
                    Err(RaftError::Fatal(fatal)) => return Err(fatally(&fatal)),
                }
            }
        };
        timeout_at(deadline, confirmed)
            .await
            .unwrap_or(Err(Unavailable::OutOfTime))
    }
}

fn unavailable(error: RaftError<Types, ClientWriteError<Types>>) -> Unavailable {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => Unavailable::NotLeader {
            leader: forward.leader_id,
        },
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(forward)) => Unavailable::Deposed {
            leader: forward.leader_id,
        },
        // Neither fits an entry without a membership and without a precondition.
        RaftError::APIError(
            error @ (ClientWriteError::ChangeMembershipError(_)
            | ClientWriteError::PreconditionFailed(_)),
        ) => stopped(format!(
            "an entry was answered with what does not fit it: {error}"
        )),
        RaftError::Fatal(fatal) => fatally(&fatal),
    }
}

fn fatally(fatal: &Fatal<Types>) -> Unavailable {
    stopped(fatal.to_string())
}

fn stopped(reason: impl Into<String>) -> Unavailable {
    Unavailable::Stopped {
        reason: reason.into(),
    }
}

/// Seconds since 1970, for the jump rule.
#[expect(
    clippy::disallowed_methods,
    reason = "the jump rule may refuse by the clock, never allow"
)]
pub(super) fn unix_seconds() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
