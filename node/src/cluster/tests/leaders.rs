//! Leaders come and go, on purpose and otherwise, and nothing that was granted is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use raft_store::command::Command;
use raft_store::ledger::Decision;
use tokio::time::{Instant, timeout};

use super::world::{PATIENCE, World, soon};
use crate::cluster::{Ability, TransferError};

/// How often a test tries what a machine that stands still for a moment can spoil.
const TRIES: u32 = 5;

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
    handed_over(&world, None).await;
    // To one that does not lead, which is the first of them unless an election was lost meanwhile.
    let leader = world.leader().await;
    let back = if leader == first {
        *world.nodes.keys().find(|id| **id != leader).unwrap()
    } else {
        first
    };
    handed_over(&world, Some(back)).await;
    done.store(true, Ordering::Relaxed);
    let last = load.await.unwrap();
    world.marked(last).await;

    let mut refused = None;
    for _ in 0..TRIES {
        let leader = world.leader().await;
        let (_, follower) = world.nodes.iter().find(|(id, _)| **id != leader).unwrap();
        let by_follower = follower.transfer(None, soon()).await;
        let by_leader = world.nodes[&leader].transfer(Some(9), soon()).await;
        refused = Some((by_follower, by_leader));
        let leader = Some(leader);
        let wanted = (
            Err(TransferError::NotLeader { leader }),
            Err(TransferError::NoVoter(9)),
        );
        if refused == Some(wanted) {
            return;
        }
    }
    panic!("{refused:?}");
}

/// Has the leader hand over, to anybody or to the node that is named. A leader that has just begun,
/// or was not run for a while, may have heard nobody yet, or lead no more: it is asked again.
async fn handed_over(world: &World, to: Option<u64>) {
    let mut told = Vec::new();
    for _ in 0..TRIES {
        let leader = world.leader().await;
        if to == Some(leader) {
            return; // an election came first
        }
        world
            .sees(leader, "a peer that is there", |view| {
                let mut ages = view.peers.values().filter_map(|peer| peer.age());
                ages.any(|age| age < Duration::from_secs(1))
            })
            .await;
        match world.nodes[&leader].transfer(to, soon()).await {
            Ok(now) if now != leader && to.is_none_or(|to| to == now) => return,
            Ok(other) => told.push(format!("node {other} leads")),
            Err(error @ (TransferError::Nobody | TransferError::NotLeader { .. })) => {
                told.push(error.to_string());
            }
            Err(error) => panic!("{leader} to {to:?}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no transfer to {to:?}: {told:?}");
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
    assert!(began.elapsed() < Duration::from_secs(8), "in bounded time");
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
        world
            .sees(next, "its own lead", |view| view.is_leader)
            .await;
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
    let now = world.nodes[&first].view().borrow().term;
    // To and fro would be once in a heartbeat, for more than a second. A machine that stands still
    // may cost an election, and a hand-over if who has no key wins it.
    assert!(now < term + 3, "{term} to {now}");
}

fn tezos_key() -> tezos::PublicKeyHash {
    let secret = tezos::SecretKey::generate(tezos::Curve::P256).unwrap();
    secret.public_key().hash()
}

/// R11: what was never committed may be truncated, and the node that had it is believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_uncommitted_tail_was_truncated_is_not_refused() {
    let mut world = World::enrolled().await;
    let mut tail = None;
    for level in 8..8 + TRIES {
        world.advance(level - 1, 1).await;
        world.marked(level - 1).await;
        let first = world.leader().await;
        let mut others = world.nodes.keys().copied().filter(|id| *id != first);
        let others = [others.next().unwrap(), others.next().unwrap()];
        let before = world.nodes[&first].ledger().unwrap().state().applied();
        // The leader appends only while its lease holds, which is half a second after their end.
        world.end_both(others).await;
        let asked = world.try_advance(first, level, 1).await;
        assert!(asked.is_err(), "nobody is there to commit it: {asked:?}");
        for id in others {
            world.freed(id).await;
        }
        let mut view = world.nodes[&first].view();
        let grown = view.wait_for(|view| view.last_log > before.map(|id| id.index));
        if timeout(Duration::from_secs(2), grown).await.is_ok() {
            tail = Some((level, first, others));
            break;
        }
        for id in others {
            world.start(id).await;
        }
    }
    let (level, first, others) = tail.expect("the leader appends");
    world.stop(first).await;
    for id in others {
        world.start(id).await;
    }
    let other = world.advance(level, 2).await;
    assert!(
        matches!(other, Decision::Grant(_)),
        "it was never granted: {other:?}"
    );
    world.start(first).await;
    world.marked(level).await;
    for id in others {
        let view = world.sees(id, "the node back", |view| {
            view.peers[&first].age().is_some_and(|age| age < PATIENCE)
        });
        assert_eq!(view.await.peers[&first].suspect, None);
    }
    assert!(matches!(
        world.advance(level, 1).await,
        Decision::Refused(_)
    ));
}
