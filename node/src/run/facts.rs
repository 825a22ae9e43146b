//! How this node stands, for health, metrics and people.

use tokio::sync::watch;

use crate::cluster::{Ability, Cluster, PeerView};
use crate::health::{Facts, PeerFacts, Source};
use raft_store::hello::Disk;

/// What health is judged by.
pub(super) fn source(
    cluster: &Cluster,
    ability: watch::Receiver<Ability>,
    draining: watch::Receiver<bool>,
) -> impl Source + Clone {
    let cluster = cluster.clone();
    move || look(&cluster, &ability.borrow(), *draining.borrow())
}

fn look(cluster: &Cluster, ability: &Ability, draining: bool) -> Facts {
    let view = cluster.view().borrow().clone();
    let locked = cluster.ledger().is_some_and(|ledger| ledger.state().locked);
    let peer = |peer: &PeerView| PeerFacts {
        hello_age: peer.age(),
        suspect: peer.suspect.clone(),
    };
    Facts {
        me: view.me,
        voters: view.voters.iter().copied().collect(),
        leader: view.leader,
        term: view.term,
        committed: view.committed,
        applied: view.applied,
        quorum_ack_age: view.quorum_ack_at.map(|at| at.elapsed()),
        peers: view
            .peers
            .iter()
            .map(|(id, view)| (*id, peer(view)))
            .collect(),
        store_fault: match ability.disk {
            Disk::Full => Some("the disk is full".to_owned()),
            Disk::Healthy | Disk::Slow => None,
        },
        draining,
        locked,
        keys_enabled: ability.can_sign.len(),
        keys_usable: ability.can_sign.values().filter(|able| **able).count(),
    }
}
