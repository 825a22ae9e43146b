//! What health is judged by, and metrics and status are made of: a look at this node, now.

use std::collections::BTreeMap;
use std::time::Duration;

/// A look at one node of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The id of this node, once it is part of a cluster.
    pub me: Option<u64>,
    /// The voters' ids.
    pub voters: Vec<u64>,
    /// The leader, as far as this node has heard.
    pub leader: Option<u64>,
    /// The current term.
    pub term: u64,
    /// The newest committed index this node knows.
    pub committed: Option<u64>,
    /// The newest index applied here.
    pub applied: Option<u64>,
    /// On a leader: how long ago a majority last acknowledged it.
    pub quorum_ack_age: Option<Duration>,
    /// The other nodes.
    pub peers: BTreeMap<u64, PeerFacts>,
    /// Why the store cannot be written, if it cannot.
    pub store_fault: Option<String>,
    /// Whether this node is on its way out.
    pub draining: bool,
    /// Whether the cluster was recovered and is not unlocked yet.
    pub locked: bool,
    /// How many keys are enrolled and enabled.
    pub keys_enabled: usize,
    /// How many of those this node has a usable secret for.
    pub keys_usable: usize,
}

/// Another node, as this one sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerFacts {
    /// How long ago it last said hello.
    pub hello_age: Option<Duration>,
    /// Why it is not trusted, if it is not.
    pub suspect: Option<String>,
}

/// Tells the facts of one node. It must not wait for anything.
pub trait Source: Send + Sync + 'static {
    /// How things stand now.
    fn facts(&self) -> Facts;
}

impl<F: Fn() -> Facts + Send + Sync + 'static> Source for F {
    fn facts(&self) -> Facts {
        self()
    }
}
