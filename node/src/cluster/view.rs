//! What this node sees of its cluster, for routing, health, metrics and `status`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use raft_store::hello::Hello;
use raft_store::types::Member;
use tokio::time::Instant;

/// What this node sees now. It permits nothing: permission is a committed entry.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// This node's id, once it belongs to a cluster.
    pub me: Option<u64>,
    /// The cluster, once this node belongs to one.
    pub cluster: Option<[u8; 16]>,
    /// Who leads, as far as this node knows. It may be gone already.
    pub leader: Option<u64>,
    /// The term of the vote this node holds.
    pub term: u64,
    /// Whether this node leads, as far as it knows.
    pub is_leader: bool,
    /// When a majority last acknowledged this leader; none on a follower, and on a leader that
    /// nobody acknowledged yet.
    pub quorum_ack_at: Option<Instant>,
    /// The index of the last entry in this node's log.
    pub last_log: Option<u64>,
    /// The index of the last entry this node applied.
    pub applied: Option<u64>,
    /// The index of the last entry this node knows to be committed.
    pub committed: Option<u64>,
    /// How long the last fsync of the log took.
    pub last_fsync: Duration,
    /// The members, as the membership has them.
    pub members: BTreeMap<u64, Member>,
    /// Those of them that vote.
    pub voters: BTreeSet<u64>,
    /// The other members, and what is known of them.
    pub peers: BTreeMap<u64, PeerView>,
}

/// What this node knows of one peer.
#[derive(Clone, Debug, Default)]
pub struct PeerView {
    /// Its last hello that was believed.
    pub hello: Option<Hello>,
    /// When that came.
    pub heard_at: Option<Instant>,
    /// How long the last exchange of hellos with it took, from this side.
    pub round_trip: Option<Duration>,
    /// Why it, or a second process with its key, is refused.
    pub suspect: Option<String>,
    /// Why it refuses this node.
    pub refuses_us: Option<String>,
    /// Why the last call to it failed.
    pub trouble: Option<String>,
    /// On a leader: the index up to which the peer has acknowledged the log.
    pub matched: Option<u64>,
}

impl PeerView {
    /// How long ago the peer was last heard.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.heard_at.map(|at| at.elapsed())
    }
}
