//! P3: the same bytes asked again get the same signature, or a refusal once things have moved on.

use std::time::Duration;

use node::dev::Settings;
use tezos::Curve;

use crate::raw;
use crate::world::{CURVES, Outcome, World, attestation, post};

/// R14. A balancer's retry on another node, after a failover, after all three were restarted.
#[tokio::test]
async fn the_same_bytes_get_the_same_signature_on_every_node_and_after_every_failover() {
    let mut world = World::of(&CURVES).await;
    for curve in CURVES {
        let key = world.key(curve);
        let slot = world.next_slot();
        let message = attestation(&key, slot, 0);
        let signature = world.insist(&[1], &key, &message).await.signature();
        for id in 1..=3 {
            assert_eq!(
                world.insist(&[id], &key, &message).await.signature(),
                signature
            );
        }
        let leader = world.leader().await;
        world.kill(leader);
        let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
        assert_eq!(
            world.insist(&others, &key, &message).await.signature(),
            signature
        );
        world.start(leader);
        world.ready().await;
        assert_eq!(
            world.insist(&[leader], &key, &message).await.signature(),
            signature
        );
    }
}

#[tokio::test]
async fn once_a_later_slot_was_granted_the_earlier_bytes_are_refused_on_every_node() {
    let mut world = World::of(&[Curve::Ed25519]).await;
    let key = world.key(Curve::Ed25519);
    let (earlier, later) = (world.next_slot(), world.next_slot());
    world
        .insist(&[1], &key, &attestation(&key, earlier, 0))
        .await
        .signature();
    world
        .insist(&[2], &key, &attestation(&key, later, 0))
        .await
        .signature();
    for id in 1..=3 {
        let words = world
            .insist(&[id], &key, &attestation(&key, earlier, 0))
            .await
            .conflict();
        assert!(words.contains("below high watermark"), "{words}");
    }
}

/// R25. What is answered is committed first, so all nodes refuse from then on, a restart included.
#[tokio::test]
async fn a_disabled_key_signs_nothing_new_on_any_node_and_stays_disabled_over_a_restart() {
    let mut world = World::with(
        &[Curve::Ed25519, Curve::P256],
        "after-record",
        Settings::default(),
    )
    .await;
    let (key, other) = (world.key(Curve::Ed25519), world.key(Curve::P256));
    let slot = world.next_slot();
    let message = attestation(&key, slot, 0);
    let signature = world.insist(&[1], &key, &message).await.signature();
    let next = world.next_slot();
    world
        .quorate(1, &["key", "disable", &key.hash().to_string(), "--yes"])
        .await;
    for round in ["before", "after"] {
        for id in 1..=3 {
            let words = world
                .insist(&[id], &key, &attestation(&key, next, 0))
                .await
                .conflict();
            assert!(words.contains("disabled"), "{round} the restart: {words}");
            // The signature is out already, so repeating it gives nothing away.
            assert_eq!(
                world.insist(&[id], &key, &message).await.signature(),
                signature
            );
            world
                .insist(&[id], &other, &attestation(&other, next, 0))
                .await
                .signature();
        }
        (1..=3).for_each(|id| world.kill(id));
        (1..=3).for_each(|id| world.start(id));
        world.ready().await;
    }
    world
        .quorate(2, &["key", "enable", &key.hash().to_string(), "--yes"])
        .await;
    world
        .insist(&[3], &key, &attestation(&key, next, 0))
        .await
        .signature();
}

/// R23. The baker hangs up a little later each time. Hung up before it was read, a request may never
/// begin; once it has begun it runs to its end, and then its own bytes find the signature and a rival is refused.
#[tokio::test]
async fn a_baker_that_hangs_up_does_not_undo_a_request_that_has_begun() {
    let mut world = World::of(&[Curve::Ed25519]).await;
    let key = world.key(Curve::Ed25519);
    let mut begun = 0;
    for step in 0..9_u64 {
        let id = step % 3 + 1;
        let slot = world.next_slot();
        let (message, rival) = (attestation(&key, slot, 0), attestation(&key, slot, 1));
        let sent = raw::send(world.port(id), &post(&key, &message)).await;
        // Not a synchronisation but the sweep itself.
        std::thread::sleep(Duration::from_millis(step * step));
        drop(sent);
        match world.insist(&[id], &key, &rival).await {
            Outcome::Refused(409, _) => {
                begun += 1;
                world.insist(&[id], &key, &message).await.signature();
            }
            Outcome::Signed(_) => drop(world.insist(&[id], &key, &message).await.conflict()),
            other => panic!("at step {step}: {other:?}"),
        }
    }
    println!("{begun} of 9 requests had begun when their baker hung up");
    assert!(begun > 0, "the last one had 64 ms to begin");
}
