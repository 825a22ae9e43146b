//! Disks that are slow, fail, or are not the ones they were.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use judge::history::Event;
use raft_store::memory::MemoryFolder;
use raft_store::types::{Fingerprint, LogId};
use tokio::time::sleep;

use super::elections::others;
use super::{begins, ends};
use crate::sim::dice::Dice;
use crate::sim::host::{Blow, Host};
use crate::sim::network::Machine;
use crate::sim::world::World;

/// The fsyncs of one machine take long.
pub fn slow(world: &Arc<World>, machine: Machine, dice: &mut Dice) {
    let Some(host) = world.host(machine) else {
        return;
    };
    let low = dice.between(20_000, 200_000);
    host.drive.pace((low, low.saturating_mul(2)));
    let fault = begins(world, "slow disk", &[machine], "its fsyncs take longer");
    ends(world, fault, dice.millis(200, 2_500), move |world| {
        host.drive.pace(world.plan.fsync_us);
    });
}

/// The next fsync of one machine fails, and what it was for is gone.
pub fn failing_fsync(world: &Arc<World>, machine: Machine, dice: &mut Dice) {
    let Some(host) = world.host(machine) else {
        return;
    };
    host.drive.fail(true);
    let fault = begins(world, "failing fsync", &[machine], "exit code 74");
    ends(world, fault, dice.millis(300, 1_500), move |_world| {
        host.drive.fail(false);
    });
}

/// How a disk is put in another's place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Swap {
    Wiped,
    MadeAnew,
    Restored,
    CloneBeside,
    CloneAfter,
}

/// The disk of one machine is wiped, restored or copied. Once a run, and with everybody who knows
/// better awake and connected: more than that is among what Quorate does not promise to notice.
///
/// Before an older disk comes back, the third node's disk stands still for a moment, so that what is
/// lost was acknowledged by the lost disk and one other only; after it the other one is cut off. A
/// node that takes the old disk for a good one then forms a majority with it that knows nothing.
pub async fn swap(world: &Arc<World>, machine: Machine, mut dice: Dice) {
    let swaps = [
        (2, Swap::Wiped),
        (2, Swap::MadeAnew),
        (5, Swap::Restored),
        (4, Swap::CloneBeside),
        (4, Swap::CloneAfter),
    ];
    let swap = *dice.weighted(&swaps).unwrap_or(&Swap::Restored);
    let Some(host) = world.host(machine).filter(|host| host.running().is_some()) else {
        return;
    };
    match swap {
        Swap::Wiped | Swap::MadeAnew => wipe(world, &host, swap == Swap::MadeAnew, &mut dice).await,
        Swap::Restored => restore(world, &host, &mut dice).await,
        Swap::CloneBeside => clone_beside(world, &host, &mut dice).await,
        Swap::CloneAfter => clone_after(world, &host, &mut dice).await,
    }
}

async fn wipe(world: &Arc<World>, host: &Arc<Host>, made_anew: bool, dice: &mut Dice) {
    host.condemn();
    host.strike(world, Blow::PowerCut);
    let before = host.disk.durable_log();
    host.disk.wipe();
    other_disk(world, host, &before);
    begins(
        world,
        "disk wiped",
        &[host.machine],
        "the data folder is empty",
    );
    if made_anew {
        // `quorate init` makes another key, which nobody has pinned.
        let key = Fingerprint(dice.bytes());
        MemoryFolder::create(&host.disk, key).ok();
    }
    sleep(dice.millis(10, 500)).await;
    host.start(world);
    sleep(Duration::from_millis(1_500)).await;
}

async fn restore(world: &Arc<World>, host: &Arc<Host>, dice: &mut Dice) {
    // Hellos have gone round since, so the others know what this disk once held.
    let image = host.disk.image();
    sleep(dice.millis(1_200, 2_000)).await;
    let straggler = straggler(world, host.machine, dice);
    sleep(dice.millis(600, 1_200)).await;
    host.condemn();
    host.strike(world, Blow::PowerCut);
    let before = host.disk.durable_log();
    host.disk.put(image);
    other_disk(world, host, &before);
    begins(
        world,
        "disk restored",
        &[host.machine],
        "its log is shorter than it was",
    );
    one_of_them_is_cut_off(world, host.machine, straggler, dice);
    sleep(dice.millis(1, 100)).await;
    host.start(world);
    sleep(Duration::from_millis(2_500)).await;
}

/// A copy of a running disk is started on a machine of its own, beside the original.
async fn clone_beside(world: &Arc<World>, host: &Arc<Host>, dice: &mut Dice) {
    let disk = raft_store::memory::MemoryDisk::of(host.disk.image());
    sleep(dice.millis(0, 1_500)).await;
    let copy = Machine(host.machine.0.saturating_add(COPIES));
    let copy = Host::new(world, copy, host.node, host.key, disk);
    copy.condemn();
    // Whichever of the two counts a boot that the other one does not have is refused.
    host.condemn();
    world.add(Arc::clone(&copy));
    begins(
        world,
        "clone beside",
        &[host.machine],
        "two processes have one key",
    );
    copy.start(world);
    sleep(Duration::from_millis(2_500)).await;
}

/// The machine is gone; a copy of its disk from a while ago runs in its place, at its address.
async fn clone_after(world: &Arc<World>, host: &Arc<Host>, dice: &mut Dice) {
    let image = host.disk.image();
    sleep(dice.millis(1_200, 2_500)).await;
    host.condemn();
    host.strike(world, Blow::Kill);
    let before = host.disk.durable_log();
    host.disk.put(image);
    other_disk(world, host, &before);
    begins(
        world,
        "clone after",
        &[host.machine],
        "another copy is started in its place",
    );
    sleep(dice.millis(1, 2_000)).await;
    host.start(world);
    sleep(Duration::from_millis(2_000)).await;
}

/// The judge holds the node to nothing that the disk before held, and counts it no more.
fn other_disk(world: &World, host: &Host, before: &[LogId]) {
    let now: BTreeSet<LogId> = host.disk.durable_log().into_iter().collect();
    let gone = before.iter().find(|id| !now.contains(id));
    let from = gone.map(|id| id.index);
    let node = host.node;
    world.history.write(Event::OtherDisk { node });
    if let Some(from) = from {
        world.history.write(Event::Undone { node, from });
    }
}

/// The disk of a third node stands still, so that it lacks what the other two commit.
fn straggler(world: &Arc<World>, machine: Machine, dice: &mut Dice) -> Option<Machine> {
    let straggler = *dice.one_of(&others(machine))?;
    let host = world.host(straggler)?;
    host.drive.pace((2_000_000, 2_500_000));
    let fault = begins(world, "slow disk", &[straggler], "its fsyncs take seconds");
    ends(world, fault, Duration::from_millis(2_000), move |world| {
        host.drive.pace(world.plan.fsync_us);
    });
    Some(straggler)
}

/// The one that has everything cannot tell the two others, for a while.
fn one_of_them_is_cut_off(
    world: &Arc<World>,
    machine: Machine,
    straggler: Option<Machine>,
    dice: &mut Dice,
) {
    let better = others(machine)
        .into_iter()
        .find(|other| Some(*other) != straggler);
    if let Some(better) = better {
        super::network::isolate(world, better, dice);
    }
}

/// The machine of a copy has the number of the original and this.
const COPIES: u64 = 10;
