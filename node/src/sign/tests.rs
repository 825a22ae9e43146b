//! The sign path over a whole cluster in one process. Time is the runtime's own and stands still
//! while nothing is to be done, so that a deadline costs nothing and no test waits for luck.

pub(crate) mod secrets;
pub(crate) mod world;

mod faults;
mod record;

use std::sync::Arc;
use std::time::Duration;

use raft_store::command::{Command, Refusal};
use raft_store::policy::Denied;
use raft_store::state::ReleaseMode;
use tezos::{Curve, Kind, PublicKey, Signature};
use tokio::time::Instant;

use super::*;
use crate::answer::Failed;
use secrets::TestSigner;
use world::World;

/// An attestation, or a preattestation, of tz1 to tz3 for mainnet; `payload` tells two apart.
pub(crate) fn vote(kind: Kind, level: u32, round: u32, payload: u8) -> Vec<u8> {
    let (magic, tag) = match kind {
        Kind::Preattestation => (0x12, 20),
        Kind::Attestation => (0x13, 21),
        Kind::Block => panic!("a block is no vote"),
    };
    let mut bytes = vec![magic, 0x7a, 0x06, 0xa7, 0x70];
    bytes.extend([7; 32]);
    bytes.extend([tag, 0, 5]);
    bytes.extend(level.to_be_bytes());
    bytes.extend(round.to_be_bytes());
    bytes.extend([payload; 32]);
    bytes
}

pub(crate) fn attestation(level: u32, payload: u8) -> Vec<u8> {
    vote(Kind::Attestation, level, 0, payload)
}

pub(crate) fn ask(key: &PublicKey, bytes: Vec<u8>) -> Ask {
    let (authentication, version) = (None, Some(3));
    Ask::Sign(Sign {
        key: key.hash(),
        bytes,
        authentication,
        version,
        authorized_only: false,
    })
}

pub(crate) fn signature(reply: &Reply) -> Signature {
    let Reply::Signed { signature, .. } = reply else {
        panic!("no signature: {reply:?}")
    };
    signature.clone()
}

pub(crate) fn refusal(reply: &Reply) -> Refusal {
    let Reply::Refused(refused) = reply else {
        panic!("not refused: {reply:?}")
    };
    let Refused::Ruled { why, .. } = refused.as_ref() else {
        panic!("not ruled: {reply:?}")
    };
    why.clone()
}

async fn cluster(count: u64, curve: Curve) -> (World, TestSigner) {
    let signer = TestSigner::deterministic(curve);
    let world = World::start(count, &[signer.shared()]).await;
    world.enrol(&signer.key(), ReleaseMode::AfterCommit).await;
    (world, signer)
}

#[tokio::test(start_paused = true)]
async fn p3_every_node_answers_the_same_bytes_with_the_same_signature() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let message = attestation(10, 1);
    let mut signatures = Vec::new();
    for node in [1, 2, 3, 1] {
        let reply = world.ask(node, ask(&signer.key(), message.clone())).await;
        signatures.push(signature(&reply));
    }
    signer.key().verify(&message, &signatures[0]).unwrap();
    assert!(signatures.iter().all(|other| *other == signatures[0]));
    assert_eq!(
        world.forwarded(),
        2 + usize::from(world.leader().await != 1),
        "one hop each"
    );
}

#[tokio::test(start_paused = true)]
async fn r21_a_refusal_crosses_the_hop_as_a_refusal() {
    let (world, signer) = cluster(3, Curve::P256).await;
    let follower = world.follower().await;
    let key = signer.key();
    signature(&world.ask(follower, ask(&key, attestation(10, 1))).await);
    let conflict = world.ask(follower, ask(&key, attestation(10, 2))).await;
    assert!(matches!(refusal(&conflict), Refusal::Conflict { .. }));
    let below = world.ask(follower, ask(&key, attestation(9, 1))).await;
    assert!(matches!(refusal(&below), Refusal::Below { .. }));
    assert_eq!(signer.signed(), 1);
}

#[tokio::test(start_paused = true)]
async fn r3_of_conflicting_messages_for_one_slot_on_all_nodes_exactly_one_is_signed() {
    let (world, signer) = cluster(3, Curve::Secp256k1).await;
    for level in 10..20 {
        let asked = (0..30_u8).map(|n| {
            let request = ask(&signer.key(), attestation(level, n));
            world.ask(u64::from(n % 3) + 1, request)
        });
        let replies = futures_util::future::join_all(asked).await;
        let signed = replies
            .iter()
            .filter(|reply| matches!(reply, Reply::Signed { .. }))
            .count();
        assert_eq!(signed, 1, "level {level}");
        for reply in replies
            .iter()
            .filter(|reply| !matches!(reply, Reply::Signed { .. }))
        {
            assert!(
                matches!(refusal(reply), Refusal::Conflict { .. }),
                "{reply:?}"
            );
        }
    }
    assert_eq!(signer.signed(), 10);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_is_refused_and_names_what_is_known() {
    let (world, signer) = cluster(1, Curve::Ed25519).await;
    let mut longer = attestation(10, 1);
    longer.push(0);
    for bytes in [
        longer,
        vec![0x04, 1],
        vec![0x13],
        vec![0xff; 50],
        Vec::new(),
    ] {
        let reply = world.ask(1, ask(&signer.key(), bytes)).await;
        assert_eq!(reply.http().status(), 400, "{reply:?}");
    }
    assert_eq!(signer.signed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_denial_says_who_must_act() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let stranger = TestSigner::deterministic(Curve::Ed25519).key();
    for node in 1..=3 {
        let reply = world.ask(node, ask(&stranger, attestation(10, 1))).await;
        let Reply::Refused(refused) = &reply else {
            panic!("{reply:?}")
        };
        assert!(matches!(
            **refused,
            Refused::Denied {
                why: Denied::Unknown,
                ..
            }
        ));
        assert_eq!(reply.http().status(), 404);
    }
    let mut plain = ask(&signer.key(), attestation(10, 1));
    let Ask::Sign(sign) = &mut plain else {
        panic!()
    };
    sign.authorized_only = true;
    let reply = world.ask(2, plain).await;
    assert_eq!(
        (reply.http().status().as_u16(), reply.reason()),
        (403, Some("plain_http"))
    );
    assert_eq!(signer.signed(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_authorized_client_is_served_and_nobody_else() {
    let signer = TestSigner::deterministic(Curve::Ed25519);
    let client = tezos::SecretKey::generate(Curve::Secp256k1).unwrap();
    let world = World::start(3, &[signer.shared()]).await;
    let mut enrolment = world::enrolment(&signer.key(), ReleaseMode::AfterCommit);
    enrolment.authorized = vec![client.public_key().clone()];
    world.command(Command::Enrol(Box::new(enrolment))).await;

    let message = attestation(10, 1);
    let authenticated = |by: &tezos::SecretKey, over: &[u8]| {
        let signed = tezos::wire::authentication_message(&signer.key().hash(), over);
        let Ask::Sign(mut sign) = ask(&signer.key(), message.clone()) else {
            panic!()
        };
        sign.authentication = Some(by.sign(&signed).to_string());
        sign.authorized_only = true;
        Ask::Sign(sign)
    };
    let status = |reply: Reply| reply.http().status().as_u16();
    assert_eq!(
        status(world.ask(1, ask(&signer.key(), message.clone())).await),
        401
    );
    let stranger = tezos::SecretKey::generate(Curve::Secp256k1).unwrap();
    assert_eq!(
        status(world.ask(2, authenticated(&stranger, &message)).await),
        403
    );
    assert_eq!(
        status(
            world
                .ask(3, authenticated(&client, &attestation(11, 1)))
                .await
        ),
        403
    );
    assert_eq!(signer.signed(), 0);
    assert_eq!(
        status(world.ask(2, authenticated(&client, &message)).await),
        200
    );
}

#[tokio::test(start_paused = true)]
async fn a_disabled_key_is_refused_on_every_node_and_says_how_to_enable_it() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let key = signer.key().hash();
    world.command(Command::Disable { key, generation: 1 }).await;
    for node in 1..=3 {
        let reply = world
            .ask(node, ask(&signer.key(), attestation(10, 1)))
            .await;
        assert_eq!(refusal(&reply), Refusal::Disabled);
        assert_eq!(reply.http().status(), 409);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bls_key_proves_its_possession_and_no_other_key_does() {
    let bls = TestSigner::deterministic(Curve::Bls12_381);
    let other = TestSigner::deterministic(Curve::Ed25519);
    let world = World::start(3, &[bls.shared(), other.shared()]).await;
    world.enrol(&bls.key(), ReleaseMode::AfterCommit).await;
    world.enrol(&other.key(), ReleaseMode::AfterCommit).await;
    let follower = world.follower().await;

    let prove = |key: &PublicKey| {
        Ask::Prove(Prove {
            key: key.hash(),
            bls_pk: None,
        })
    };
    let Reply::Proven { proof } = world.ask(follower, prove(&bls.key())).await else {
        panic!("no proof")
    };
    let possession = tezos::possession::Possession::new(&bls.key(), None).unwrap();
    possession.verify(&bls.key(), &proof).unwrap();
    let reply = world.ask(follower, prove(&other.key())).await;
    assert_eq!(
        (reply.http().status().as_u16(), reply.reason()),
        (403, Some("no_possession"))
    );
}

#[tokio::test(start_paused = true)]
async fn r23_a_baker_that_hangs_up_does_not_drop_a_grant_half_way() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let leader = world.leader().await;
    let follower = world.follower().await;
    for (level, node) in [(10, leader), (11, follower)] {
        signer.hang().await;
        let asked = world.ask(node, ask(&signer.key(), attestation(level, 1)));
        tokio::time::timeout(Duration::from_millis(500), asked)
            .await
            .unwrap_err();
        let path = &world.nodes[&leader].path;
        assert_eq!(*path.admission().in_work().borrow(), 1, "the work goes on");
        let before = signer.signed();
        signer.resume();
        path.admission()
            .in_work()
            .wait_for(|count| *count == 0)
            .await
            .unwrap();
        assert_eq!(
            signer.signed(),
            before + 1,
            "the grant was signed though nobody waits"
        );
        let conflict = world
            .ask(node, ask(&signer.key(), attestation(level, 2)))
            .await;
        assert!(matches!(refusal(&conflict), Refusal::Conflict { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn r43_behind_a_hung_secret_one_key_takes_no_more_than_its_places() {
    let (hung, well) = (
        TestSigner::deterministic(Curve::Ed25519),
        TestSigner::deterministic(Curve::P256),
    );
    let limits = Limits {
        in_flight_max: 6,
        in_flight_per_key_max: 4,
        ..Limits::default()
    };
    let signers = vec![hung.shared(), well.shared()];
    let world = World::start_with(1, &limits, |_node| signers.clone()).await;
    world.enrol(&hung.key(), ReleaseMode::AfterCommit).await;
    world.enrol(&well.key(), ReleaseMode::AfterCommit).await;
    hung.hang().await;

    let flood = (0..20).map(|_n| world.ask(1, ask(&hung.key(), attestation(10, 1))));
    let replies = futures_util::future::join_all(flood).await;
    let reasons = |reason| {
        replies
            .iter()
            .filter(|reply| reply.reason() == Some(reason))
            .count()
    };
    assert_eq!((reasons("overloaded"), reasons("out_of_time")), (16, 4));

    let reply = world.ask(1, ask(&well.key(), attestation(10, 1))).await;
    signature(&reply);
    hung.resume();
    world.nodes[&1]
        .path
        .admission()
        .in_work()
        .wait_for(|count| *count == 0)
        .await
        .unwrap();
    signature(&world.ask(1, ask(&hung.key(), attestation(10, 1))).await);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_the_secret_moves_no_mark() {
    let signer = TestSigner::deterministic(Curve::Ed25519);
    let world = World::start_with(1, &Limits::default(), |_node| Vec::new()).await;
    world.enrol(&signer.key(), ReleaseMode::AfterCommit).await;
    let reply = world.ask(1, ask(&signer.key(), attestation(10, 1))).await;
    assert!(
        matches!(reply, Reply::Failed(Failed::CannotSign { .. })),
        "{reply:?}"
    );
    let state = world.nodes[&1].path.peers().ledger().state();
    assert!(state.keys[&signer.key().hash()].marks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_signs_differently_each_time_serves_no_key_released_after_the_commit() {
    let hsm = TestSigner::randomised();
    let world = World::start(1, &[hsm.shared()]).await;
    world.enrol(&hsm.key(), ReleaseMode::AfterCommit).await;
    let reply = world.ask(1, ask(&hsm.key(), attestation(10, 1))).await;
    assert!(
        matches!(reply, Reply::Failed(Failed::CannotSign { .. })),
        "{reply:?}"
    );
    assert_eq!(hsm.signed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_travels_is_kept() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let leader = world.leader().await;
    signer.hang().await;
    let started = Instant::now();
    let within = Duration::from_millis(300);
    let path = Arc::clone(&world.nodes[&leader].path);
    let reply = path
        .forwarded(ask(&signer.key(), attestation(10, 1)), 9, within)
        .await;
    assert_eq!(reply, Reply::Failed(Failed::OutOfTime));
    assert!(
        started.elapsed() < Duration::from_millis(400),
        "{:?}",
        started.elapsed()
    );
    signer.resume();
}

#[tokio::test(start_paused = true)]
async fn r45_every_answer_is_counted_by_what_came_of_it() {
    let (world, signer) = cluster(3, Curve::Ed25519).await;
    let (leader, follower) = (world.leader().await, world.follower().await);
    signature(
        &world
            .ask(follower, ask(&signer.key(), attestation(10, 1)))
            .await,
    );
    signature(
        &world
            .ask(leader, ask(&signer.key(), attestation(10, 1)))
            .await,
    );
    refusal(
        &world
            .ask(leader, ask(&signer.key(), attestation(10, 2)))
            .await,
    );
    refusal(
        &world
            .ask(follower, ask(&signer.key(), attestation(10, 3)))
            .await,
    );
    (1..=3).for_each(|node| world.cut(node));
    world
        .ask(follower, ask(&signer.key(), attestation(11, 1)))
        .await;

    let of = |node: u64| world.nodes[&node].metrics.text().unwrap();
    for (node, line) in [
        (
            leader,
            r#"quorate_requests_total{kind="attestation",result="signed",path="for_peer"} 1"#,
        ),
        (
            leader,
            r#"quorate_requests_total{kind="attestation",result="signed",path="local"} 1"#,
        ),
        (
            leader,
            r#"quorate_requests_total{kind="attestation",result="refused",path="local"} 1"#,
        ),
        (leader, r#"quorate_refusals_total{reason="conflict"} 2"#),
        (
            leader,
            r#"quorate_stage_duration_seconds_count{stage="commit"} 4"#,
        ),
        (
            follower,
            r#"quorate_requests_total{kind="attestation",result="signed",path="forwarded"} 1"#,
        ),
        (follower, r#"quorate_failures_total{reason="no_leader"} 1"#),
    ] {
        assert!(
            of(node).lines().any(|found| found == line),
            "{line}\n{}",
            of(node)
        );
    }
    assert!(
        !of(follower).contains("quorate_refusals_total"),
        "the leader counted them"
    );
}

#[tokio::test(start_paused = true)]
async fn the_figures_of_a_node_tell_where_each_key_stands() {
    let (world, signer) = cluster(1, Curve::Ed25519).await;
    signature(&world.ask(1, ask(&signer.key(), attestation(10, 1))).await);
    let source = || crate::health::Facts {
        me: Some(1),
        leader: Some(1),
        ..Default::default()
    };
    let monitor = crate::health::Monitor::start(source, &Times::default());
    let node = &world.nodes[&1];
    let ledger = node.path.peers().ledger().clone();
    node.metrics
        .collect(crate::metrics::ClusterMetrics::new(ledger, source, monitor));
    let text = node.metrics.text().unwrap();
    let short: String = signer.key().hash().to_string().chars().take(12).collect();
    let mark = format!(
        "quorate_watermark_level{{key=\"{short}\",chain=\"NetXdQprcVkpaWU\",kind=\"attestation\"}} 10"
    );
    for line in [
        mark.as_str(),
        "quorate_raft_is_leader 1",
        "quorate_ready 0",
        r#"quorate_health_check{name="voter"} 0"#,
        r#"quorate_health_check{name="serving"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
