//! The judgement: pure, from facts and the time of the last leader.

use std::time::Duration;

use tokio::time::Instant;

use super::facts::Facts;
use crate::config::Times;

/// What this node is worth to a baker now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What this node is to the cluster.
    pub role: Role,
    /// The checks that fail. A node without one is ready.
    pub failed: Vec<Check>,
    /// Whether it leads, a majority has just said so, and it can sign here and now.
    pub leads: bool,
}

/// What a node is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Not formed yet.
    Unformed,
    /// It knows no leader.
    Leaderless,
    /// It forwards.
    Follower,
    /// It decides and signs.
    Leader,
}

/// One thing that readiness needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The node is a voter of a cluster.
    Voter,
    /// It is not on its way out.
    Serving,
    /// The cluster is not locked.
    Unlocked,
    /// The store can be written.
    Store,
    /// A leader is there, or was a moment ago: one election does not count.
    Leader,
    /// On a leader: it has a usable secret of some enabled key.
    Keys,
}

impl Health {
    /// Whether this node can get a signature now, by itself or by forwarding.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.failed.is_empty()
    }
}

impl Check {
    /// Every check.
    pub const ALL: [Self; 6] = [
        Self::Voter,
        Self::Serving,
        Self::Unlocked,
        Self::Store,
        Self::Leader,
        Self::Keys,
    ];

    /// The check as `/readyz/<check>` and metrics name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Voter => "voter",
            Self::Serving => "serving",
            Self::Unlocked => "unlocked",
            Self::Store => "store",
            Self::Leader => "leader",
            Self::Keys => "keys",
        }
    }
}

impl Role {
    /// One word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unformed => "unformed",
            Self::Leaderless => "leaderless",
            Self::Follower => "follower",
            Self::Leader => "leader",
        }
    }
}

/// Judges facts, and remembers when there last was a leader.
#[derive(Debug)]
pub struct Judge {
    grace: Duration,
    ack_age_max: Duration,
    hello_age_max: Duration,
    last_led: Option<Instant>,
}

impl Judge {
    /// All its durations derive from the one table.
    #[must_use]
    pub const fn new(times: &Times) -> Self {
        Self {
            grace: times.no_leader_grace,
            ack_age_max: times.election_max.saturating_mul(2),
            hello_age_max: times.hello_every.saturating_mul(4),
            last_led: None,
        }
    }

    /// Judges the facts of this moment.
    pub fn judge(&mut self, facts: &Facts, now: Instant) -> Health {
        let role = role(facts);
        let led = self.is_led(role, facts);
        if led {
            self.last_led = Some(now);
        }
        let can_sign = facts.keys_usable > 0 || facts.keys_enabled == 0;
        let passes = |check: &Check| match check {
            Check::Voter => facts.me.is_some_and(|me| facts.voters.contains(&me)),
            Check::Serving => !facts.draining,
            Check::Unlocked => !facts.locked,
            Check::Store => facts.store_fault.is_none(),
            Check::Leader => self
                .last_led
                .is_some_and(|at| now.saturating_duration_since(at) < self.grace),
            Check::Keys => role != Role::Leader || can_sign,
        };
        let failed: Vec<Check> = Check::ALL
            .into_iter()
            .filter(|check| !passes(check))
            .collect();
        let ready = failed.is_empty();
        // Readiness has a grace after the last leader; leading has none.
        let leads = role == Role::Leader && led && ready;
        Health {
            role,
            failed,
            leads,
        }
    }

    /// A leader is led by its majority, a follower by a leader it can forward to.
    fn is_led(&self, role: Role, facts: &Facts) -> bool {
        match role {
            Role::Unformed | Role::Leaderless => false,
            Role::Leader => facts
                .quorum_ack_age
                .is_some_and(|age| age < self.ack_age_max),
            Role::Follower => {
                let leader = facts.leader.and_then(|leader| facts.peers.get(&leader));
                leader.is_some_and(|peer| {
                    peer.suspect.is_none()
                        && peer.hello_age.is_some_and(|age| age < self.hello_age_max)
                })
            }
        }
    }
}

fn role(facts: &Facts) -> Role {
    match (facts.me, facts.leader) {
        (None, _) => Role::Unformed,
        (Some(_), None) => Role::Leaderless,
        (Some(me), Some(leader)) if me == leader => Role::Leader,
        (Some(_), Some(_)) => Role::Follower,
    }
}
