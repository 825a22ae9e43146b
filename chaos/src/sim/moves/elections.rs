//! Who leads, and who forgets whom it voted for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::restarts::{after_the_vote, blow_after, downtime};
use super::{begins, ends};
use crate::sim::dice::Dice;
use crate::sim::gate::Gate;
use crate::sim::host::Blow;
use crate::sim::network::Machine;
use crate::sim::world::{MACHINES, World};

/// A process stops, as under SIGSTOP, while time goes on.
pub fn pause(world: &Arc<World>, machine: Machine, dice: &mut Dice) {
    let time = if dice.chance(500) {
        dice.millis(50, 600)
    } else {
        dice.millis(600, 3_000)
    };
    pause_for(world, machine, time);
}

/// A process stops for `time`.
pub fn pause_for(world: &Arc<World>, machine: Machine, time: Duration) {
    let Some(life) = world.life(machine) else {
        return;
    };
    life.process().pause();
    let fault = begins(world, "pause", &[machine], "nothing of it is polled");
    ends(world, fault, time, move |_world| life.process().resume());
}

/// The leader goes, and whoever votes for the next one loses its power with the vote on its way;
/// then it comes back at once, while others may still ask for the same term.
pub fn voter_loses_power(world: &Arc<World>, mut dice: Dice) {
    let Some(leader) = world.leader() else {
        return;
    };
    for machine in MACHINES.into_iter().filter(|machine| *machine != leader) {
        let Some(life) = world.life(machine) else {
            continue;
        };
        let down = dice.millis(1, 60);
        let struck = Arc::downgrade(world);
        life.ambush(Gate::VoteLeaves, 1, move || {
            if let Some(world) = struck.upgrade().filter(|world| !world.healing()) {
                world.coverage.count(Gate::VoteLeaves.name());
                after_the_vote(&world, machine, Blow::PowerCut, down);
            }
        });
    }
    let down = downtime(&mut dice);
    if dice.chance(500) {
        blow_after(world, leader, Blow::Kill, down, "kill");
    } else {
        pause_for(world, leader, down.max(Duration::from_millis(900)));
    }
}

/// The leader's own disk is slow, so entries are committed by its followers alone; then it loses its
/// power with them, and is back before anybody misses it.
pub fn leader_loses_tail(world: &Arc<World>, mut dice: Dice) {
    let Some(leader) = world.leader() else {
        return;
    };
    let Some(host) = world.host(leader) else {
        return;
    };
    let slow = dice.between(60_000, 300_000);
    host.drive.pace((slow, slow));
    let fault = begins(world, "slow disk", &[leader], "its fsyncs take longer");
    let (cut, down) = (dice.millis(30, 400), dice.millis(1, 60));
    let fast = world.plan.fsync_us;
    let also = dice.chance(300).then(|| dice.millis(1, 50));
    let world = Arc::clone(world);
    tokio::spawn(async move {
        sleep(cut).await;
        host.drive.pace(fast);
        world.history.fault_ended(fault);
        if world.healing() {
            return;
        }
        blow_after(&world, leader, Blow::PowerCut, down, "power cut");
        // Sometimes one of those who know more goes as well.
        if let Some(after) = also {
            sleep(after).await;
            let other = MACHINES.into_iter().find(|machine| *machine != leader);
            if let Some(other) = other.filter(|_| !world.healing()) {
                blow_after(&world, other, Blow::Kill, down, "kill");
            }
        }
    });
}

/// The leader hands over because an operator says so.
pub fn transfer(world: &Arc<World>) {
    let Some(running) = world
        .leader()
        .and_then(|leader| world.host(leader))
        .and_then(|host| host.running())
    else {
        return;
    };
    let (world, cluster) = (Arc::clone(world), running.cluster.clone());
    let now = Instant::now();
    let deadline = now.checked_add(Duration::from_secs(2)).unwrap_or(now);
    let handing = running
        .life
        .process()
        .spawn(async move { cluster.transfer(None, deadline).await });
    tokio::spawn(async move {
        if let Ok(Ok(Ok(_leader))) = running.life.outlives(handing).await {
            world.coverage.count("event: leadership handed over");
        }
    });
}

/// The machines that are not this one.
pub fn others(machine: Machine) -> Vec<Machine> {
    MACHINES
        .into_iter()
        .filter(|other| *other != machine)
        .collect()
}
