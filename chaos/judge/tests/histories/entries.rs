//! Which entry allows a release, and which is only there.

use judge::Invariant;
use judge::history::{Entry, Event};

use crate::baker::{Baker, Message};
use crate::world::{NODES, World, accepted, rejected};

/// Every disk holds a snapshot up to here.
fn snapshots(world: &mut World, upto: Entry) {
    for node in NODES {
        world.say(Event::SnapshotDurable { node, upto });
    }
}

/// A message is asked for, granted, signed and released by `entry` instead.
fn released_by(world: &mut World, entry: Entry) {
    let message = Message::attestation(9, 1);
    let request = world.ask(&message);
    world.grant(&message);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
}

#[test]
fn an_entry_in_a_snapshot_allows_what_it_did_and_nothing_else() {
    let mut world = World::new();
    world.ask(&Message::attestation(5, 1));
    let old = world.grant(&Message::attestation(5, 1));
    snapshots(&mut world, old);
    released_by(&mut world, old);
    rejected(&world.end(), Invariant::I3, "durable on 0 of 3");
}

#[test]
fn an_entry_that_was_in_no_log_ever_allows_nothing_though_snapshots_reach_beyond_it() {
    let mut world = World::new();
    let unseen = world.next_entry();
    world.ask(&Message::attestation(5, 1));
    let upto = world.grant(&Message::attestation(5, 1));
    snapshots(&mut world, upto);
    released_by(&mut world, unseen);
    rejected(&world.end(), Invariant::I3, "durable on 0 of 3");
}

#[test]
fn a_record_in_a_snapshot_allows_the_release_of_what_was_advanced_before_it() {
    let mut world = World::of(Baker::tz3(1));
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    world.grant(&message);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    let record = world.record();
    snapshots(&mut world, record);
    world.released(1, Some(record), &message, &signature);
    world.answered(request, 200, Some(&signature));
    accepted(&world.end());
}

#[test]
fn r14_nothing_is_recorded_before_its_slot_is_taken() {
    let mut world = World::of(Baker::tz3(1));
    let blank = world.record();
    released_by(&mut world, blank);
    rejected(&world.end(), Invariant::I3, "durable on 0 of 3");
}

/// A message is released once, so that it is recorded if its key records.
fn signed(baker: Baker) -> (World, Message) {
    let mut world = World::of(baker);
    let message = Message::attestation(5, 1);
    world.sign(&message);
    (world, message)
}

/// It is asked for again, and a node lets it go as recorded before.
fn replayed_by(world: &mut World, node: u64, message: &Message) {
    let request = world.ask(message);
    let signature = world.baker.sign(message);
    world.released(node, None, message, &signature);
    world.answered(request, 200, Some(&signature));
}

#[test]
fn a_leader_of_a_later_term_may_let_go_what_was_recorded() {
    let (mut world, message) = signed(Baker::tz3(1));
    world.elect(2);
    world.take_again(&message, &[2, 3]);
    replayed_by(&mut world, 2, &message);
    accepted(&world.end());
}

#[test]
fn a_replay_of_what_no_majority_was_asked_again_is_seen() {
    let (mut world, message) = signed(Baker::tz3(1));
    world.take_again(&message, &[1]);
    replayed_by(&mut world, 1, &message);
    rejected(&world.end(), Invariant::I3, "durable on 1 of 3");
}

#[test]
fn r20_a_follower_lets_go_nothing_that_was_recorded_either() {
    let (mut world, message) = signed(Baker::tz3(1));
    world.take_again(&message, &NODES);
    replayed_by(&mut world, 2, &message);
    rejected(&world.end(), Invariant::I3, "a term of node 2");
}

#[test]
fn r14_nothing_is_let_go_again_that_was_not_recorded() {
    let mut world = World::of(Baker::tz3(1));
    let message = Message::attestation(5, 1);
    world.ask(&message);
    world.grant(&message);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.take_again(&message, &NODES);
    replayed_by(&mut world, 1, &message);
    rejected(&world.end(), Invariant::I3, "found it recorded");
}

#[test]
fn a_key_that_records_nothing_has_nothing_to_let_go_again() {
    let (mut world, message) = signed(Baker::tz1(1));
    world.take_again(&message, &NODES);
    replayed_by(&mut world, 1, &message);
    rejected(&world.end(), Invariant::I3, "none of its kind is recorded");
}

#[test]
fn nothing_is_recorded_for_a_message_without_a_slot() {
    let mut world = World::of(Baker::tz3(1));
    let mut message = Message::attestation(1, 0);
    message.bytes = vec![0x03, 1, 2, 3];
    let request = world.ask(&message);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.record();
    world.released(1, None, &message, &signature);
    world.answered(request, 200, Some(&signature));
    rejected(&world.end(), Invariant::I3, "none of its kind is recorded");
}
