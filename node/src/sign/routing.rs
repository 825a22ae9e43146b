//! Where a request is decided: here if this node leads, else one hop away.

use std::sync::Arc;
use std::time::Duration;

use raft_store::mutant::{self, Mutant};
use raft_store::runtime;
use tokio::time::{Instant, timeout_at};

use super::SignPath;
use super::ask::Ask;
use super::hold::Held;
use super::seam::Peers;
use super::trail::Trail;
use crate::admission::Admission;
use crate::answer::{Failed, Reply};
use crate::metrics::Via;
use crate::telemetry::Decision;

impl<P: Peers> SignPath<P> {
    /// Answers a request that came to this node, here or through the leader.
    pub async fn request(self: &Arc<Self>, ask: Ask) -> Reply {
        self.in_own_task(ask, None, self.deadline).await
    }

    /// Answers a request that node `from` forwarded, here or not at all: one hop.
    pub async fn forwarded(self: &Arc<Self>, ask: Ask, from: u64, remaining: Duration) -> Reply {
        self.in_own_task(ask, Some(from), remaining.min(self.deadline))
            .await
    }

    /// The cluster as this path sees it.
    pub const fn peers(&self) -> &P {
        &self.peers
    }

    /// How many requests are in work; a drain waits for none.
    pub const fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The request runs in a task of its own: a baker that hangs up, or a deadline that passes,
    /// does not drop a grant half way (R23). Its place is taken until that task has ended.
    async fn in_own_task(self: &Arc<Self>, ask: Ask, from: Option<u64>, within: Duration) -> Reply {
        let now = Instant::now();
        let deadline = now.checked_add(within).unwrap_or(now);
        let place = match self.admission.admit(ask.key()) {
            Ok(place) => place,
            Err(full) => return self.leave(&Trail::new(&ask, from), Failed::from(full).into()),
        };
        let path = Arc::clone(self);
        let task = runtime::spawn(async move {
            let _place = place;
            match from {
                None => path.somewhere(&ask, deadline).await,
                Some(_) => path.here(&ask, from, deadline).await,
            }
        });
        match timeout_at(deadline, task).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(ended)) => {
                tracing::error!(%ended, "a request's task ended without an answer");
                Failed::Bug {
                    place: "the sign path".to_owned(),
                }
                .into()
            }
            Err(_elapsed) => Failed::OutOfTime.into(),
        }
    }

    /// Leader? Decide here. Else forward, to one leader after the other until the deadline: the
    /// same bytes get the same signature (P3), so asking twice is safe.
    async fn somewhere(&self, ask: &Ask, deadline: Instant) -> Reply {
        let trail = Trail::new(ask, None);
        let mut held = Held::default();
        loop {
            let leader = match self.hold.leader(&self.peers, &mut held, deadline).await {
                Ok(leader) => leader,
                Err(failed) => return self.leave(&trail, failed.into()),
            };
            let reply = if leader == self.peers.me() || mutant::active(Mutant::FollowerSigns) {
                self.here(ask, None, deadline).await
            } else {
                self.there(leader, ask, deadline, &trail).await
            };
            if let Reply::Failed(Failed::NotLeader { .. }) = reply {
                let another = self.hold.another(&self.peers, leader, &mut held, deadline);
                if let Err(failed) = another.await {
                    return self.leave(&trail, failed.into());
                }
                continue;
            }
            // The slot is granted again to whoever leads next (R30, R31).
            if let Reply::Failed(Failed::CannotSign {
                elsewhere: true, ..
            }) = reply
                && self
                    .hold
                    .another(&self.peers, leader, &mut held, deadline)
                    .await
                    .is_ok()
            {
                continue;
            }
            if reply != Reply::Failed(Failed::OutOfTime) {
                self.hold.renew();
            }
            return reply;
        }
    }

    /// One hop to the leader, given up as soon as another one leads.
    async fn there(&self, leader: u64, ask: &Ask, deadline: Instant, trail: &Trail<'_>) -> Reply {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let another = self
            .peers
            .leader_where(|led_by| led_by.is_some_and(|other| other != leader));
        let forwarded = tokio::select! {
            // In this order, so that a simulation goes the same way every time.
            biased;
            forwarded = self.peers.forward(leader, ask, remaining) => forwarded,
            leader = another => return Failed::NotLeader { leader }.into(),
        };
        match forwarded {
            Ok(reply) => {
                self.metrics
                    .answered(trail.label, &reply, Via::Leader, trail.started.elapsed());
                reply
            }
            Err(unreached) => {
                tracing::debug!(%unreached, "a request could not be forwarded");
                Failed::NotLeader {
                    leader: Some(leader),
                }
                .into()
            }
        }
    }

    /// Decides here.
    async fn here(&self, ask: &Ask, from: Option<u64>, deadline: Instant) -> Reply {
        let mut trail = Trail::new(ask, from);
        let decided = match ask {
            Ask::Sign(sign) => self.sign(sign, deadline, &mut trail).await,
            Ask::Prove(prove) => self.prove(prove, deadline, &mut trail).await,
        };
        self.leave(
            &trail,
            decided.unwrap_or_else(|nothing_leaves| nothing_leaves),
        )
    }

    /// Counts the decision and leaves its audit line.
    fn leave(&self, trail: &Trail<'_>, reply: Reply) -> Reply {
        let took = trail.started.elapsed();
        let via = if trail.from.is_some() {
            Via::Peer
        } else {
            Via::Here
        };
        self.metrics.answered(trail.label, &reply, via, took);
        let decision = Decision {
            key: &trail.key,
            label: trail.label,
            message: trail.message,
            digest: trail.digest,
            reply: &reply,
            node: self.peers.me(),
            forwarded_by: trail.from,
            entry: trail.entry,
            took,
        };
        decision.log();
        if let Reply::Refused(refused) = &reply {
            trail.refused(refused, self.peers.ledger().witness());
        }
        reply
    }
}
