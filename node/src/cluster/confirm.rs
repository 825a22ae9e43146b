//! Reading what is agreed: this node's state may be an old one, so the leader is asked how far the log
//! has come.

use std::sync::Arc;

use raft_store::ground::Ground;
use raft_store::ledger::Unavailable;
use tokio::time::Instant;

use super::{Cluster, Hop};

/// The name under which peers are asked.
const CONFIRM: &str = "confirm";

impl<G: Ground> Cluster<G> {
    /// Waits until this node has applied everything that was committed when this was called, as a leader
    /// that a majority confirmed has it; at most until `deadline`.
    ///
    /// # Errors
    /// [`Unavailable`]: then this node's state may be an old one.
    pub async fn confirm(&self, deadline: Instant) -> Result<(), Unavailable> {
        let leader = self.wait_for_leader(deadline).await;
        let (Some(ledger), Some(leader)) = (self.ledger(), leader) else {
            return Err(Unavailable::NotLeader { leader: None });
        };
        let me = self.0.consensus.get().map(|consensus| consensus.binding.me);
        if Some(leader) == me {
            return ledger.confirm(deadline).await;
        }
        let remaining = deadline.saturating_duration_since(Instant::now());
        let answer: Result<Option<u64>, Unavailable> = self
            .forward(leader, CONFIRM, &(), remaining)
            .await
            .unwrap_or(Err(Unavailable::NotLeader { leader: None }));
        match answer? {
            Some(index) if !ledger.applied(index, deadline).await => Err(Unavailable::OutOfTime),
            Some(_) | None => Ok(()),
        }
    }

    /// Answers the peers that ask.
    pub(super) fn take_questions(&self) {
        let weak = Arc::downgrade(&self.0);
        self.route(CONFIRM, move |hop: Hop, (): ()| {
            let inner = weak.upgrade();
            async move {
                let stopped = || Unavailable::Stopped {
                    reason: "shut down".to_owned(),
                };
                let cluster = Self(inner.ok_or_else(stopped)?);
                let ledger = cluster.ledger().ok_or_else(stopped)?;
                let now = Instant::now();
                ledger
                    .confirm(now.checked_add(hop.remaining).unwrap_or(now))
                    .await?;
                Ok::<_, Unavailable>(ledger.state().applied().map(|id| id.index))
            }
        });
    }
}
