//! The cluster as the sign path sees it, from the moment this node belongs to one.

use std::fmt;
use std::time::Duration;

use raft_store::folder::Folder;
use raft_store::ground::Ground;
use raft_store::ledger::Ledger;
use tezos::PublicKeyHash;

use crate::answer::Reply;
use crate::cluster::Cluster;
use crate::sign::{Ask, Peers, Unreached};

/// The name under which requests for signatures are forwarded.
pub(super) const SIGN: &str = "sign";

/// This node as a member of a cluster. Cheap to clone.
pub struct Member<G: Ground = Folder> {
    cluster: Cluster<G>,
    me: u64,
    ledger: Ledger<G::State>,
}

impl<G: Ground> Member<G> {
    /// `None` while the node belongs to no cluster.
    #[must_use]
    pub fn of(cluster: &Cluster<G>) -> Option<Self> {
        let ledger = cluster.ledger()?.clone();
        let me = cluster.folder().binding()?.me;
        Some(Self {
            cluster: cluster.clone(),
            me,
            ledger,
        })
    }

    /// The cluster.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster<G> {
        &self.cluster
    }
}

impl<G: Ground> Clone for Member<G> {
    fn clone(&self) -> Self {
        Self {
            cluster: self.cluster.clone(),
            me: self.me,
            ledger: self.ledger.clone(),
        }
    }
}

impl<G: Ground> fmt::Debug for Member<G> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Member({} of {:?})", self.me, self.cluster)
    }
}

impl<G: Ground> Peers for Member<G> {
    type Disk = G::State;

    fn me(&self) -> u64 {
        self.me
    }

    fn ledger(&self) -> &Ledger<G::State> {
        &self.ledger
    }

    async fn leader_where(&self, fits: impl Fn(Option<u64>) -> bool + Send + Sync) -> Option<u64> {
        let mut view = self.cluster.view();
        let fitting = view.wait_for(|view| fits(view.leader)).await;
        match fitting.map(|view| view.leader) {
            Ok(leader) => leader,
            // The cluster has ended: nobody leads any more, and the deadline is the caller's.
            Err(_ended) => std::future::pending().await,
        }
    }

    fn would_hand_over(&self, key: &PublicKeyHash) -> bool {
        self.cluster.would_hand_over(key)
    }

    async fn forward(&self, to: u64, ask: &Ask, remaining: Duration) -> Result<Reply, Unreached> {
        let forwarded = self.cluster.forward(to, SIGN, ask, remaining).await;
        forwarded.map_err(|error| Unreached {
            node: to,
            reason: error.to_string(),
        })
    }
}
