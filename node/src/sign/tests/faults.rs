//! Leaders that die, wires that are cut, majorities that are gone: outages, which are never
//! refusals, and end in bounded time.

use super::world::Hops;
use super::*;
use crate::config::Times;

fn is_outage(reply: &Reply) -> bool {
    matches!(reply, Reply::Failed(_)) && reply.http().status() == 502
}

#[tokio::test(start_paused = true)]
async fn r21_a_forwarded_request_is_not_forwarded_again() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let follower = world.follower().await;
    let path = Arc::clone(&world.nodes[&follower].path);
    let asked = ask(&signer.key(), attestation(10, 1));
    let reply = path.forwarded(asked, 9, Duration::from_secs(1)).await;
    assert!(
        matches!(reply, Reply::Failed(Failed::NotLeader { .. })),
        "{reply:?}"
    );
    assert_eq!(world.forwarded(), 0);
    assert_eq!(signer.signed(), 0);
}

#[tokio::test(start_paused = true)]
async fn p6_a_request_in_the_middle_of_an_election_is_held_and_then_signed() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    for level in 10..15 {
        let leader = world.leader().await;
        let follower = world.follower().await;
        world.cut(leader);
        let reply = world
            .ask(follower, ask(&signer.key(), attestation(level, 1)))
            .await;
        signature(&reply);
        assert_ne!(world.leader().await, leader);
        world.mend(leader);
    }
}

#[tokio::test(start_paused = true)]
async fn r21_a_leader_that_falls_silent_in_mid_forward_is_followed_by_the_next_one() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let leader = world.leader().await;
    let follower = world.follower().await;
    world.hops(Hops::Silent);
    let asked = world.ask(follower, ask(&signer.key(), attestation(10, 1)));
    let fault = async {
        // The request is on its silent way; now the leader is cut off, and the wires are whole for
        // the one that follows it.
        while world.forwarded() == 0 {
            tokio::task::yield_now().await;
        }
        world.hops(Hops::Whole);
        world.cut(leader);
    };
    let (reply, ()) = tokio::join!(asked, fault);
    signature(&reply);
    assert!(world.forwarded() >= 1);
}

#[tokio::test(start_paused = true)]
async fn r15_an_answer_that_is_lost_is_an_outage_and_frees_no_slot() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let follower = world.follower().await;
    world.hops(Hops::AnswerLost);
    let started = Instant::now();
    let lost = world
        .ask(follower, ask(&signer.key(), attestation(10, 1)))
        .await;
    assert!(is_outage(&lost), "{lost:?}");
    assert!(started.elapsed() <= Times::default().deadline + Duration::from_millis(100));
    world.hops(Hops::Whole);
    let other = world
        .ask(follower, ask(&signer.key(), attestation(10, 2)))
        .await;
    assert!(matches!(refusal(&other), Refusal::Conflict { .. }));
    signature(
        &world
            .ask(follower, ask(&signer.key(), attestation(10, 1)))
            .await,
    );
}

#[tokio::test(start_paused = true)]
async fn p4_without_a_majority_nothing_is_signed_or_refused_and_every_answer_comes_in_time() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    signature(&world.ask(1, ask(&signer.key(), attestation(10, 1))).await);
    for node in 1..=3 {
        world.cut(node);
    }
    let stranger = TestSigner::deterministic(Curve::Ed25519).key();
    for node in 1..=3 {
        for asked in [
            ask(&signer.key(), attestation(11, 1)),
            ask(&signer.key(), attestation(10, 2)),
            ask(&signer.key(), attestation(9, 1)),
            ask(&stranger, attestation(9, 1)),
        ] {
            let started = Instant::now();
            let reply = world.ask(node, asked).await;
            assert!(is_outage(&reply), "{reply:?}");
            assert!(started.elapsed() <= Times::default().deadline + Duration::from_millis(100));
        }
    }
    assert_eq!(signer.signed(), 1);
    for node in 1..=3 {
        world.mend(node);
    }
    signature(&world.ask(1, ask(&signer.key(), attestation(12, 1))).await);
}

#[tokio::test(start_paused = true)]
async fn after_one_full_hold_a_node_answers_at_once_until_it_hears_of_a_leader() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let follower = world.follower().await;
    let asked = || ask(&signer.key(), attestation(10, 1));
    let hold = Times::default().hold;
    for _outage in 0..2 {
        (1..=3).for_each(|node| world.cut(node));
        let started = Instant::now();
        let held = world.ask(follower, asked()).await;
        assert_eq!(held.reason(), Some("no_leader"), "{held:?}");
        assert!(started.elapsed() >= hold && started.elapsed() < Times::default().deadline);

        let started = Instant::now();
        let at_once = world.ask(follower, asked()).await;
        assert_eq!(at_once, Reply::Failed(Failed::NoLeader { held_ms: 0 }));
        assert!(
            started.elapsed() < Duration::from_millis(5),
            "{:?}",
            started.elapsed()
        );

        (1..=3).for_each(|node| world.mend(node));
        world.leader().await;
        signature(&world.ask(follower, asked()).await);
    }
}

#[tokio::test(start_paused = true)]
async fn r20_a_node_that_lags_answers_nothing_from_its_own_state() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let lagging = world.follower().await;
    world.cut(lagging);
    let other = [1, 2, 3].into_iter().find(|node| *node != lagging).unwrap();
    signature(
        &world
            .ask(other, ask(&signer.key(), attestation(20, 1)))
            .await,
    );
    let reply = world
        .ask(lagging, ask(&signer.key(), attestation(10, 1)))
        .await;
    assert!(is_outage(&reply), "{reply:?}");
    world.mend(lagging);
    let reply = world
        .ask(lagging, ask(&signer.key(), attestation(10, 1)))
        .await;
    assert!(
        matches!(refusal(&reply), Refusal::Below { .. }),
        "{reply:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn r13_a_leader_that_was_cut_off_denies_nothing_from_an_old_state() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let deposed = world.leader().await;
    world.cut(deposed);
    let late = TestSigner::deterministic(Curve::Ed25519);
    world.enrol(&late.key(), ReleaseMode::AfterCommit).await;
    let reply = world
        .ask(deposed, ask(&late.key(), attestation(10, 1)))
        .await;
    assert!(
        is_outage(&reply),
        "a key enrolled elsewhere is not unknown: {reply:?}"
    );
    assert_eq!(signer.signed(), 0);
}

#[tokio::test(start_paused = true)]
async fn r5_nothing_is_signed_before_a_majority_has_it_on_disk() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let leader = world.leader().await;
    for (node, other) in &world.nodes {
        if *node != leader {
            other.disk.hold_syncs(true);
        }
    }
    let asked = world.ask(leader, ask(&signer.key(), attestation(10, 1)));
    let reply = asked.await;
    assert!(is_outage(&reply), "{reply:?}");
    assert_eq!(signer.signed(), 0);
    for node in world.nodes.values() {
        node.disk.hold_syncs(false);
    }
    signature(
        &world
            .ask(leader, ask(&signer.key(), attestation(10, 1)))
            .await,
    );
}
