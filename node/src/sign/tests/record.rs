//! `after_record`: the first recorded signature is the one that leaves, whoever made it and
//! whatever broke on the way (P2, R14). The secret here makes another signature each time, as most
//! HSMs do.

use super::*;

async fn hsm_cluster() -> (World, TestSigner) {
    let hsm = TestSigner::randomised();
    let world = World::start(3, &[hsm.shared()]).await;
    world.enrol(&hsm.key(), ReleaseMode::AfterRecord).await;
    (world, hsm)
}

fn released(replies: &[Reply]) -> Vec<Signature> {
    let signed = replies
        .iter()
        .filter(|reply| matches!(reply, Reply::Signed { .. }));
    signed.map(signature).collect()
}

#[tokio::test(start_paused = true)]
async fn the_test_secret_really_signs_differently_each_time() {
    let (world, hsm) = hsm_cluster().await;
    let one = signature(&world.ask(1, ask(&hsm.key(), attestation(10, 1))).await);
    let other = TestSigner::deterministic(Curve::P256);
    world.enrol(&other.key(), ReleaseMode::AfterRecord).await;
    hsm.key().verify(&attestation(10, 1), &one).unwrap();
    let two = signature(&world.ask(1, ask(&hsm.key(), attestation(11, 1))).await);
    assert_ne!(one.as_raw()[..32], two.as_raw()[..32], "k repeats");
    assert_eq!(hsm.signed(), 2);
}

#[tokio::test(start_paused = true)]
async fn p2_many_that_ask_the_same_at_once_on_all_nodes_get_one_signature() {
    let (world, hsm) = hsm_cluster().await;
    for level in 10..20 {
        let asked = (0..24).map(|n| world.ask(n % 3 + 1, ask(&hsm.key(), attestation(level, 1))));
        let replies = futures_util::future::join_all(asked).await;
        let signatures = released(&replies);
        assert_eq!(signatures.len(), 24, "{replies:?}");
        assert!(signatures.iter().all(|other| *other == signatures[0]));
        hsm.key()
            .verify(&attestation(level, 1), &signatures[0])
            .unwrap();
    }
    assert!(
        hsm.signed() > 10,
        "no race ever happened, so nothing was tested"
    );
}

#[tokio::test(start_paused = true)]
async fn p3_a_repeat_is_replayed_without_the_secret_on_every_node_and_after_a_failover() {
    let (world, hsm) = hsm_cluster().await;
    let first = signature(&world.ask(1, ask(&hsm.key(), attestation(10, 1))).await);
    hsm.hang().await;
    let leader = world.leader().await;
    world.cut(leader);
    for node in (1..=3).filter(|node| *node != leader) {
        let reply = world.ask(node, ask(&hsm.key(), attestation(10, 1))).await;
        assert_eq!(
            reply,
            Reply::Signed {
                signature: first.clone(),
                replayed: true
            }
        );
    }
    assert_eq!(hsm.signed(), 1);
}

#[tokio::test(start_paused = true)]
async fn r14_a_signature_that_was_made_and_lost_is_replaced_by_the_first_that_is_recorded() {
    let (world, hsm) = hsm_cluster().await;
    hsm.fail(true);
    let reply = world.ask(1, ask(&hsm.key(), attestation(10, 1))).await;
    assert_eq!(reply.reason(), Some("cannot_sign"));
    assert_eq!(hsm.signed(), 1, "signed, then lost");
    hsm.fail(false);
    let conflict = world.ask(2, ask(&hsm.key(), attestation(10, 2))).await;
    assert!(
        matches!(refusal(&conflict), Refusal::Conflict { .. }),
        "the slot is not freed"
    );
    let winner = signature(&world.ask(2, ask(&hsm.key(), attestation(10, 1))).await);
    assert_eq!(
        signature(&world.ask(3, ask(&hsm.key(), attestation(10, 1))).await),
        winner
    );
}

#[tokio::test(start_paused = true)]
async fn r14_a_record_whose_outcome_is_unknown_releases_nothing() {
    let (world, hsm) = hsm_cluster().await;
    let leader = world.leader().await;
    hsm.hang().await;
    // The grant is committed and its signature hangs; then the leader is cut off, and signs.
    let request = ask(&hsm.key(), attestation(10, 1));
    let asked = world.ask(leader, request.clone());
    let cut = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.cut(leader);
        hsm.resume();
    };
    let (unknown, ()) = tokio::join!(asked, cut);
    assert!(matches!(unknown, Reply::Failed(_)), "{unknown:?}");
    assert_eq!(hsm.signed(), 1);

    let other = [1, 2, 3].into_iter().find(|node| *node != leader).unwrap();
    let winner = signature(&world.ask(other, request.clone()).await);
    world.mend(leader);
    for node in 1..=3 {
        assert_eq!(signature(&world.ask(node, request.clone()).await), winner);
    }
    assert_eq!(hsm.signed(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_is_overtaken_by_a_later_slot_releases_nothing() {
    let (world, hsm) = hsm_cluster().await;
    let leader = world.leader().await;
    hsm.hang().await;
    let earlier = world.ask(leader, ask(&hsm.key(), attestation(10, 1)));
    let later = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let later = world.ask(leader, ask(&hsm.key(), attestation(11, 1)));
        let resume = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            hsm.resume();
        };
        tokio::join!(later, resume).0
    };
    let (earlier, later) = tokio::join!(earlier, later);
    assert!(
        matches!(refusal(&earlier), Refusal::MovedOn { .. }),
        "{earlier:?}"
    );
    assert_eq!(earlier.http().status(), 409);
    signature(&later);
}

/// Crashes of the leader at whatever step, and lost answers, in every mixture: of each message at
/// most one signature is ever seen, and at the end every node gives that one.
#[tokio::test(start_paused = true)]
async fn p2_whatever_breaks_and_when_no_second_signature_of_a_message_ever_leaves() {
    let (world, hsm) = hsm_cluster().await;
    for round in 0..24_u64 {
        let level = 10 + u32::try_from(round).unwrap();
        let request = || ask(&hsm.key(), attestation(level, 1));
        let leader = world.leader().await;
        let fault = async {
            // From before the advance to after the record, in steps of a quarter millisecond.
            for _ in 0..round % 12 {
                tokio::task::yield_now().await;
            }
            if round % 2 == 0 {
                hsm.fail(true);
            }
            world.cut(leader);
        };
        let asked = (1..=3).map(|node| world.ask(node, request()));
        let (mut replies, ()) = tokio::join!(futures_util::future::join_all(asked), fault);
        hsm.fail(false);
        world.mend(leader);
        for node in 1..=3 {
            replies.push(world.ask(node, request()).await);
        }
        let signatures = released(&replies);
        assert!(signatures.len() >= 3, "round {round}: {replies:?}");
        assert!(
            signatures.iter().all(|other| *other == signatures[0]),
            "round {round}"
        );
    }
}
