//! What goes wrong, when, and with whom. Each theme has its own odds; each move draws all of its
//! numbers before it begins, so that moves that last do not disturb the draws of later ones.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::dice::{Concern, Dice};
use super::gate::Gate;
use super::host::Blow;
use super::moves::{disks, elections, network, restarts, signers};
use super::network::Machine;
use super::operator::Operator;
use super::plan::Theme;
use super::world::{MACHINES, World};

/// One kind of fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Move {
    Kill,
    PowerCut,
    PowerCutTwo,
    PowerCutAll,
    KillAll,
    KillThenPowerCut,
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
    Operator,
    LeftBehind,
    SwapDisk,
}

/// Breaks things until the time of faults is over.
pub async fn run(world: Arc<World>, mut operator: Operator) {
    let mut dice = Dice::new(world.plan.seed, Concern::Nemesis, 0);
    let odds = odds(world.plan.theme);
    let now = Instant::now();
    let ends = now.checked_add(world.plan.span).unwrap_or(now);
    let mut moves = 0_u64;
    let mut disk_swapped = false;
    loop {
        let (low, high) = world.plan.gap_ms;
        let gap = dice.millis(low, high);
        if Instant::now().checked_add(gap).is_none_or(|next| next >= ends) {
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
            other => play(&world, other, machine, own),
        }
    }
    let left = ends.saturating_duration_since(Instant::now());
    sleep(left).await;
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

fn play(world: &Arc<World>, which: Move, machine: Machine, mut dice: Dice) {
    match which {
        Move::Kill => restarts::strike(world, machine, Blow::Kill, &mut dice),
        Move::PowerCut => restarts::strike(world, machine, Blow::PowerCut, &mut dice),
        Move::PowerCutTwo => restarts::two(world, machine, &mut dice),
        Move::PowerCutAll => restarts::all(world, Blow::PowerCut, &mut dice),
        Move::KillAll => restarts::all(world, Blow::Kill, &mut dice),
        Move::KillThenPowerCut => restarts::kill_then_cut(world, machine, dice),
        Move::Ambush => {
            let gate = *dice.one_of(&Gate::ALL).unwrap_or(&Gate::FsyncEnded);
            restarts::ambush(world, machine, gate, dice);
        }
        Move::VoterLosesPower => elections::voter_loses_power(world, dice),
        Move::LeaderLosesTail => elections::leader_loses_tail(world, dice),
        Move::Pause => elections::pause(world, machine, &mut dice),
        Move::Drain => restarts::drain(world, machine, dice),
        Move::Transfer => elections::transfer(world),
        Move::OneWay => network::one_way(world, machine, &mut dice),
        Move::Isolate => network::isolate(world, machine, &mut dice),
        Move::Lossy => network::lossy(world, &mut dice),
        Move::Slow => network::slow(world, machine, &mut dice),
        Move::SlowDisk => disks::slow(world, machine, &mut dice),
        Move::FailingFsync => disks::failing_fsync(world, machine, &mut dice),
        Move::Signers => signers::mood(world, machine, &mut dice),
        Move::ClockJump => signers::clock_jump(world, &mut dice),
        Move::LeftBehind => network::left_behind(world, machine, &mut dice),
        // Played by the loop itself, which waits for them.
        Move::Operator | Move::SwapDisk => {}
    }
}

/// What a theme is about comes often, and the rest now and then.
const fn odds(theme: Theme) -> &'static [(u64, Move)] {
    match theme {
        Theme::Mixed => &[
            (10, Move::Kill),
            (8, Move::PowerCut),
            (2, Move::PowerCutTwo),
            (2, Move::PowerCutAll),
            (2, Move::KillAll),
            (3, Move::KillThenPowerCut),
            (10, Move::Ambush),
            (3, Move::VoterLosesPower),
            (3, Move::LeaderLosesTail),
            (8, Move::Pause),
            (4, Move::Drain),
            (4, Move::Transfer),
            (6, Move::OneWay),
            (6, Move::Isolate),
            (4, Move::Lossy),
            (4, Move::Slow),
            (5, Move::SlowDisk),
            (2, Move::FailingFsync),
            (6, Move::Signers),
            (3, Move::ClockJump),
            (12, Move::Operator),
            (3, Move::LeftBehind),
        ],
        Theme::Elections => &[
            (6, Move::Kill),
            (6, Move::PowerCut),
            (6, Move::Ambush),
            (14, Move::VoterLosesPower),
            (14, Move::LeaderLosesTail),
            (8, Move::Pause),
            (6, Move::Transfer),
            (8, Move::OneWay),
            (8, Move::Isolate),
            (4, Move::Slow),
            (4, Move::SlowDisk),
        ],
        Theme::Restarts => &[
            (10, Move::Kill),
            (12, Move::PowerCut),
            (8, Move::PowerCutTwo),
            (8, Move::PowerCutAll),
            (5, Move::KillAll),
            (12, Move::KillThenPowerCut),
            (16, Move::Ambush),
            (8, Move::LeaderLosesTail),
            (6, Move::SlowDisk),
            (4, Move::FailingFsync),
            (3, Move::Drain),
            (3, Move::Lossy),
        ],
        Theme::Signers => &[
            (20, Move::Signers),
            (8, Move::Kill),
            (4, Move::PowerCut),
            (14, Move::Ambush),
            (10, Move::Pause),
            (8, Move::Transfer),
            (6, Move::Isolate),
            (4, Move::Drain),
            (4, Move::Lossy),
        ],
        Theme::Operators => &[
            (40, Move::Operator),
            (8, Move::Kill),
            (4, Move::PowerCut),
            (6, Move::Ambush),
            (6, Move::Pause),
            (4, Move::Isolate),
            (4, Move::OneWay),
            (4, Move::Signers),
            (3, Move::ClockJump),
            (3, Move::Lossy),
        ],
        Theme::Disks => &[(20, Move::SwapDisk), (6, Move::Slow), (4, Move::SlowDisk)],
        Theme::Snapshots => &[
            (14, Move::LeftBehind),
            (10, Move::Kill),
            (10, Move::PowerCut),
            (3, Move::PowerCutTwo),
            (3, Move::PowerCutAll),
            (10, Move::Ambush),
            (4, Move::Transfer),
            (6, Move::SlowDisk),
            (6, Move::Isolate),
        ],
    }
}

/// How long a fault lasts at most, so that a run has time for others.
pub const LASTS_MOST: Duration = Duration::from_millis(2_500);
