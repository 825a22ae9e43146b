//! What happens when consensus cannot decide: a failure, never a refusal, and never a grant.

use std::sync::Arc;
use std::time::Duration;

use raft_store::command::Refusal;
use raft_store::ledger::{Decision, Unavailable};
use raft_store::state::ReleaseMode;
use tezos::{Level, Round, Slot};
use tokio::time::Instant;

use crate::cluster::{
    Cluster, PATIENCE, ask, attestation, decided, grant, released, slotted, soon,
};
use crate::signers::{Randomised, ed25519};

#[tokio::test(flavor = "multi_thread")]
async fn r20_a_follower_decides_nothing_and_names_the_leader() {
    let (cluster, secret) = (Cluster::of(3).await, ed25519());
    let key = secret.public_key();
    cluster.enrol(key, ReleaseMode::AfterCommit).await;
    let leader = cluster.leader().await;
    for (_, node) in cluster.nodes.iter().filter(|(id, _)| **id != leader) {
        let error = ask(&node.ledger, key, attestation(10, 0, 1))
            .await
            .unwrap_err();
        assert_eq!(
            error,
            Unavailable::NotLeader {
                leader: Some(leader)
            }
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r15_without_a_majority_it_runs_out_of_time_and_the_slot_is_not_freed() {
    let (cluster, secret) = (Cluster::of(3).await, ed25519());
    let key = secret.public_key();
    cluster.enrol(key, ReleaseMode::AfterCommit).await;
    let leader = cluster.leader().await;
    let ledger = &cluster.nodes[&leader].ledger;
    // The followers are cut off while the leader still holds its lease, so the entry is appended.
    let asked = slotted(ledger, key, attestation(10, 0, 1));
    for id in cluster.nodes.keys().filter(|id| **id != leader) {
        cluster.wires.pull(*id);
    }
    let deadline = Instant::now() + Duration::from_millis(300);
    let error = ledger.advance(asked, deadline).await.unwrap_err();
    assert_eq!(error, Unavailable::OutOfTime);
    assert_eq!(ledger.outstanding(), None);
    let later = Instant::now() + Duration::from_millis(300);
    let asked = slotted(ledger, key, attestation(10, 0, 2));
    let error = ledger.advance(asked, later).await.unwrap_err();
    assert!(!matches!(error, Unavailable::Stopped { .. }), "{error:?}");
    cluster.wires.mend();
    // Whichever of the two was committed in the end, if any, only one of them ever is granted.
    let mut granted = 0;
    for of in [2, 1] {
        match decided(&cluster, key, &attestation(10, 0, of)).await {
            Decision::Grant(_) => granted += 1,
            Decision::Refused(Refusal::Conflict { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(granted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_a_deposed_leader_finishes_what_it_was_granted_and_gets_nothing_else() {
    let (cluster, mut secret) = (Cluster::of(3).await, Randomised::new());
    let key = secret.public_key();
    cluster.enrol(&key, ReleaseMode::AfterRecord).await;
    let old = cluster.leader().await;
    let ledger = cluster.nodes[&old].ledger.clone();
    let held = grant(&ledger, &key, attestation(10, 0, 1)).await;
    cluster.wires.pull(old);
    let (_, other) = cluster.nodes.iter().find(|(id, _)| **id != old).unwrap();
    let elected = |m: &openraft::RaftMetrics<raft_store::types::Types>| {
        m.current_leader.is_some_and(|id| id != old)
    };
    let metrics = other
        .raft
        .wait(Some(PATIENCE))
        .metrics(elected, "a new leader")
        .await
        .unwrap();
    let new = &cluster.nodes[&metrics.current_leader.unwrap()];
    new.ledger.confirm(soon()).await.unwrap();
    // The new leader refuses another message for the slot, and signs the same one.
    let conflict = ask(&new.ledger, &key, attestation(10, 0, 2)).await.unwrap();
    assert!(
        matches!(conflict, Decision::Refused(Refusal::Conflict { .. })),
        "{conflict:?}"
    );
    let again = grant(&new.ledger, &key, attestation(10, 0, 1)).await;
    let theirs = secret.sign(again.digest());
    let signed = again.seal(theirs.clone()).unwrap();
    released(new.ledger.release(signed, soon()).await.unwrap());
    // The old one wakes with its own signature, which has lost.
    let ours = secret.sign(held.digest());
    let soon_over = Instant::now() + Duration::from_millis(300);
    let outcome = ledger.release(held.seal(ours).unwrap(), soon_over).await;
    assert!(outcome.is_err(), "{outcome:?}");
    cluster.wires.mend();
    match decided(&cluster, &key, &attestation(10, 0, 1)).await {
        Decision::Replay(released) => assert_eq!(released.signature(), &theirs.normalised()),
        other => panic!("no replay but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_and_signatures_survive_a_power_cut_of_every_node() {
    let (mut cluster, mut secret) = (Cluster::of(3).await, Randomised::new());
    let key = secret.public_key();
    cluster.enrol(&key, ReleaseMode::AfterRecord).await;
    let signature = {
        let ledger = cluster.ledger().await;
        let grant = grant(ledger, &key, attestation(10, 0, 1)).await;
        let signature = secret.sign(grant.digest());
        let signed = grant.seal(signature).unwrap();
        let released = released(ledger.release(signed, soon()).await.unwrap());
        released.signature().clone()
    };
    for id in 1..=3 {
        let disk = cluster.kill(id).await;
        disk.power_cut();
        cluster.start(id, disk).await;
    }
    cluster.wires.mend();
    let slot = Slot::new(Level::new(10).unwrap(), Round::ZERO);
    match decided(&cluster, &key, &attestation(10, 0, 2)).await {
        Decision::Refused(refusal) => assert_eq!(refusal, Refusal::Conflict { slot }),
        other => panic!("not refused but {other:?}"),
    }
    match decided(&cluster, &key, &attestation(10, 0, 1)).await {
        Decision::Replay(released) => assert_eq!(released.signature(), &signature),
        other => panic!("no replay but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_of_conflicting_messages_from_many_tasks_exactly_one_wins_each_slot() {
    let (cluster, secret) = (Cluster::of(3).await, ed25519());
    let key = secret.public_key().clone();
    cluster.enrol(&key, ReleaseMode::AfterCommit).await;
    let ledger = cluster.ledger().await.clone();
    for level in 1..=20 {
        let asking: Vec<_> = (0..50u8)
            .map(|of| {
                let (ledger, key) = (ledger.clone(), key.clone());
                tokio::spawn(async move { ask(&ledger, &key, attestation(level, 0, of)).await })
            })
            .collect();
        let mut granted = 0;
        for task in asking {
            match task.await.unwrap().unwrap() {
                Decision::Grant(_) => granted += 1,
                Decision::Refused(Refusal::Conflict { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(granted, 1, "level {level}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_leader_is_asked_again_within_the_deadline_until_it_may_write() {
    let mut cluster = Cluster::of(3).await;
    let secret = ed25519();
    let key = secret.public_key().clone();
    cluster.enrol(&key, ReleaseMode::AfterCommit).await;
    let old = cluster.leader().await;
    let term = cluster.nodes[&old].term();
    drop(cluster.kill(old).await);
    let asked = Arc::new(tokio::sync::Notify::new());
    // Each survivor asks at the very moment it learns that it leads.
    let mut asking = tokio::task::JoinSet::new();
    for (id, node) in &cluster.nodes {
        let (id, ledger, raft, key, asked) = (
            *id,
            node.ledger.clone(),
            node.raft.clone(),
            key.clone(),
            Arc::clone(&asked),
        );
        asking.spawn(async move {
            let leads = |m: &openraft::RaftMetrics<raft_store::types::Types>| {
                m.current_term > term && m.state.is_leader() && m.current_leader == Some(id)
            };
            let wait = raft.wait(Some(PATIENCE));
            tokio::select! {
                led = wait.metrics(leads, "leads") => { led.unwrap(); }
                () = asked.notified() => return None,
            }
            let decision = ask(&ledger, &key, attestation(10, 0, 1)).await;
            asked.notify_waiters();
            Some(decision)
        });
    }
    let decisions: Vec<_> = asking.join_all().await.into_iter().flatten().collect();
    assert!(
        matches!(decisions.as_slice(), [Ok(Decision::Grant(_))]),
        "{decisions:?}"
    );
}
