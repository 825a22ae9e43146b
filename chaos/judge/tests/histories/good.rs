//! Good histories, also where something broke and the signer bore it.

use judge::history::{Event, Told};

use crate::baker::{Baker, Message};
use crate::world::{FRESH, World, accepted};

#[test]
fn a_run_in_which_every_slot_is_signed_once_is_accepted() {
    let mut world = World::new();
    for level in 1..20 {
        world.sign(&Message::preattestation(level, 1));
        world.sign(&Message::attestation(level, 1));
    }
    accepted(&world.end());
}

#[test]
fn the_second_of_two_bakers_is_refused_and_the_same_bytes_get_the_same_signature() {
    let mut world = World::of(Baker::tz3(1));
    let (one, other) = (Message::attestation(5, 1), Message::attestation(5, 2));
    let late = world.ask(&other);
    world.sign(&one);
    world.answered(late, 409, None);
    world.replay(&one);
    accepted(&world.end());
}

#[test]
fn an_outage_is_neither_a_refusal_nor_a_signature() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    for status in [502, 500, 503, 0] {
        let request = world.ask(&message);
        world.answered(request, status, None);
    }
    world.ask(&message);
    world.sign(&message);
    accepted(&world.end());
}

#[test]
fn what_was_never_released_may_be_signed_again_by_the_next_leader() {
    let mut world = World::of(Baker::tz3(1));
    let message = Message::attestation(5, 1);
    world.ask(&message);
    world.grant(&message);
    let (first, second) = (world.baker.sign(&message), world.baker.twin(&message));
    // The first never leaves node 1, whose record is lost with it.
    world.made(1, &message, &first);
    world.elect(2);
    let request = world.ask(&message);
    world.grant(&message);
    world.made(2, &message, &second);
    let record = world.record();
    world.released(2, Some(record), &message, &second);
    world.answered(request, 200, Some(&second));
    accepted(&world.end());
}

#[test]
fn a_restarted_node_may_apply_again_what_its_log_gives_it_again() {
    let mut world = World::new();
    let messages = [1, 2, 3].map(|level| Message::attestation(level, 1));
    let entries = messages.each_ref().map(|message| {
        world.ask(message);
        world.grant(message)
    });
    world.say(Event::Boot {
        node: 3,
        counter: 2,
    });
    for (message, entry) in messages.iter().zip(entries) {
        world.applied(3, entry, message.mark(&world.baker));
    }
    accepted(&world.end());
}

#[test]
fn another_disk_begins_anew_and_what_the_taken_one_had_still_counts() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    let entry = world.grant_on(&message, &[1, 2]);
    world.say(Event::OtherDisk { node: 2 });
    world.say(Event::Undone { node: 2, from: 0 });
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    // The new disk of node 2 learns from the beginning, and may vote again in a term.
    world.applied(2, entry, message.mark(&world.baker));
    world.sign(&Message::attestation(6, 1));
    world.vote(2, 1, 3);
    accepted(&world.end());
}

#[test]
fn a_snapshot_holds_what_was_never_in_the_log_of_its_disk() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    let entry = world.grant_on(&message, &[1]);
    world.say(Event::SnapshotDurable {
        node: 3,
        upto: entry,
    });
    let mark = message.mark(&world.baker);
    world.applied(3, entry, mark.clone());
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    world.applied(2, entry, mark);
    accepted(&world.end());
}

#[test]
fn a_key_enrolled_in_the_run_signs_from_its_floor_on() {
    let mut world = World::new();
    world.sign(&Message::attestation(2, 1));
    let first = std::mem::replace(&mut world.baker, Baker::tz1(2));
    let order = world.order(judge::history::Action::Enrol(
        world.baker.enrolled(50, Vec::new()),
    ));
    world.obeyed(order, Told::Committed);
    world.sign(&Message::attestation(50, 1));
    world.baker = first;
    accepted(&world.end());
}

#[test]
fn votes_that_are_durable_before_they_leave_are_accepted() {
    let mut world = World::new();
    let before = world.lines.len();
    world.elect(2);
    let votes = world.lines.split_off(before);
    for line in votes {
        if let Event::Vote {
            node,
            term,
            candidate,
        } = line.event
        {
            world.say(Event::VoteDurable {
                node,
                term,
                candidate,
            });
            world.vote(node, term, candidate);
        }
    }
    world.leads(2, 2);
    // The votes of term 1 were not told either.
    let first = world
        .lines
        .iter()
        .position(|line| matches!(line.event, Event::Vote { .. }));
    for node in [1, 2] {
        let event = Event::VoteDurable {
            node,
            term: 1,
            candidate: 1,
        };
        let at_us = world.lines[first.unwrap()].at_us;
        world
            .lines
            .insert(first.unwrap(), judge::history::Line { at_us, event });
    }
    accepted(&world.end());
}

#[test]
fn a_node_may_tell_its_state_again_until_it_has_caught_up() {
    let mut world = World::new();
    let message = Message::attestation(FRESH, 1);
    world.healed();
    let request = world.ask(&message);
    let entry = world.grant_on(&message, &[1, 2]);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    world.states();
    world.durable(3, entry, Some(message.mark(&world.baker)));
    world.applied(3, entry, message.mark(&world.baker));
    world.state(3, |_| true);
    accepted(&world.verdict());
}
