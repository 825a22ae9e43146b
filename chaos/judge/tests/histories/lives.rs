//! Processes that start and end.

use judge::Invariant;
use judge::history::Event;

use crate::baker::Message;
use crate::world::{World, accepted, rejected, rejected_at};

fn ended(world: &mut World, node: u64) -> usize {
    world.say(Event::Ended { node, code: None })
}

fn boot(world: &mut World, node: u64, counter: u64) -> usize {
    world.say(Event::Boot { node, counter })
}

#[test]
fn a_node_that_ended_does_nothing_until_it_starts_again() {
    let mut world = World::new();
    let end = ended(&mut world, 2);
    let vote = world.vote(2, 2, 3);
    let words = "node 2 votes after its process ended";
    rejected_at(&world.end(), Invariant::Evidence, words, &[end, vote]);

    let mut world = World::new();
    ended(&mut world, 2);
    boot(&mut world, 2, 2);
    world.vote(2, 2, 3);
    accepted(&world.end());
}

#[test]
fn a_process_that_ended_before_it_was_seen_to_start_is_not_missed() {
    let mut world = World::new();
    for _start in 0..3 {
        ended(&mut world, 2);
    }
    boot(&mut world, 2, 5);
    world.elect(2);
    world.sign(&Message::attestation(5, 1));
    accepted(&world.end());
}

#[test]
fn of_a_node_that_was_copied_the_end_of_one_process_is_not_the_end() {
    let mut world = World::new();
    world.say(Event::Fault {
        fault: 1,
        name: "clone beside".to_owned(),
        nodes: vec![1],
        proof: "two processes have one key".to_owned(),
    });
    boot(&mut world, 1, 2);
    boot(&mut world, 1, 2);
    ended(&mut world, 1);
    ended(&mut world, 1);
    ended(&mut world, 1);
    world.sign(&Message::attestation(5, 1));
    accepted(&world.end());
}

#[test]
fn r11_each_start_counts_one_more_on_one_disk() {
    for counter in [1, 0] {
        let mut world = World::new();
        ended(&mut world, 2);
        boot(&mut world, 2, counter);
        rejected(&world.end(), Invariant::I6, "after start 1");
    }

    let mut world = World::new();
    ended(&mut world, 2);
    world.say(Event::OtherDisk { node: 2 });
    boot(&mut world, 2, 1);
    accepted(&world.end());
}

#[test]
fn a_run_in_which_nodes_do_not_tell_that_they_start_or_apply_proves_nothing() {
    let without = |is_left_out: fn(&Event) -> bool| {
        let mut world = World::new();
        world.heal();
        world.lines.retain(|line| !is_left_out(&line.event));
        world.verdict()
    };
    let verdict = without(|event| matches!(event, Event::Boot { node: 2, .. }));
    rejected(&verdict, Invariant::Evidence, "node 2 takes part");
    let verdict = without(|event| matches!(event, Event::Applied { .. }));
    rejected(&verdict, Invariant::Evidence, "applied any mark");
}
