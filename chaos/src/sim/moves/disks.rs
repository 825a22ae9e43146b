//! Disks that are slow, fail, or are not the ones they were.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use judge::history::Event;
use raft_store::memory::{DiskImage, MemoryFolder};
use raft_store::types::{Fingerprint, LogId};
use tokio::time::sleep;

use super::elections::others;
use super::{begins, ends};
use crate::sim::dice::Dice;
use crate::sim::host::{Blow, Host};
use crate::sim::network::Machine;
use crate::sim::world::{MACHINES, World};

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
/// better awake or with it on disk: more than that is among what Quorate does not promise to notice.
///
/// Before the disk changes, a third node loses its power and with it what it had not synced, so that
/// what is lost had been acknowledged by the lost disk and one other only; then the other one is cut
/// off. If the third, which remembers what the lost disk once claimed, took it for a good one, both
/// would be a majority that knows nothing.
pub async fn swap(world: &Arc<World>, machine: Machine, mut dice: Dice) {
    let swaps = [
        (1, Swap::Wiped),
        (5, Swap::MadeAnew),
        (4, Swap::Restored),
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
    sleep(dice.millis(1_200, 2_000)).await;
    let straggler = straggler(world, host.machine, dice).await;
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
    the_other_is_cut_off(world, host.machine, straggler);
    if made_anew {
        make_anew(world, host, dice).await;
    }
    sleep(dice.millis(10, 500)).await;
    host.start(world);
    sleep(AFTERMATH).await;
}

/// The operator makes the node again and forms it as before: with another key, which nobody has
/// pinned, or with the old one out of a safe, which everybody has.
async fn make_anew(world: &Arc<World>, host: &Arc<Host>, dice: &mut Dice) {
    let drawn = Fingerprint(dice.bytes());
    let key = if dice.chance(800) { host.key } else { drawn };
    if MemoryFolder::create(&host.disk, key).is_err() {
        return;
    }
    host.start(world);
    for _wait in 0..100 {
        if host.running().is_some() {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let Some(running) = host.running() else {
        return;
    };
    let lines: Vec<_> = world.hosts().iter().map(|host| host.line()).collect();
    let cluster = running.cluster.clone();
    let forming = running
        .life
        .process()
        .spawn(async move { cluster.form(&lines).await });
    running.life.outlives(forming).await.ok();
}

async fn restore(world: &Arc<World>, host: &Arc<Host>, dice: &mut Dice) {
    let image = outdated_image(host, dice).await;
    let straggler = straggler(world, host.machine, dice).await;
    host.condemn();
    host.strike(world, Blow::PowerCut);
    let before = host.disk.durable_log();
    host.disk.put(image);
    other_disk(world, host, &before);
    let proof = "its log is shorter than it was";
    begins(world, "disk restored", &[host.machine], proof);
    the_other_is_cut_off(world, host.machine, straggler);
    sleep(dice.millis(1, 100)).await;
    host.start(world);
    sleep(AFTERMATH).await;
}

/// A copy of a running disk is started on a machine of its own, beside the original; mostly at the
/// address of the original, as when an operator moves a node and forgets the old one.
async fn clone_beside(world: &Arc<World>, host: &Arc<Host>, dice: &mut Dice) {
    let disk = raft_store::memory::MemoryDisk::of(host.disk.image());
    sleep(dice.millis(0, 1_500)).await;
    let copy = Machine(host.machine.0.saturating_add(COPIES));
    let address = dice.chance(700).then(|| host.address.clone());
    let copy = Host::new(world, copy, address, host.node, host.key, disk);
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
    sleep(AFTERMATH).await;
}

/// The machine is gone; a copy of its disk from a while ago runs in its place, at its address.
async fn clone_after(world: &Arc<World>, host: &Arc<Host>, dice: &mut Dice) {
    let image = outdated_image(host, dice).await;
    let straggler = straggler(world, host.machine, dice).await;
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
    the_other_is_cut_off(world, host.machine, straggler);
    sleep(dice.millis(1, 300)).await;
    host.start(world);
    sleep(AFTERMATH).await;
}

/// A copy of a disk from before entries that hellos have told the others of since. Had nobody heard
/// of them, nobody could know better.
async fn outdated_image(host: &Host, dice: &mut Dice) -> DiskImage {
    let image = host.disk.image();
    let before = host.disk.durable_log().last().copied();
    for _wait in 0..400 {
        if host.disk.durable_log().last().copied() > before {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    sleep(dice.millis(1_200, 2_000)).await;
    image
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

/// The disk of a third node that does not lead stands still for a while, and then it loses its power:
/// it lacks what the other two have committed meanwhile. It is back at once.
async fn straggler(world: &Arc<World>, machine: Machine, dice: &mut Dice) -> Option<Machine> {
    let leader = world.leader();
    let mut able = others(machine);
    able.retain(|other| Some(*other) != leader);
    let straggler = *dice.one_of(&able)?;
    let host = world.host(straggler)?;
    host.drive.pace((2_000_000, 2_500_000));
    let fault = begins(world, "slow disk", &[straggler], "its fsyncs take seconds");
    if let Some(leader) = leader {
        super::asks_afresh(world, leader);
    }
    sleep(dice.millis(700, 1_100)).await;
    host.drive.pace(world.plan.fsync_us);
    world.history.fault_ended(fault);
    let down = dice.millis(1, 60);
    super::restarts::blow_after(world, straggler, Blow::PowerCut, down, "power cut");
    Some(straggler)
}

/// The one that has everything cannot tell the two others, for longer than an election takes.
fn the_other_is_cut_off(world: &Arc<World>, machine: Machine, straggler: Option<Machine>) {
    let mut rest = others(machine);
    rest.retain(|other| Some(*other) != straggler);
    let Some(better) = rest.first().copied().filter(|_| straggler.is_some()) else {
        return;
    };
    world.network.isolate(better, &MACHINES);
    let fault = begins(world, "isolated node", &[better], "messages are lost");
    ends(world, fault, AFTERMATH, move |world| {
        super::network::mend(world, better);
    });
}

/// The machine of a copy has the number of the original and this.
const COPIES: u64 = 10;
/// Long enough for two nodes to hear each other, to miss a leader, and to elect one.
const AFTERMATH: Duration = Duration::from_millis(4_000);
