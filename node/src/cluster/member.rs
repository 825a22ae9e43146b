//! A node that belongs to a cluster: its consensus, its ledger, and what it says of itself.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use openraft::Instant as _;
use openraft::async_runtime::WatchReceiver as _;
use raft_store::command::FORMAT;
use raft_store::ground::{Ground, LogDisk as _};
use raft_store::hello::Hello;
use raft_store::identity::ClusterBinding;
use raft_store::ledger::Ledger;
use raft_store::types::{Member, Raft};
use tokio::time::Instant;

use super::Inner;
use super::view::{PeerView, View};
use crate::peers::standing::{Greeting, Verdict};

/// What runs once a node belongs to a cluster.
pub(super) struct Consensus<G: Ground> {
    pub(super) binding: ClusterBinding,
    pub(super) raft: Raft<G::State>,
    pub(super) ledger: Ledger<G::State>,
    pub(super) log: G::Log,
}

impl<G: Ground> Consensus<G> {
    /// The members as the membership has them; as the binding does before the first one is known.
    pub(super) fn members(&self) -> BTreeMap<u64, Member> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let members: BTreeMap<_, _> = membership
            .nodes()
            .map(|(id, member)| (*id, member.clone()))
            .collect();
        if members.is_empty() {
            self.binding.members.clone()
        } else {
            members
        }
    }
}

/// openraft keeps its instants to itself; how long ago they were it tells.
fn ago(elapsed: Duration) -> Option<Instant> {
    Instant::now().checked_sub(elapsed)
}

impl<G: Ground> Inner<G> {
    /// This node's next hello. One at a time, so that a later one never says less than an earlier.
    ///
    /// What is read first is what the rest may only exceed: an entry is durable before it counts as
    /// reached, and is applied before its grant is outstanding.
    pub(super) fn greet(&self, consensus: &Consensus<G>) -> Greeting {
        let mut sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        *sequence = sequence.saturating_add(1);
        let ability = self.ability.borrow().clone();
        let (log, ledger) = (&consensus.log, &consensus.ledger);
        let committed = log.reached();
        let durable = log.durable();
        let applied = ledger.state().applied().map(|id| id.index);
        let hello = Hello {
            cluster: consensus.binding.cluster_id,
            incarnation: self.folder.fingerprint(),
            boot: self.folder.boot(),
            committed,
            durable,
            applied,
            outstanding: ledger.outstanding(),
            vote: log.vote(),
            formats: (1..=FORMAT).collect(),
            can_sign: ability.can_sign,
            power: ability.power,
            disk: ability.disk,
            draining: ability.draining,
        };
        Greeting {
            sequence: *sequence,
            hello,
        }
    }

    /// What this node sees now.
    pub(super) fn look(&self, consensus: &Consensus<G>) -> View {
        let metrics = consensus.raft.metrics().borrow_watched().clone();
        let me = consensus.binding.me;
        let members = consensus.members();
        let membership = metrics.membership_config.membership();
        let standing = self.standing.peers();
        let peers = members.keys().filter(|id| **id != me).map(|id| {
            let state = standing.get(id).cloned().unwrap_or_default();
            let matched = metrics.replication.as_ref().and_then(|all| all.get(id));
            let refuses = state
                .judged_us
                .as_ref()
                .and_then(|opinion| opinion.verdict.reason());
            let peer = PeerView {
                refuses_us: refuses.map(str::to_owned),
                hello: state.hello,
                heard_at: state.heard_at,
                round_trip: state.round_trip,
                suspect: state.suspect,
                trouble: state.trouble,
                matched: matched.and_then(|id| id.as_ref()).map(|id| id.index),
            };
            (*id, peer)
        });
        View {
            me: Some(me),
            cluster: Some(consensus.binding.cluster_id),
            leader: metrics.current_leader,
            term: metrics.current_term,
            is_leader: metrics.current_leader == Some(me),
            quorum_ack_at: metrics.last_quorum_acked.and_then(|at| ago(at.elapsed())),
            last_log: metrics.last_log_index,
            applied: metrics.last_applied.map(|id| id.index),
            committed: metrics.local_committed.map(|id| id.index),
            last_fsync: consensus.log.last_fsync(),
            voters: membership.voter_ids().collect(),
            peers: peers.collect(),
            members: members.clone(),
        }
    }

    /// A peer that remembers more of this node than this node does is right: its disk went back.
    pub(super) fn take_to_heart(&self, peer: u64, verdict: &Verdict) {
        let folder = self.folder.place();
        if let Verdict::Suspect(reason) = verdict {
            self.stop(super::Stop::damaged(format!(
                "node {peer} remembers more of this node than {folder} does: {reason}; do not start \
                 it again; the others go on: see `quorate cluster status` there"
            )));
        }
    }
}
