//! The faults, by what they break.

pub mod disks;
pub mod elections;
pub mod network;
pub mod restarts;
pub mod signers;

use std::sync::Arc;
use std::time::Duration;

use node::dev::message::consensus;
use tezos::{Kind, Slot};
use tokio::time::sleep;

use super::ask::{Patience, Question, SERVER_TIMEOUT, ask};
use super::baker::slot;
use super::keys::pair;
use super::network::Machine;
use super::plan::MAINNET;
use super::world::World;

/// Begins a fault: it is counted, and stands in the history with how it is known to have hit.
pub fn begins(world: &World, name: &str, machines: &[Machine], proof: &str) -> u64 {
    world.coverage.count(&format!("fault: {name}"));
    let nodes = machines.iter().map(|machine| world.node_of(*machine));
    world.history.fault(name, nodes.collect(), proof.to_owned())
}

/// Ends a fault after a while, or at the healing, whichever comes first.
pub fn ends(
    world: &Arc<World>,
    fault: u64,
    after: Duration,
    undo: impl FnOnce(&Arc<World>) + Send + 'static,
) {
    let world = Arc::clone(world);
    tokio::spawn(async move {
        sleep(after).await;
        if !world.healing() {
            undo(&world);
            world.history.fault_ended(fault);
        }
    });
}

/// Somebody asks one machine for a slot of the first key that nobody asked for, one round further.
pub fn asks_afresh(world: &Arc<World>, machine: Machine) {
    let Some(pair) = world
        .plan
        .keys
        .first()
        .and_then(|plan| pair(plan.curve, plan.set))
    else {
        return;
    };
    let key = pair.public().hash();
    let running = world.host(machine).and_then(|host| host.running());
    let Some(ledger) = running.and_then(|running| running.cluster.ledger().cloned()) else {
        return;
    };
    let kind = Kind::Attestation;
    let mark = {
        let state = ledger.state();
        let marks = state.keys.get(&key).map(|key| &key.marks);
        marks.and_then(|marks| Some(marks.get(&(MAINNET, kind))?.slot))
    };
    let next = |mark: Slot| slot(mark.level.get(), mark.round.get().saturating_add(1));
    let Some(slot) = mark.and_then(next) else {
        return;
    };
    let question = Question {
        client: SOMEBODY,
        key,
        bytes: consensus(pair.public().curve(), kind, MAINNET, slot, SOMEBODY),
    };
    let patience = Patience {
        way: Duration::from_micros(100),
        hangs_up: SERVER_TIMEOUT,
    };
    let world = Arc::clone(world);
    tokio::spawn(async move {
        ask(&world, machine, &question, patience).await;
    });
}

/// The number under which the schedule itself asks for signatures.
const SOMEBODY: u64 = 98;
