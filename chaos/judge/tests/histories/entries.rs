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
