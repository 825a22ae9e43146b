//! Signers that do not sign, and clocks that jump.

use std::sync::Arc;

use super::{begins, ends};
use crate::sim::dice::Dice;
use crate::sim::network::Machine;
use crate::sim::signer::Mood;
use crate::sim::world::{MACHINES, World};

/// The signers of one machine fail, hang, or give signatures that are none.
pub fn mood(world: &Arc<World>, machine: Machine, dice: &mut Dice) {
    let moods = [
        (3, (Mood::Fail, "signer fails")),
        (3, (Mood::FailAfterSigning, "signer fails")),
        (3, (Mood::Hang, "signer hangs")),
        (2, (Mood::Wrong, "wrong signature")),
        (4, (Mood::Slow, "signer slow")),
    ];
    let (mood, name) = *dice
        .weighted(&moods)
        .unwrap_or(&(Mood::Fail, "signer fails"));
    let Some(host) = world.host(machine) else {
        return;
    };
    host.hsm.mood(mood);
    let fault = begins(world, name, &[machine], "its signer is told so");
    ends(world, fault, dice.millis(100, 2_000), move |_world| {
        host.hsm.mood(Mood::Well);
    });
}

/// Every wall clock jumps, forth or back: no decision may rest on it but a refusal.
pub fn clock_jump(world: &Arc<World>, dice: &mut Dice) {
    let forth = dice.chance(500);
    world.jump(forth, dice.between(1, 1_000_000));
    let fault = begins(world, "clock jump", &MACHINES, "the clock was set");
    world.history.fault_ended(fault);
}
