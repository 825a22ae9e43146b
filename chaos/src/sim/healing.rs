//! The end of a run: nothing is broken any more, and the cluster must show that it is whole.

use std::sync::Arc;
use std::time::Duration;

use judge::history::{Event, Mark};
use node::dev::message::consensus;
use tezos::Kind;
use tokio::time::sleep;

use super::ask::{Patience, Question, SERVER_TIMEOUT, ask};
use super::baker::slot;
use super::host::Blow;
use super::keys::pair;
use super::moves::elections::others;
use super::network::Machine;
use super::signer::Mood;
use super::witness::mark;
use super::world::{MACHINES, World};

/// Within this a fresh slot must be signed after the last fault: hellos, an election that is lost
/// once, and a request that waits for it.
pub const BOUND: Duration = Duration::from_secs(10);

/// The time in which the nodes agree after the last signature.
const SETTLES: Duration = Duration::from_secs(5);

/// Mends everything, asks for a fresh slot of the first key until it is signed, and writes down what
/// every node knows in the end.
pub async fn heal(world: &Arc<World>) {
    world.heals();
    mend(world);
    take_suspects_away(world);
    let whole: Vec<Machine> = MACHINES
        .into_iter()
        .filter(|machine| world.host(*machine).is_some_and(|host| !host.condemned()))
        .collect();
    let bound_us = u64::try_from(BOUND.as_micros()).unwrap_or(u64::MAX);
    let nodes = whole.iter().map(|machine| machine.0).collect();
    world.history.write(Event::Healed { bound_us, nodes });
    for machine in &whole {
        world.start_later(*machine, Duration::ZERO);
    }
    sign_afresh(world, &whole).await;
    agree(world, &whole).await;
    for machine in whole {
        state(world, machine);
    }
}

fn mend(world: &Arc<World>) {
    world.network.heal();
    world.network.weather(world.plan.weather);
    for host in world.hosts() {
        host.drive.pace(world.plan.fsync_us);
        host.drive.fail(false);
        host.hsm.mood(Mood::Well);
        if let Some(life) = host.life() {
            life.disarm();
            life.process().resume();
        }
    }
}

/// An operator who mends a cluster switches a machine off whose disk is not its own. One that goes on
/// may lead at an address at which nobody reaches it, and then its followers sign nothing.
fn take_suspects_away(world: &Arc<World>) {
    for host in world.hosts().iter().filter(|host| host.condemned()) {
        host.strike(world, Blow::PowerCut);
    }
}

/// Asks for slots above everything that anybody asked for before.
async fn sign_afresh(world: &Arc<World>, whole: &[Machine]) {
    let Some(plan) = world.plan.keys.first() else {
        return;
    };
    let Some(pair) = pair(plan.curve, plan.set) else {
        return;
    };
    let level = world.plan.level.as_millis();
    let steps = world.plan.span.as_millis().checked_div(level);
    let steps = steps.and_then(|steps| u32::try_from(steps).ok());
    let steps = steps.unwrap_or(0).saturating_add(100);
    let Some(slot) = slot(plan.first_level.saturating_add(steps), 0) else {
        return;
    };
    let question = Question {
        client: 0,
        key: pair.public().hash(),
        bytes: consensus(plan.curve, Kind::Attestation, super::plan::MAINNET, slot, 0),
    };
    let patience = Patience {
        way: Duration::from_millis(1),
        hangs_up: SERVER_TIMEOUT,
    };
    let ends = world.history.at_us().saturating_add(
        u64::try_from(BOUND.as_micros())
            .unwrap_or(u64::MAX)
            .saturating_mul(2),
    );
    'asking: while world.history.at_us() < ends {
        for machine in whole {
            let answer = ask(world, *machine, &question, patience).await;
            if answer.status == 200 {
                break 'asking;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Waits until every node has applied what the furthest one has.
async fn agree(world: &Arc<World>, whole: &[Machine]) {
    let ends = world
        .history
        .at_us()
        .saturating_add(u64::try_from(SETTLES.as_micros()).unwrap_or(u64::MAX));
    loop {
        let applied: Vec<Option<u64>> = whole.iter().map(|one| applied(world, *one)).collect();
        let first = applied.first().copied().flatten();
        let agreed = first.is_some() && applied.iter().all(|one| *one == first);
        if agreed || world.history.at_us() >= ends {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn applied(world: &World, machine: Machine) -> Option<u64> {
    let running = world.host(machine)?.running()?;
    let ledger = running.cluster.ledger()?.clone();
    let state = ledger.state();
    state.applied().map(|id| id.index)
}

fn state(world: &World, machine: Machine) {
    let Some(running) = world.host(machine).and_then(|host| host.running()) else {
        return;
    };
    let Some(ledger) = running.cluster.ledger().cloned() else {
        return;
    };
    let marks: Vec<Mark> = {
        let state = ledger.state();
        let keys = state.keys.iter();
        keys.flat_map(|(hash, key)| {
            key.marks
                .iter()
                .map(|((chain, kind), now)| mark(*hash, *chain, *kind, now))
        })
        .collect()
    };
    let node = machine.0;
    world.history.write(Event::State { node, marks });
}

/// Waits until somebody leads and the others know it.
pub async fn leader(world: &Arc<World>, within: Duration) -> bool {
    let ends = world
        .history
        .at_us()
        .saturating_add(u64::try_from(within.as_micros()).unwrap_or(u64::MAX));
    while world.history.at_us() < ends {
        if let Some(leader) = world.leader() {
            let knows = |machine: &Machine| {
                let running = world.host(*machine).and_then(|host| host.running());
                running
                    .is_some_and(|running| running.cluster.view().borrow().leader == Some(leader.0))
            };
            if others(leader).iter().all(knows) {
                return true;
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
    false
}
