//! The cluster as the sign path sees it, from the moment this node belongs to one.

use std::time::Duration;

use raft_store::ledger::Ledger;
use raft_store::rocks::RocksState;

use crate::answer::Reply;
use crate::cluster::Cluster;
use crate::sign::{Ask, Peers, Unreached};

/// The name under which requests for signatures are forwarded.
pub(super) const SIGN: &str = "sign";

/// This node as a member of a cluster. Cheap to clone.
#[derive(Clone)]
pub(super) struct Member {
    cluster: Cluster,
    me: u64,
    ledger: Ledger<RocksState>,
}

impl Member {
    /// `None` while the node belongs to no cluster.
    pub(super) fn of(cluster: &Cluster) -> Option<Self> {
        let ledger = cluster.ledger()?.clone();
        let me = cluster.folder().identity().cluster()?.me;
        Some(Self {
            cluster: cluster.clone(),
            me,
            ledger,
        })
    }
}

impl Peers for Member {
    type Disk = RocksState;

    fn me(&self) -> u64 {
        self.me
    }

    fn ledger(&self) -> &Ledger<RocksState> {
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

    async fn forward(&self, to: u64, ask: &Ask, remaining: Duration) -> Result<Reply, Unreached> {
        let forwarded = self.cluster.forward(to, SIGN, ask, remaining).await;
        forwarded.map_err(|error| Unreached {
            node: to,
            reason: error.to_string(),
        })
    }
}
