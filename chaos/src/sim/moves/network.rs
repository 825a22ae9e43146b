//! Cuts, losses and delays.

use std::sync::Arc;
use std::time::Duration;

use super::elections::others;
use super::{begins, ends};
use crate::sim::dice::Dice;
use crate::sim::network::{Machine, Weather};
use crate::sim::world::{MACHINES, World};

/// One direction between two machines carries nothing.
pub fn one_way(world: &Arc<World>, from: Machine, dice: &mut Dice) {
    let (one, other) = (from, *dice.one_of(&others(from)).unwrap_or(&from));
    let (from, to) = if dice.chance(500) {
        (one, other)
    } else {
        (other, one)
    };
    let both_others = dice.chance(300);
    let third = others(from).into_iter().find(|third| *third != to);
    world.network.cut(from, to);
    if let Some(third) = third.filter(|_| both_others) {
        world.network.cut(from, third);
    }
    let fault = begins(world, "one-way cut", &[from, to], "messages are lost");
    ends(world, fault, time(dice), move |world| {
        for to in others(from) {
            world.network.mend(from, to);
        }
    });
}

/// One machine hears nobody, and nobody hears it.
pub fn isolate(world: &Arc<World>, machine: Machine, dice: &mut Dice) {
    world.network.isolate(machine, &MACHINES);
    let fault = begins(world, "isolated node", &[machine], "messages are lost");
    ends(world, fault, time(dice), move |world| mend(world, machine));
}

/// One machine is away for so long that the others' logs leave it behind: it needs a snapshot.
pub fn left_behind(world: &Arc<World>, machine: Machine, dice: &mut Dice) {
    world.network.isolate(machine, &MACHINES);
    let fault = begins(world, "isolated node", &[machine], "messages are lost");
    let time = dice.millis(1_200, 2_500);
    ends(world, fault, time, move |world| mend(world, machine));
}

/// Much is lost, and much comes twice.
pub fn lossy(world: &Arc<World>, dice: &mut Dice) {
    let usual = world.plan.weather;
    world.network.weather(Weather {
        lost: dice.between(50, 300),
        twice: dice.between(20, 200),
        ..usual
    });
    let fault = begins(world, "lossy network", &MACHINES, "messages are lost");
    ends(world, fault, time(dice), move |world| {
        world.network.weather(usual);
    });
}

/// What leaves one machine takes long, and overtakes itself.
pub fn slow(world: &Arc<World>, machine: Machine, dice: &mut Dice) {
    let most = dice.between(20_000, 120_000);
    for other in others(machine) {
        let weather = Weather {
            delay_us: (1_000, most),
            ..world.plan.weather
        };
        world.network.local(machine, other, Some(weather));
    }
    let fault = begins(world, "slow network", &[machine], "messages take longer");
    ends(world, fault, time(dice), move |world| {
        for other in others(machine) {
            world.network.local(machine, other, None);
        }
    });
}

/// Both directions between one machine and the others carry again.
pub fn mend(world: &World, machine: Machine) {
    for other in others(machine) {
        world.network.mend(machine, other);
        world.network.mend(other, machine);
    }
}

fn time(dice: &mut Dice) -> Duration {
    if dice.chance(600) {
        dice.millis(100, 900)
    } else {
        dice.millis(900, 2_500)
    }
}
