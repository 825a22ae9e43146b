//! What goes wrong, when, and with whom. Each theme has its own odds; each move draws all of its
//! numbers before it begins, so that moves that last do not disturb the draws of later ones.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::dice::{Concern, Dice};
use super::gate::Gate;
use super::host::Blow;
use super::moves::{disks, elections, network, restarts, signers};
use super::network::Machine;
use super::operator::Operator;
use super::plan::Theme;
use super::world::{MACHINES, World};

/// What may come next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Move {
    /// A fault, which ends by itself.
    Fault(Fault),
    /// The operator does something.
    Operator,
    /// A disk is put in another's place.
    SwapDisk,
    /// A node is killed over what only its cache holds.
    TrustsItsCache,
}

/// One kind of fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    Kill,
    PowerCut,
    PowerCutTwo,
    PowerCutAll,
    KillAll,
    KillThenPowerCut,
    SlowThenPowerCut,
    Ambush,
    VoterLosesPower,
    LeaderLosesTail,
    Pause,
    Drain,
    Transfer,
    OneWay,
    Isolate,
    Lossy,
    Slow,
    SlowDisk,
    FailingFsync,
    Signers,
    ClockJump,
    LeftBehind,
}

/// Breaks things until the time of faults is over.
pub async fn run(world: Arc<World>, mut operator: Operator) {
    let mut dice = Dice::new(world.plan.seed, Concern::Nemesis, 0);
    let odds = odds(world.plan.theme);
    let now = Instant::now();
    let ends = now.checked_add(world.plan.span).unwrap_or(now);
    let mut moves = 0_u64;
    if world.plan.theme == Theme::Operators {
        tokio::spawn(busy(Operator::again(&world)));
    }
    let mut disk_swapped = false;
    loop {
        let (low, high) = world.plan.gap_ms;
        let gap = dice.millis(low, high);
        if Instant::now()
            .checked_add(gap)
            .is_none_or(|next| next >= ends)
        {
            break;
        }
        sleep(gap).await;
        moves = moves.saturating_add(1);
        let Some(next) = dice.weighted(odds).copied() else {
            break;
        };
        let machine = machine(&world, &mut dice);
        let own = Dice::new(world.plan.seed, Concern::Nemesis, moves);
        match next {
            Move::Operator => operator.act().await,
            Move::SwapDisk if disk_swapped => {}
            Move::SwapDisk => {
                disk_swapped = true;
                disks::swap(&world, machine, own).await;
            }
            Move::TrustsItsCache => restarts::trusts_its_cache(&world, own).await,
            Move::Fault(fault) => play(&world, fault, machine, own),
        }
    }
    let left = ends.saturating_duration_since(Instant::now());
    sleep(left).await;
}

/// A second operator, who does nothing else.
async fn busy(mut operator: Operator) {
    while !operator.is_over() {
        operator.act().await;
        operator.rest().await;
    }
}

/// Half of the faults hit whoever leads.
fn machine(world: &World, dice: &mut Dice) -> Machine {
    let drawn = *dice.one_of(&MACHINES).unwrap_or(&Machine(1));
    if dice.chance(500) {
        world
            .leader()
            .filter(|leader| MACHINES.contains(leader))
            .unwrap_or(drawn)
    } else {
        drawn
    }
}

fn play(world: &Arc<World>, which: Fault, machine: Machine, mut dice: Dice) {
    match which {
        Fault::Kill => restarts::strike(world, machine, Blow::Kill, &mut dice),
        Fault::PowerCut => restarts::strike(world, machine, Blow::PowerCut, &mut dice),
        Fault::PowerCutTwo => restarts::two(world, machine, &mut dice),
        Fault::PowerCutAll => restarts::all(world, Blow::PowerCut, &mut dice),
        Fault::KillAll => restarts::all(world, Blow::Kill, &mut dice),
        Fault::KillThenPowerCut => restarts::kill_then_cut(world, machine, dice),
        Fault::SlowThenPowerCut => restarts::slow_then_cut(world, machine, dice),
        Fault::Ambush => {
            let gate = *dice.one_of(&Gate::ALL).unwrap_or(&Gate::FsyncEnded);
            restarts::ambush(world, machine, gate, dice);
        }
        Fault::VoterLosesPower => elections::voter_loses_power(world, dice),
        Fault::LeaderLosesTail => elections::leader_loses_tail(world, dice),
        Fault::Pause => elections::pause(world, machine, &mut dice),
        Fault::Drain => restarts::drain(world, machine, dice),
        Fault::Transfer => elections::transfer(world),
        Fault::OneWay => network::one_way(world, machine, &mut dice),
        Fault::Isolate => network::isolate(world, machine, &mut dice),
        Fault::Lossy => network::lossy(world, &mut dice),
        Fault::Slow => network::slow(world, machine, &mut dice),
        Fault::SlowDisk => disks::slow(world, machine, &mut dice),
        Fault::FailingFsync => disks::failing_fsync(world, machine, &mut dice),
        Fault::Signers => signers::mood(world, machine, &mut dice),
        Fault::ClockJump => signers::clock_jump(world, &mut dice),
        Fault::LeftBehind => network::left_behind(world, machine, &mut dice),
    }
}

/// What a theme is about comes often, and the rest now and then.
const fn odds(theme: Theme) -> &'static [(u64, Move)] {
    match theme {
        Theme::Mixed => MIXED,
        Theme::Elections => ELECTIONS,
        Theme::Restarts => RESTARTS,
        Theme::Signers => SIGNERS,
        Theme::Operators => OPERATORS,
        Theme::Disks => DISKS,
        Theme::Snapshots => SNAPSHOTS,
    }
}

const MIXED: &[(u64, Move)] = &[
    (2, Move::TrustsItsCache),
    (3, Move::Fault(Fault::SlowThenPowerCut)),
    (10, Move::Fault(Fault::Kill)),
    (8, Move::Fault(Fault::PowerCut)),
    (2, Move::Fault(Fault::PowerCutTwo)),
    (2, Move::Fault(Fault::PowerCutAll)),
    (2, Move::Fault(Fault::KillAll)),
    (3, Move::Fault(Fault::KillThenPowerCut)),
    (10, Move::Fault(Fault::Ambush)),
    (3, Move::Fault(Fault::VoterLosesPower)),
    (3, Move::Fault(Fault::LeaderLosesTail)),
    (8, Move::Fault(Fault::Pause)),
    (4, Move::Fault(Fault::Drain)),
    (4, Move::Fault(Fault::Transfer)),
    (6, Move::Fault(Fault::OneWay)),
    (6, Move::Fault(Fault::Isolate)),
    (4, Move::Fault(Fault::Lossy)),
    (4, Move::Fault(Fault::Slow)),
    (5, Move::Fault(Fault::SlowDisk)),
    (2, Move::Fault(Fault::FailingFsync)),
    (6, Move::Fault(Fault::Signers)),
    (3, Move::Fault(Fault::ClockJump)),
    (12, Move::Operator),
    (3, Move::Fault(Fault::LeftBehind)),
];

const ELECTIONS: &[(u64, Move)] = &[
    (6, Move::Fault(Fault::Kill)),
    (6, Move::Fault(Fault::PowerCut)),
    (6, Move::Fault(Fault::Ambush)),
    (14, Move::Fault(Fault::VoterLosesPower)),
    (14, Move::Fault(Fault::LeaderLosesTail)),
    (8, Move::Fault(Fault::Pause)),
    (6, Move::Fault(Fault::Transfer)),
    (8, Move::Fault(Fault::OneWay)),
    (8, Move::Fault(Fault::Isolate)),
    (4, Move::Fault(Fault::Slow)),
    (4, Move::Fault(Fault::SlowDisk)),
];

const RESTARTS: &[(u64, Move)] = &[
    (6, Move::TrustsItsCache),
    (6, Move::Fault(Fault::SlowThenPowerCut)),
    (10, Move::Fault(Fault::Kill)),
    (12, Move::Fault(Fault::PowerCut)),
    (8, Move::Fault(Fault::PowerCutTwo)),
    (8, Move::Fault(Fault::PowerCutAll)),
    (5, Move::Fault(Fault::KillAll)),
    (12, Move::Fault(Fault::KillThenPowerCut)),
    (16, Move::Fault(Fault::Ambush)),
    (8, Move::Fault(Fault::LeaderLosesTail)),
    (6, Move::Fault(Fault::SlowDisk)),
    (4, Move::Fault(Fault::FailingFsync)),
    (3, Move::Fault(Fault::Drain)),
    (3, Move::Fault(Fault::Lossy)),
];

const SIGNERS: &[(u64, Move)] = &[
    (20, Move::Fault(Fault::Signers)),
    (8, Move::Fault(Fault::Kill)),
    (4, Move::Fault(Fault::PowerCut)),
    (14, Move::Fault(Fault::Ambush)),
    (10, Move::Fault(Fault::Pause)),
    (8, Move::Fault(Fault::Transfer)),
    (6, Move::Fault(Fault::Isolate)),
    (4, Move::Fault(Fault::Drain)),
    (4, Move::Fault(Fault::Lossy)),
];

const OPERATORS: &[(u64, Move)] = &[
    (10, Move::Operator),
    (8, Move::Fault(Fault::Kill)),
    (4, Move::Fault(Fault::PowerCut)),
    (6, Move::Fault(Fault::Ambush)),
    (6, Move::Fault(Fault::Pause)),
    (14, Move::Fault(Fault::Isolate)),
    (4, Move::Fault(Fault::OneWay)),
    (16, Move::Fault(Fault::Signers)),
    (3, Move::Fault(Fault::ClockJump)),
    (3, Move::Fault(Fault::Lossy)),
];

const DISKS: &[(u64, Move)] = &[
    (20, Move::SwapDisk),
    (6, Move::Fault(Fault::Slow)),
    (4, Move::Fault(Fault::SlowDisk)),
];

const SNAPSHOTS: &[(u64, Move)] = &[
    (20, Move::Fault(Fault::SlowThenPowerCut)),
    (14, Move::Fault(Fault::LeftBehind)),
    (10, Move::Fault(Fault::Kill)),
    (10, Move::Fault(Fault::PowerCut)),
    (3, Move::Fault(Fault::PowerCutTwo)),
    (3, Move::Fault(Fault::PowerCutAll)),
    (10, Move::Fault(Fault::Ambush)),
    (4, Move::Fault(Fault::Transfer)),
    (6, Move::Fault(Fault::SlowDisk)),
    (6, Move::Fault(Fault::Isolate)),
];
