//! Waiting for a leader, once. An election takes less than the hold, so a request that meets one is
//! held and then answered; but with the majority gone every request would wait for nothing. So a
//! node that has waited for one full hold answers at once, until it hears of a leader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::seam::Peers;
use crate::answer::Failed;

/// How long this node still waits for a leader.
#[derive(Debug)]
pub(super) struct Hold {
    limit: Duration,
    exhausted: Arc<AtomicBool>,
    renewal: JoinHandle<()>,
}

/// How long a leader that did not answer is left alone, unless another one leads first.
const RETRY_AFTER: Duration = Duration::from_millis(50);

impl Hold {
    /// `limit` is longer than an election.
    pub(super) fn new(limit: Duration, peers: impl Peers) -> Self {
        let exhausted = Arc::new(AtomicBool::new(false));
        let renewal = tokio::spawn(renew(peers, Arc::clone(&exhausted)));
        Self {
            limit,
            exhausted,
            renewal,
        }
    }

    /// The leader, waited for within the hold and the deadline.
    pub(super) async fn leader(
        &self,
        peers: &impl Peers,
        deadline: Instant,
    ) -> Result<u64, Failed> {
        let started = Instant::now();
        let full = started.checked_add(self.limit).unwrap_or(deadline);
        let until = if self.exhausted.load(Ordering::Relaxed) {
            started
        } else {
            full.min(deadline)
        };
        match timeout_at(until, peers.leader_where(|leader| leader.is_some())).await {
            Ok(Some(leader)) => Ok(leader),
            Ok(None) | Err(_) => {
                // A request that arrived with little time left proves nothing about the election.
                if started.elapsed() >= self.limit {
                    self.exhausted.store(true, Ordering::Relaxed);
                }
                let held_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                Err(Failed::NoLeader { held_ms })
            }
        }
    }

    /// Waits a moment, or until a node other than `leader` leads.
    pub(super) async fn another(&self, peers: &impl Peers, leader: u64, deadline: Instant) {
        let now = Instant::now();
        let until = now
            .checked_add(RETRY_AFTER)
            .unwrap_or(deadline)
            .min(deadline);
        let another = peers.leader_where(|led_by| led_by.is_some_and(|other| other != leader));
        // Either way the caller looks again.
        drop(timeout_at(until, another).await);
    }
}

/// Every leader that is heard of renews the hold, also one that nobody asked for anything.
async fn renew(peers: impl Peers, exhausted: Arc<AtomicBool>) {
    loop {
        peers.leader_where(|leader| leader.is_some()).await;
        exhausted.store(false, Ordering::Relaxed);
        peers.leader_where(|leader| leader.is_none()).await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}
