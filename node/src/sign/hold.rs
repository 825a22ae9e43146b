//! Waiting for a leader, once. An election takes less than the hold, so a request that meets one is
//! held and then answered; but with the majority gone every request would wait for nothing. So a
//! node that has waited for one full hold answers at once, until it hears of a leader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use raft_store::runtime;
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

/// The hold of one request. It begins when the request first finds nobody to decide it, so that a
/// leader that dies late is still followed by the next one.
#[derive(Debug, Default)]
pub(super) struct Held {
    since: Option<Instant>,
}

/// How long a leader that did not answer is left alone, unless another one leads first.
const RETRY_AFTER: Duration = Duration::from_millis(50);

impl Hold {
    /// `limit` is longer than an election.
    pub(super) fn new(limit: Duration, peers: impl Peers) -> Self {
        let exhausted = Arc::new(AtomicBool::new(false));
        let renewal = runtime::spawn(renew(peers, Arc::clone(&exhausted)));
        Self {
            limit,
            exhausted,
            renewal,
        }
    }

    /// The leader, as far as this node has heard: it may be gone.
    pub(super) async fn leader(
        &self,
        peers: &impl Peers,
        held: &mut Held,
        deadline: Instant,
    ) -> Result<u64, Failed> {
        // A leader that is known already costs no wait and begins no hold.
        let known = timeout_at(
            Instant::now(),
            peers.leader_where(|leader| leader.is_some()),
        );
        if let Ok(Some(leader)) = known.await {
            return Ok(leader);
        }
        let until = self.end(held).min(deadline);
        match timeout_at(until, peers.leader_where(|leader| leader.is_some())).await {
            Ok(Some(leader)) => Ok(leader),
            Ok(None) | Err(_) => Err(self.give_up(held)),
        }
    }

    /// The leader did not answer, or does not lead. Waits a moment, or until another one leads.
    ///
    /// # Errors
    /// [`Failed::NoLeader`] once the hold is over.
    pub(super) async fn another(
        &self,
        peers: &impl Peers,
        leader: u64,
        held: &mut Held,
        deadline: Instant,
    ) -> Result<(), Failed> {
        let end = self.end(held).min(deadline);
        if Instant::now() >= end {
            return Err(self.give_up(held));
        }
        let retry = Instant::now()
            .checked_add(RETRY_AFTER)
            .unwrap_or(end)
            .min(end);
        let another = peers.leader_where(|led_by| led_by.is_some_and(|other| other != leader));
        // Either way the caller looks again.
        drop(timeout_at(retry, another).await);
        Ok(())
    }

    /// Somebody decided: there is a leader.
    pub(super) fn renew(&self) {
        self.exhausted.store(false, Ordering::Relaxed);
    }

    /// When this request stops waiting for a leader.
    fn end(&self, held: &mut Held) -> Instant {
        let since = *held.since.get_or_insert_with(Instant::now);
        if self.exhausted.load(Ordering::Relaxed) {
            return since;
        }
        since.checked_add(self.limit).unwrap_or(since)
    }

    fn give_up(&self, held: &Held) -> Failed {
        let waited = held.since.map_or(Duration::ZERO, |since| since.elapsed());
        // A request with little time left proves nothing about the election.
        if waited >= self.limit {
            self.exhausted.store(true, Ordering::Relaxed);
        }
        let held_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        Failed::NoLeader { held_ms }
    }
}

/// Every leader that is heard of renews the hold, also one that nobody asked for anything.
async fn renew(peers: impl Peers, exhausted: Arc<AtomicBool>) {
    loop {
        let leader = peers.leader_where(|leader| leader.is_some()).await;
        exhausted.store(false, Ordering::Relaxed);
        peers.leader_where(|led_by| led_by != leader).await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}
