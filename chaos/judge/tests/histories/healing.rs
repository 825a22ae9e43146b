//! The end of a run: what is healed, and that it stays so.

use judge::Invariant;
use judge::history::Event;

use crate::baker::Message;
use crate::world::{FRESH, World, accepted, rejected};

/// A run in which these nodes are healed, and all tell their states.
fn healed(nodes: &[u64]) -> World {
    let mut world = World::new();
    world.say(Event::Healed {
        bound_us: 1_000_000,
        nodes: nodes.to_vec(),
    });
    world.sign(&Message::attestation(FRESH, 0));
    world.states();
    world
}

#[test]
fn a_run_is_healed_if_a_majority_of_its_nodes_is() {
    accepted(&healed(&[1, 3]).verdict());
    for nodes in [&[][..], &[2], &[2, 2]] {
        rejected(&healed(nodes).verdict(), Invariant::Evidence, "no majority");
    }
}

#[test]
fn a_fault_after_healing_leaves_the_run_to_be_healed_again() {
    for mut world in [healed(&[1, 2, 3]), World::new()] {
        world.healed();
        world.say(Event::Fault {
            fault: 1,
            name: "kill".to_owned(),
            nodes: vec![1],
            proof: "exit by signal 9".to_owned(),
        });
        world.sign(&Message::attestation(FRESH + 1, 0));
        world.states();
        rejected(&world.verdict(), Invariant::Evidence, "healed after it");
        world.healed();
        world.sign(&Message::attestation(FRESH + 2, 0));
        world.states();
        accepted(&world.verdict());
    }
}
