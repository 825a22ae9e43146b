//! P2: for each slot at most one signature is ever released.

use std::sync::Arc;

use node::dev::Settings;
use tezos::Kind;
use tokio::task::JoinSet;

use crate::world::{CHAIN, CURVES, World, insist};

/// R14, R23. One message of each kind, asked for by 30 tasks at once over all nodes: whoever
/// signs, one signature leaves. The judge compares the bytes of every one of them.
#[tokio::test]
async fn one_message_asked_thirty_times_at_once_over_all_nodes_has_one_signature() {
    let mut world = World::with(&CURVES, "after-record", Settings::default()).await;
    for curve in CURVES {
        let key = world.key(curve);
        for kind in [Kind::Block, Kind::Preattestation, Kind::Attestation] {
            let slot = world.next_slot();
            let message = node::dev::message::consensus(curve, kind, CHAIN, slot, 0);
            let mut tasks = JoinSet::new();
            for task in 0..30_u64 {
                let client = world.client(&[task % 3 + 1]);
                let (judge, key, message) =
                    (Arc::clone(&world.judge), key.clone(), message.clone());
                tasks.spawn(
                    async move { insist(&client, &judge, &key, &message).await.signature() },
                );
            }
            let signatures = tasks.join_all().await;
            assert!(
                signatures
                    .windows(2)
                    .all(|pair| pair.first() == pair.last()),
                "{curve} {kind:?}"
            );
        }
    }
    assert_eq!(world.judge.places(), 12);
}

/// R14. The signature that was released is the one that is kept: through the death of the node
/// that made it, and through a restart of all.
#[tokio::test]
async fn a_recorded_signature_survives_the_leader_and_then_the_whole_cluster() {
    let mut world = World::with(&CURVES, "after-record", Settings::default()).await;
    let slot = world.next_slot();
    let mut released = Vec::new();
    for curve in CURVES {
        let key = world.key(curve);
        let message = crate::world::attestation(&key, slot, 0);
        let signature = world.insist(&[1, 2, 3], &key, &message).await.signature();
        released.push((key, message, signature));
    }
    let leader = world.leader().await;
    world.kill(leader);
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    for (key, message, signature) in &released {
        assert_eq!(
            world.insist(&others, key, message).await.signature(),
            *signature
        );
    }
    (1..=3).for_each(|id| world.kill(id));
    (1..=3).for_each(|id| world.start(id));
    world.ready().await;
    for (key, message, signature) in &released {
        for id in 1..=3 {
            assert_eq!(
                world.insist(&[id], key, message).await.signature(),
                *signature
            );
        }
    }
}
