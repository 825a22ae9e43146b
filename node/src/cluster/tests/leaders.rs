//! Leaders come and go, on purpose and otherwise, and nothing that was granted is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use raft_store::command::Command;
use raft_store::ledger::Decision;
use tokio::time::Instant;

use super::world::{PATIENCE, World, soon};
use crate::cluster::{Ability, TransferError};

/// A follower has a command committed by the leader, and what the follower shows next must hold it: an
/// operator's next command names the generation that this one left.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_found_on_the_node_that_was_told_it() {
    let world = World::enrolled().await;
    let leader = world.leader().await;
    let (_, follower) = world.nodes.iter().find(|(id, _)| **id != leader).unwrap();
    let key = world.pkh();
    for generation in 1..=20 {
        let command = if generation % 2 == 1 {
            Command::Disable { key, generation }
        } else {
            Command::Enable { key, generation }
        };
        follower.propose(command, soon()).await.unwrap();
        let seen = follower.ledger().unwrap().state().keys[&key].generation;
        assert_eq!(seen, generation + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_moves_under_load_and_every_level_is_granted_once() {
    let world = Arc::new(World::enrolled().await);
    let first = world.leader().await;
    let done = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (world, done) = (Arc::clone(&world), Arc::clone(&done));
        async move {
            let mut level = 1;
            while !done.load(Ordering::Relaxed) {
                let decision = world.advance(level, 1).await;
                assert!(
                    matches!(decision, Decision::Grant(_)),
                    "level {level}: {decision:?}"
                );
                let other = world.advance(level, 2).await;
                assert!(
                    matches!(other, Decision::Refused(_)),
                    "level {level} twice: {other:?}"
                );
                level += 1;
            }
            level - 1
        }
    });
    let next = world.nodes[&first].transfer(None, soon()).await.unwrap();
    assert_ne!(next, first);
    let back = world.leader().await;
    assert_eq!(
        world.nodes[&back].transfer(Some(first), soon()).await,
        Ok(first)
    );
    done.store(true, Ordering::Relaxed);
    let last = load.await.unwrap();
    world.marked(last).await;

    let follower = world.nodes.iter().find(|(id, _)| **id != first).unwrap().1;
    let refused = follower.transfer(None, soon()).await;
    assert_eq!(
        refused,
        Err(TransferError::NotLeader {
            leader: Some(first)
        })
    );
    assert_eq!(
        world.nodes[&first].transfer(Some(9), soon()).await,
        Err(TransferError::NoVoter(9))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_gone_the_next_one_knows_every_mark() {
    let mut world = World::enrolled().await;
    let granted = world.advance(7, 1).await;
    assert!(matches!(granted, Decision::Grant(_)));
    let first = world.leader().await;
    world.stop(first).await;
    let next = world.leader().await;
    assert_ne!(next, first);
    assert!(
        matches!(world.advance(7, 2).await, Decision::Refused(_)),
        "the mark moved with it"
    );
    assert!(matches!(world.advance(8, 1).await, Decision::Grant(_)));
    world.start(first).await;
    world.marked(8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_of_three_gone_nothing_is_granted_and_all_of_them_come_back() {
    let mut world = World::enrolled().await;
    world.advance(7, 1).await;
    let leader = world.leader().await;
    let others: Vec<_> = world
        .nodes
        .keys()
        .copied()
        .filter(|id| *id != leader)
        .collect();
    for id in &others {
        world.stop(*id).await;
    }
    let began = Instant::now();
    assert!(world.try_advance(leader, 8, 1).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(4), "in bounded time");
    world.stop(leader).await;
    for id in [1, 2, 3] {
        world.start(id).await; // cold, all at once
    }
    assert!(matches!(world.advance(7, 2).await, Decision::Refused(_)));
    assert!(matches!(world.advance(9, 1).await, Decision::Grant(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_loses_its_key_hands_over_to_one_that_has_it() {
    let world = World::enrolled().await;
    let first = world.leader().await;
    let able = |able| Ability {
        can_sign: BTreeMap::from([(world.pkh(), able)]),
        ..Ability::default()
    };
    for node in world.nodes.values() {
        node.set_ability(able(true));
    }
    world.nodes[&first].set_ability(able(false));
    world
        .sees(first, "another leader", |view| {
            view.leader.is_some_and(|now| now != first)
        })
        .await;
    assert!(matches!(world.advance(1, 1).await, Decision::Grant(_)));
}

/// R30. Twice within the pause between two hand-overs: a key that is lost does not wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_loses_its_key_again_hands_over_again_at_once() {
    let world = World::enrolled().await;
    let able = |able| Ability {
        can_sign: BTreeMap::from([(world.pkh(), able)]),
        ..Ability::default()
    };
    for node in world.nodes.values() {
        node.set_ability(able(true));
    }
    let first = world.leader().await;
    let began = Instant::now();
    for _ in 0..2 {
        world.nodes[&first].set_ability(able(false));
        let view = world.sees(first, "another leader", |view| {
            view.leader.is_some_and(|now| now != first)
        });
        let next = view.await.leader.unwrap();
        world.nodes[&first].set_ability(able(true));
        let back = world.nodes[&next].transfer(Some(first), soon()).await;
        assert_eq!(back, Ok(first));
        world
            .sees(first, "its own lead", |view| view.is_leader)
            .await;
    }
    let pause = crate::config::Times::default().transfer_pause;
    assert!(began.elapsed() < pause, "{:?}", began.elapsed());
}

/// R30, the first trap: the only node that can sign was away while slots were granted.
#[tokio::test(flavor = "multi_thread")]
async fn the_only_able_node_leads_once_it_has_caught_up() {
    let mut world = World::enrolled().await;
    let first = world.leader().await;
    let able = |able| Ability {
        can_sign: BTreeMap::from([(world.pkh(), able)]),
        ..Ability::default()
    };
    let (can, cannot) = (able(true), able(false));
    let away = *world.nodes.keys().find(|id| **id != first).unwrap();
    world.stop(away).await;
    for (_, node) in world.nodes.iter().filter(|(id, _)| **id != away) {
        node.set_ability(cannot.clone());
    }
    for level in 1..=50 {
        world.advance(level, 1).await;
    }
    world.start(away).await;
    world.nodes[&away].set_ability(can);
    world
        .sees(first, "the able node leading", |view| {
            view.leader == Some(away)
        })
        .await;
    assert!(matches!(world.advance(50, 2).await, Decision::Refused(_)));
    assert!(matches!(world.advance(51, 1).await, Decision::Grant(_)));
}

/// R30, the second trap: neither of two nodes that lost different keys is the better leader.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_lost_different_keys_do_not_hand_over_to_and_fro() {
    let world = World::enrolled().await;
    let first = world.leader().await;
    let (one, other) = (world.pkh(), tezos_key());
    let mut lost = [(true, false), (false, true), (false, false)].into_iter();
    // The leader first, so that it is never the one without any key.
    let order = std::iter::once(first).chain(world.nodes.keys().copied().filter(|id| *id != first));
    for id in order {
        let (has_one, has_other) = lost.next().unwrap();
        world.nodes[&id].set_ability(Ability {
            can_sign: BTreeMap::from([(one, has_one), (other, has_other)]),
            ..Ability::default()
        });
    }
    let told = |view: &crate::cluster::View| {
        let hellos = view.peers.values().filter_map(|peer| peer.hello.as_ref());
        hellos.filter(|hello| hello.can_sign.len() == 2).count() == 2
    };
    let term = world.sees(first, "what the others lost", told).await.term;
    for level in 1..=100 {
        world.advance(level, 1).await;
        tokio::time::sleep(Duration::from_millis(10)).await; // several looks of the leader
    }
    let view = world.nodes[&first].view().borrow().clone();
    assert_eq!((view.leader, view.term), (Some(first), term));
}

fn tezos_key() -> tezos::PublicKeyHash {
    let secret = tezos::SecretKey::generate(tezos::Curve::P256).unwrap();
    secret.public_key().hash()
}

/// R11: what was never committed may be truncated, and the node that had it is believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_uncommitted_tail_was_truncated_is_not_refused() {
    let mut world = World::enrolled().await;
    world.advance(7, 1).await;
    world.marked(7).await;
    let first = world.leader().await;
    let others: Vec<_> = world
        .nodes
        .keys()
        .copied()
        .filter(|id| *id != first)
        .collect();
    for id in &others {
        world.stop(*id).await;
    }
    let before = world.nodes[&first].view().borrow().last_log;
    assert!(
        world.try_advance(first, 8, 1).await.is_err(),
        "nobody is there to commit it"
    );
    world
        .sees(first, "its own tail", |view| view.last_log > before)
        .await;
    world.stop(first).await;
    for id in &others {
        world.start(*id).await;
    }
    assert!(
        matches!(world.advance(8, 2).await, Decision::Grant(_)),
        "it was never granted"
    );
    world.start(first).await;
    world.marked(8).await;
    for id in &others {
        let view = world.sees(*id, "the node back", |view| {
            view.peers[&first].age().is_some_and(|age| age < PATIENCE)
        });
        assert_eq!(view.await.peers[&first].suspect, None);
    }
    assert!(matches!(world.advance(8, 1).await, Decision::Refused(_)));
}
