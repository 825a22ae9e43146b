//! What the sign path needs of the cluster: so little that a simulated network can be one too.

use std::future::Future;
use std::time::Duration;

use raft_store::ledger::Ledger;
use raft_store::machine::StateDisk;
use tezos::PublicKeyHash;

use super::ask::Ask;
use crate::answer::Reply;

/// The nodes of a cluster, as one of them sees them. Cheap to clone.
pub trait Peers: Clone + Send + Sync + 'static {
    /// Where this node's applied state lives.
    type Disk: StateDisk;

    /// The id of this node.
    fn me(&self) -> u64;

    /// The ledger of this node.
    fn ledger(&self) -> &Ledger<Self::Disk>;

    /// Waits until the leader this node has heard of, if any, fits, and returns it. It never
    /// returns once the cluster has stopped; a deadline bounds it.
    fn leader_where(
        &self,
        fits: impl Fn(Option<u64>) -> bool + Send + Sync,
    ) -> impl Future<Output = Option<u64>> + Send;

    /// Whether this node, if it leads and cannot sign with `key`, hands over to one that can.
    fn would_hand_over(&self, key: &PublicKeyHash) -> bool;

    /// Asks node `to`, which answers within `remaining` and asks nobody else.
    ///
    /// # Errors
    /// [`Unreached`]; the other node may still have been asked.
    fn forward(
        &self,
        to: u64,
        ask: &Ask,
        remaining: Duration,
    ) -> impl Future<Output = Result<Reply, Unreached>> + Send;
}

/// No answer from another node. Whether it has signed is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node {node} did not answer: {reason}")]
pub struct Unreached {
    /// The node that was asked.
    pub node: u64,
    /// What the transport said.
    pub reason: String,
}
