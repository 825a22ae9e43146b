//! P1: for each (key, chain, kind, level, round) at most one message is ever signed.

use std::sync::Arc;

use node::dev::Settings;
use tezos::{Curve, Kind, PublicKey};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::judge::Judge;
use crate::world::{CURVES, Outcome, World, attestation, insist, post, slot};

const TASKS: u64 = 100;

/// Room for all tasks at once: this is about who wins, not about overload.
fn roomy() -> Settings {
    Settings {
        signer: vec!["limits.in_flight_per_key_max = 256".to_owned()],
        ..Settings::default()
    }
}

/// R3. 100 tasks, each with a message of its own, spread over all nodes, are let loose on one slot
/// by a barrier; slot by slot.
#[tokio::test]
async fn of_100_conflicting_messages_over_all_nodes_exactly_one_is_signed_in_each_slot() {
    let mut world = World::with(&[Curve::Ed25519], "after-commit", roomy()).await;
    let key = world.key(Curve::Ed25519);
    for _ in 0..20 {
        let slot = world.next_slot();
        let barrier = Arc::new(Barrier::new(usize::try_from(TASKS).unwrap()));
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let client = world.client(&[task % 3 + 1]);
            let (judge, barrier, key) =
                (Arc::clone(&world.judge), Arc::clone(&barrier), key.clone());
            tasks.spawn(async move {
                let message = attestation(&key, slot, task);
                barrier.wait().await;
                insist(&client, &judge, &key, &message).await
            });
        }
        let outcomes = tasks.join_all().await;
        let signed = outcomes
            .iter()
            .filter(|one| matches!(one, Outcome::Signed(_)))
            .count();
        let refused = outcomes
            .iter()
            .filter(|one| matches!(one, Outcome::Refused(409, _)))
            .count();
        assert_eq!((signed, refused), (1, 99), "at {slot}: {outcomes:?}");
    }
    assert_eq!(world.judge.places(), 20);
}

/// R3. The same without any order: the slots are mixed, so a task may find the mark above it.
#[tokio::test]
async fn of_conflicting_messages_sent_all_at_once_at_most_one_is_signed_in_each_slot() {
    let world = World::with(&[Curve::Ed25519], "after-commit", roomy()).await;
    let key = world.key(Curve::Ed25519);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let client = world.client(&[task % 3 + 1]);
        let (judge, key) = (Arc::clone(&world.judge), key.clone());
        tasks.spawn(async move {
            for level in 1..=10 {
                // Each task begins at another level, so that all of them are asked for at once.
                let level = (level + u32::try_from(task).unwrap()) % 10 + 1;
                let message = attestation(&key, slot(level, 0), task);
                let outcome = insist(&client, &judge, &key, &message).await;
                assert!(
                    matches!(outcome, Outcome::Signed(_) | Outcome::Refused(409, _)),
                    "{outcome:?}"
                );
            }
        });
    }
    tasks.join_all().await;
    // The judge has seen every signature. The highest slot was certainly won by somebody.
    assert!((1..=10).contains(&world.judge.places()));
}

/// R1, R5. The leader is killed a little later each time after a request was sent to it, so that
/// the deaths are spread over every step of the path, and a rival message is asked for at once.
#[tokio::test]
async fn whatever_step_the_leader_dies_at_the_slot_has_one_message_and_is_not_lost() {
    let mut world = World::of(&[Curve::Ed25519]).await;
    let key = world.key(Curve::Ed25519);
    deaths_at_every_step(&mut world, &key).await;
}

/// R14. The same with a Record between signing and releasing.
#[tokio::test]
async fn whatever_step_the_leader_dies_at_a_key_that_records_first_releases_one_signature() {
    let mut world = World::with(&[Curve::P256], "after-record", Settings::default()).await;
    let key = world.key(Curve::P256);
    deaths_at_every_step(&mut world, &key).await;
}

async fn deaths_at_every_step(world: &mut World, key: &PublicKey) {
    // As long as an undisturbed request takes, and half of that again, in twelve steps.
    let leader = world.leader().await;
    let client = world.client(&[leader]);
    let start = Instant::now();
    for _ in 0..10 {
        let message = attestation(key, world.next_slot(), 0);
        insist(&client, &world.judge, key, &message)
            .await
            .signature();
    }
    let step_length = start.elapsed() / 10 / 8;
    let mut answered = 0;
    for step in 0..12_u32 {
        let slot = world.next_slot();
        let (mine, rival) = (attestation(key, slot, 0), attestation(key, slot, 1));
        let leader = world.leader().await;
        let sent = crate::raw::send(world.port(leader), &post(key, &mine)).await;
        // Not a synchronisation but the sweep itself: one step further into the path each time.
        std::thread::sleep(step_length * step);
        world.kill(leader);
        let early = sent.answer().await.map(|answer| answer.signature());

        let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
        let (first, second) = tokio::join!(
            world.insist(&others, key, &mine),
            world.insist(&others, key, &rival),
        );
        match (first, second, early) {
            (Outcome::Signed(now), Outcome::Refused(409, _), early) => {
                answered += usize::from(early.is_some());
                assert!(
                    early.is_none_or(|early| early == now.to_string()),
                    "at step {step}"
                );
            }
            (Outcome::Refused(409, _), Outcome::Signed(_), None) => {}
            other => panic!("at step {step}: {other:?}"),
        }
        world.start(leader);
        world.ready().await;
    }
    println!("the leader had answered before it died in {answered} of 12 deaths");
}

/// R1. Ten deaths of any node, the whole cluster once among them, under a load of rival bakers on every key.
#[tokio::test]
async fn deaths_under_load_never_let_two_messages_through() {
    let mut world = World::of(&CURVES).await;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let won = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut bakers = JoinSet::new();
    for curve in CURVES {
        let clients = [world.client(&[1, 2, 3]), world.client(&[3, 2, 1])];
        let (key, judge) = (world.key(curve), Arc::clone(&world.judge));
        let (stop, won) = (Arc::clone(&stop), Arc::clone(&won));
        bakers.spawn(async move {
            let mut level = 1;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                rivals(&clients, &judge, &key, level).await;
                won.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                level += 1;
            }
        });
    }
    for death in 0..10_u64 {
        let wanted = won.load(std::sync::atomic::Ordering::Relaxed) + 7;
        node::dev::deadline::wait_for("more slots", crate::world::PATIENCE, || async {
            let now = won.load(std::sync::atomic::Ordering::Relaxed);
            if now >= wanted {
                Ok(())
            } else {
                Err(format!("{now} of {wanted}"))
            }
        })
        .await
        .unwrap();
        let victims = if death == 5 {
            vec![1, 2, 3]
        } else {
            vec![death % 3 + 1]
        };
        victims.iter().for_each(|id| world.kill(*id));
        victims.iter().for_each(|id| world.start(*id));
        world.ready().await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    bakers.join_all().await;
    assert_eq!(
        world.judge.places(),
        won.load(std::sync::atomic::Ordering::Relaxed)
    );
}

async fn rivals(clients: &[client::Client; 2], judge: &Judge, key: &PublicKey, level: u32) {
    let messages = [0, 1].map(|flavour| {
        node::dev::message::consensus(
            key.curve(),
            Kind::Block,
            crate::world::CHAIN,
            slot(level, 0),
            flavour,
        )
    });
    let [one, other] = clients;
    let [mine, theirs] = &messages;
    let outcomes = tokio::join!(
        insist(one, judge, key, mine),
        insist(other, judge, key, theirs)
    );
    let exactly_one = matches!(
        outcomes,
        (Outcome::Signed(_), Outcome::Refused(409, _))
            | (Outcome::Refused(409, _), Outcome::Signed(_))
    );
    assert!(exactly_one, "{} at level {level}: {outcomes:?}", key.hash());
}
