//! Processes that are killed and machines that lose their power, and come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::{begins, ends};
use crate::sim::dice::Dice;
use crate::sim::gate::Gate;
use crate::sim::healing;
use crate::sim::host::Blow;
use crate::sim::network::Machine;
use crate::sim::world::{MACHINES, World};

/// One process goes, and comes back.
pub fn strike(world: &Arc<World>, machine: Machine, blow: Blow, dice: &mut Dice) {
    blow_after(world, machine, blow, downtime(dice), name(blow));
}

/// Two machines lose their power in one moment.
pub fn two(world: &Arc<World>, spared: Machine, dice: &mut Dice) {
    let hit: Vec<Machine> = MACHINES.into_iter().filter(|one| *one != spared).collect();
    several(world, &hit, Blow::PowerCut, "power cut of two", dice);
}

/// All go in one moment.
pub fn all(world: &Arc<World>, blow: Blow, dice: &mut Dice) {
    let name = match blow {
        Blow::Kill => "kill of all",
        Blow::PowerCut => "power cut of all",
    };
    several(world, &MACHINES, blow, name, dice);
}

/// A process is killed, starts over what it had not synced, acknowledges some of it perhaps, and
/// then the power goes: what only the cache held was never durable.
pub fn kill_then_cut(world: &Arc<World>, machine: Machine, mut dice: Dice) {
    let Some(host) = world.host(machine) else {
        return;
    };
    if !host.strike(world, Blow::Kill) {
        return;
    }
    let fault = begins(world, "kill", &[machine], "the process is gone");
    world.history.fault_ended(fault);
    let back = dice.millis(1, 80);
    let cut = dice.millis(5, 2_000);
    let down = downtime(&mut dice);
    world.start_later(machine, back);
    let world = Arc::clone(world);
    tokio::spawn(async move {
        sleep(back.saturating_add(cut)).await;
        if !world.healing() {
            blow_after(&world, machine, Blow::PowerCut, down, "power cut");
        }
    });
}

/// A disk is slow for a while, and then the power goes with all that it had not synced.
pub fn slow_then_cut(world: &Arc<World>, machine: Machine, mut dice: Dice) {
    let Some(host) = world.host(machine) else {
        return;
    };
    let slow = dice.between(60_000, 250_000);
    host.drive.pace((slow, slow));
    let fault = begins(world, "slow disk", &[machine], "its fsyncs take longer");
    let (cut, down) = (dice.millis(100, 900), downtime(&mut dice));
    let world = Arc::clone(world);
    tokio::spawn(async move {
        sleep(cut).await;
        if !world.healing() {
            host.drive.pace(world.plan.fsync_us);
            world.history.fault_ended(fault);
            blow_after(&world, machine, Blow::PowerCut, down, "power cut");
        }
    });
}

/// One follower is away, and the bakers are silent but for one request. The disk of the other follower
/// stands still; it is killed with that entry in the cache, which is on no disk but the leader's, and
/// is back soon. What it reads back it must not take for durable.
pub async fn trusts_its_cache(world: &Arc<World>, mut dice: Dice) {
    let (waits, before) = (Duration::from_millis(400), dice.millis(1, 60));
    // Nobody believes a new start for a second after the old one was heard, and one that waits for that
    // campaigns meanwhile.
    let (back, down) = (dice.millis(1_050, 1_300), downtime(&mut dice));
    let stays = back.saturating_add(dice.millis(600, 1_000));
    let slow = dice.between(2_500_000, 3_000_000);
    if !healing::leader(world, Duration::from_secs(1)).await {
        return;
    }
    world.silence(waits.saturating_mul(2).saturating_add(stays));
    sleep(waits).await;
    let Some(leader) = world.leader() else {
        return;
    };
    let mut followers = super::elections::others(leader);
    if dice.chance(500) {
        followers.reverse();
    }
    let [away, killed] = followers[..] else {
        return;
    };
    let Some(host) = world.host(killed) else {
        return;
    };
    world.network.isolate(away, &MACHINES);
    let gone = begins(world, "isolated node", &[away], "messages are lost");
    // Longer than all that follows: nothing that comes later syncs what it left.
    host.drive.pace((slow, slow));
    let fault = begins(world, "slow disk", &[killed], "its fsyncs take seconds");
    super::asks_afresh(world, leader);
    for _wait in 0..30 {
        if host.disk.unsynced() > 0 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    sleep(before).await;
    blow_after(world, killed, Blow::Kill, back, "kill");
    sleep(stays).await;
    host.drive.pace(world.plan.fsync_us);
    world.history.fault_ended(fault);
    super::network::mend(world, away);
    world.history.fault_ended(gone);
    blow_after(world, killed, Blow::PowerCut, down, "power cut");
}

/// The process goes, or the power, at the next passages of a gate.
pub fn ambush(world: &Arc<World>, machine: Machine, gate: Gate, mut dice: Dice) {
    let Some(life) = world.life(machine) else {
        return;
    };
    let passages = dice.between(1, 12);
    let blow = if dice.chance(600) {
        Blow::PowerCut
    } else {
        Blow::Kill
    };
    let down = downtime(&mut dice);
    let pause = dice.chance(200).then(|| dice.millis(300, 2_000));
    let struck = Arc::downgrade(world);
    life.ambush(gate, passages, move || {
        let Some(world) = struck.upgrade().filter(|world| !world.healing()) else {
            return;
        };
        world.coverage.count(gate.name());
        match pause {
            Some(time) => super::elections::pause_for(&world, machine, time),
            None if gate == Gate::VoteLeaves => after_the_vote(&world, machine, blow, down),
            None => blow_after(&world, machine, blow, down, name(blow)),
        }
    });
}

/// A node leaves as its operator lets it, and comes back.
pub fn drain(world: &Arc<World>, machine: Machine, mut dice: Dice) {
    let Some(host) = world.host(machine).filter(|host| host.running().is_some()) else {
        return;
    };
    let led = host.leads();
    let fault = begins(world, "drain and restart", &[machine], "exit code 0");
    let down = downtime(&mut dice);
    let world = Arc::clone(world);
    tokio::spawn(async move {
        if host.drain(&world).await {
            if led {
                world.coverage.count("event: leadership handed over");
            }
            world.start_later(machine, down);
        }
        world.history.fault_ended(fault);
    });
}

/// The vote itself gets away; the voter dies a moment later.
pub fn after_the_vote(world: &Arc<World>, machine: Machine, blow: Blow, down: Duration) {
    let world = Arc::clone(world);
    tokio::spawn(async move {
        sleep(Duration::from_millis(1)).await;
        if !world.healing() {
            blow_after(&world, machine, blow, down, name(blow));
        }
    });
}

/// Strikes, and starts the machine again after `down`.
pub fn blow_after(
    world: &Arc<World>,
    machine: Machine,
    blow: Blow,
    down: Duration,
    name: &'static str,
) {
    let Some(host) = world.host(machine) else {
        return;
    };
    let struck = host.strike(world, blow);
    if !struck && blow == Blow::PowerCut {
        host.cut_power_while_down(world);
    }
    if struck {
        let fault = begins(world, name, &[machine], "the process is gone");
        ends(world, fault, down, move |world| {
            world.start_later(machine, Duration::ZERO);
        });
    }
}

/// Mostly soon, so that who comes back meets what it left.
pub fn downtime(dice: &mut Dice) -> Duration {
    match dice.between(0, 3) {
        0 | 1 => dice.millis(1, 150),
        2 => dice.millis(100, 900),
        _ => dice.millis(500, 2_500),
    }
}

/// The name of a blow among the faults.
pub const fn name(blow: Blow) -> &'static str {
    match blow {
        Blow::Kill => "kill",
        Blow::PowerCut => "power cut",
    }
}

fn several(world: &Arc<World>, hit: &[Machine], blow: Blow, name: &'static str, dice: &mut Dice) {
    let fault = begins(world, name, hit, "the processes are gone");
    world.history.fault_ended(fault);
    for machine in hit {
        blow_after(world, *machine, blow, downtime(dice), self::name(blow));
    }
}
