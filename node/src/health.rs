//! Whether this node lives, can get a signature now, and leads: for balancers, orchestrators and
//! people, on a port of its own.
//!
//! A follower that can forward is ready: that keeps every node in a balancer's pool and hides an
//! election from it. What is judged is cached, so that a probe costs nothing and asks nobody.

mod facts;
mod judge;
mod ops;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use raft_store::runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::config::Times;

pub use facts::{Facts, PeerFacts, Source};
pub use judge::{Check, Health, Judge, Role};
pub use ops::{Ops, serve_ops};

/// How often health is judged anew.
const JUDGED_EVERY: Duration = Duration::from_millis(250);

/// How long the runtime may go without a tick before it counts as stuck. A restart is the cure, so
/// this is far above any stall that passes by itself.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Judges health in the background. Cheap to clone; ends with the last clone.
#[derive(Debug, Clone)]
pub struct Monitor {
    health: watch::Receiver<Health>,
    pulse: Arc<Pulse>,
    _task: Arc<Ending>,
}

/// When the runtime last came round.
#[derive(Debug)]
struct Pulse {
    since: Instant,
    last_ms: AtomicU64,
}

#[derive(Debug)]
struct Ending(JoinHandle<()>);

impl Monitor {
    /// Starts judging what `source` tells.
    pub fn start(source: impl Source, times: &Times) -> Self {
        let mut judge = Judge::new(times);
        let (sender, health) = watch::channel(judge.judge(&source.facts(), Instant::now()));
        let pulse = Arc::new(Pulse {
            since: Instant::now(),
            last_ms: AtomicU64::new(0),
        });
        let beating = Arc::clone(&pulse);
        let task = runtime::spawn(async move {
            let mut ticks = interval(JUDGED_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !sender.is_closed() {
                ticks.tick().await;
                beating.beat();
                sender.send_replace(judge.judge(&source.facts(), Instant::now()));
            }
        });
        Self {
            health,
            pulse,
            _task: Arc::new(Ending(task)),
        }
    }

    /// The newest judgement.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// Every judgement as it is made.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Whether the runtime turns. It never looks at peers, disk or secrets: a restart heals none
    /// of those.
    #[must_use]
    pub fn lives(&self) -> bool {
        self.pulse.age() < STUCK_AFTER
    }
}

impl Pulse {
    fn beat(&self) {
        let now_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now_ms, Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(last)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}
