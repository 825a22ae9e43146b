//! What a node tells of itself, its keys, and its peers.

use std::collections::BTreeMap;
use std::time::Duration;

use raft_store::types::Member;

use super::Admin;
use super::words::{Enrolled, KeyReport, KeyReports, NodeReport, Status};
use crate::cluster::{PeerView, View};

/// This node, and every other as this one sees it.
pub(super) fn status(admin: &Admin) -> Status {
    let view = admin.cluster.view().borrow().clone();
    let identity = admin.cluster.folder().identity();
    let nodes = view
        .members
        .iter()
        .map(|(id, member)| node(admin, &view, *id, member));
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        formed: view.cluster.is_some(),
        cluster_id: view.cluster.map(hex::encode),
        me: view.me,
        line: format!("{}#{}", admin.address, identity.fingerprint()),
        leader: view.leader,
        term: view.term,
        quorum_ack_ms: view.quorum_ack_at.map(|at| milliseconds(at.elapsed())),
        fsync_us: microseconds(view.last_fsync),
        heartbeat_ms: milliseconds(admin.times.heartbeat),
        nodes: nodes.collect(),
        warnings: warnings(admin, &view),
    }
}

/// Every key that is enrolled, and every key whose secret is here.
pub(super) fn keys(admin: &Admin) -> KeyReports {
    let loaded = admin.keyring.public_keys();
    let mut reports: BTreeMap<_, _> = loaded
        .into_iter()
        .map(|public_key| {
            let public_key_hash = public_key.hash();
            let report = KeyReport {
                public_key_hash,
                public_key,
                loaded: true,
                enrolled: None,
            };
            (public_key_hash, report)
        })
        .collect();
    let Some(ledger) = admin.cluster.ledger() else {
        return KeyReports {
            applied: 0,
            locked: false,
            keys: reports.into_values().collect(),
        };
    };
    let state = ledger.state();
    for (hash, key) in &state.keys {
        let report = reports.entry(*hash).or_insert_with(|| KeyReport {
            public_key_hash: *hash,
            public_key: key.public_key.clone(),
            loaded: false,
            enrolled: None,
        });
        report.enrolled = Some(Enrolled::of(key));
    }
    KeyReports {
        applied: state.applied().map_or(0, |id| id.index),
        locked: state.locked,
        keys: reports.into_values().collect(),
    }
}

fn node(admin: &Admin, view: &View, id: u64, member: &Member) -> NodeReport {
    let own = view.me == Some(id);
    let peer = view.peers.get(&id);
    let hello = peer.and_then(|peer| peer.hello.as_ref());
    let heard = own
        || peer
            .and_then(PeerView::age)
            .is_some_and(|age| age < admin.fresh());
    let role = match (view.leader == Some(id), heard) {
        (true, true) => "leader",
        (false, true) => "follower",
        (_, false) => "unknown",
    };
    let ability = admin.ability.borrow().clone();
    NodeReport {
        id,
        address: member.address.clone(),
        fingerprint: member.fingerprint,
        role: role.to_owned(),
        applied: if own {
            view.applied
        } else {
            hello.and_then(|hello| hello.applied)
        },
        boot: match own {
            true => Some(admin.cluster.folder().boot().counter),
            false => hello.map(|hello| hello.boot.counter),
        },
        hello_ms: peer.and_then(PeerView::age).map(milliseconds),
        suspect: peer.and_then(|peer| peer.suspect.clone()),
        trouble: peer.and_then(|peer| peer.refuses_us.clone().or_else(|| peer.trouble.clone())),
        can_sign: match own {
            true => ability.can_sign,
            false => hello
                .map(|hello| hello.can_sign.clone())
                .unwrap_or_default(),
        },
        draining: match own {
            true => ability.draining,
            false => hello.is_some_and(|hello| hello.draining),
        },
        formats: match own {
            true => vec![raft_store::command::FORMAT],
            false => hello.map(|hello| hello.formats.clone()).unwrap_or_default(),
        },
    }
}

/// What does not hold of what the times assume, and who is missing.
fn warnings(admin: &Admin, view: &View) -> Vec<String> {
    let mut warnings = Vec::new();
    if view.cluster.is_some() && view.leader.is_none() {
        warnings.push("no leader: requests are answered 502 until there is one".to_owned());
    }
    for (id, peer) in &view.peers {
        if let Some(suspect) = &peer.suspect {
            warnings.push(format!("node {id} is not believed: {suspect}"));
        }
        if let Some(refusal) = &peer.refuses_us {
            warnings.push(format!("node {id} does not believe this node: {refusal}"));
        }
        if peer.age().is_none_or(|age| age >= admin.fresh()) {
            let why = peer.trouble.as_deref().unwrap_or("it does not answer");
            warnings.push(format!("node {id} was not heard of lately: {why}"));
        }
    }
    let beat = view.last_fsync.saturating_mul(2);
    if beat > admin.times.heartbeat {
        warnings.push(format!(
            "twice the last fsync of the log is {beat:.1?}, above the heartbeat of \
             {:?}: raise times.heartbeat_ms and the times above it on every node",
            admin.times.heartbeat
        ));
    }
    warnings
}

impl Admin {
    /// How long a peer counts as heard after its last hello.
    fn fresh(&self) -> Duration {
        self.times.hello_every.saturating_mul(4)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `None` for a time that was not measured yet.
fn microseconds(time: Duration) -> Option<u64> {
    (!time.is_zero()).then(|| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
