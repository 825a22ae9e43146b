//! I11: floors, burnt slots, unknown keys.

use judge::Invariant;
use judge::history::{Action, Mark, Told};

use crate::baker::{Baker, Message};
use crate::world::{World, accepted, rejected};

fn with(floor: i64, burnt: fn(&Baker) -> Vec<Mark>) -> World {
    let baker = Baker::tz1(1);
    let key = baker.enrolled(floor, burnt(&baker));
    World::with(baker, vec![key])
}

fn none(_: &Baker) -> Vec<Mark> {
    Vec::new()
}

#[test]
fn r12_nothing_is_signed_below_the_floor() {
    let mut world = with(6, none);
    world.sign(&Message::attestation(5, 1));
    rejected(&world.end(), Invariant::I11, "below its floor 6");

    let mut world = with(6, none);
    world.sign(&Message::attestation(6, 1));
    accepted(&world.end());
}

#[test]
fn r42_a_burnt_slot_and_what_is_below_it_is_signed_by_nobody() {
    let burnt = |baker: &Baker| vec![Message::attestation_at(5, 2, 1).burnt(baker)];
    for (level, round) in [(5, 2), (5, 1), (4, 9)] {
        let mut world = with(0, burnt);
        world.sign(&Message::attestation_at(level, round, 1));
        rejected(
            &world.end(),
            Invariant::I11,
            "is burnt up to level 5 round 2",
        );
    }
    let mut world = with(0, burnt);
    world.sign(&Message::attestation_at(5, 3, 1));
    world.sign(&Message::preattestation(5, 1));
    accepted(&world.end());
}

#[test]
fn an_import_burns_from_the_enrolment_on() {
    // First introduced: from the order on, since nothing is signed before it.
    let mut world = World::with(Baker::tz1(1), Vec::new());
    let burnt = vec![Message::attestation(5, 1).burnt(&world.baker)];
    let key = world.baker.enrolled(0, burnt);
    let order = world.order(Action::Enrol(key.clone()));
    world.sign(&Message::attestation(5, 1));
    world.obeyed(order, Told::Committed);
    rejected(&world.end(), Invariant::I11, "is burnt");

    // Known before: for what is asked after the answer.
    for committed_first in [true, false] {
        let mut world = World::new();
        let order = world.order(Action::Enrol(key.clone()));
        if committed_first {
            world.obeyed(order, Told::Committed);
        }
        world.sign(&Message::attestation(4, 1));
        if !committed_first {
            world.obeyed(order, Told::Committed);
        }
        if committed_first {
            rejected(&world.end(), Invariant::I11, "is burnt");
        } else {
            accepted(&world.end());
        }
    }
}

#[test]
fn a_floor_that_was_raised_holds_from_the_answer_on() {
    let mut world = World::new();
    let key = world.baker.enrolled(50, Vec::new());
    let order = world.order(Action::Enrol(key));
    world.sign(&Message::attestation(5, 1));
    world.obeyed(order, Told::Committed);
    world.sign(&Message::attestation(6, 1));
    rejected(&world.end(), Invariant::I11, "below its floor 50");
}

#[test]
fn a_floor_whose_order_was_refused_does_not_hold() {
    let mut world = World::new();
    let key = world.baker.enrolled(50, Vec::new());
    let order = world.order(Action::Enrol(key));
    world.obeyed(order, Told::Refused);
    world.sign(&Message::attestation(6, 1));
    accepted(&world.end());
}

#[test]
fn r12_a_lower_floor_whose_order_was_refused_allows_nothing() {
    let mut world = with(50, none);
    let key = world.baker.enrolled(0, Vec::new());
    let order = world.order(Action::Enrol(key));
    world.obeyed(order, Told::Refused);
    world.sign(&Message::attestation(6, 1));
    rejected(&world.end(), Invariant::I11, "below its floor 50");
}

#[test]
fn r27_nothing_is_signed_on_a_chain_that_is_not_allowed() {
    let baker = Baker::tz1(1);
    let mut key = baker.enrolled(0, Vec::new());
    key.floors[0].0 = "NetXnHfVqm9iesp".to_owned();
    let mut world = World::with(baker, vec![key.clone()]);
    world.sign(&Message::attestation(5, 1));
    world.healed();
    world.states();
    let verdict = world.verdict();
    assert!(verdict.breaks(Invariant::I11), "{:#?}", verdict.violations);
    assert!(
        verdict.violations[0]
            .words
            .contains("that chain is not allowed")
    );

    key.floors[0].0 = "*".to_owned();
    let mut world = World::with(Baker::tz1(1), vec![key]);
    world.sign(&Message::attestation(5, 1));
    accepted(&world.end());
}

#[test]
fn nothing_is_signed_with_a_key_that_is_not_enrolled() {
    let mut world = World::new();
    let first = std::mem::replace(&mut world.baker, Baker::tz1(2));
    world.sign(&Message::attestation(5, 1));
    world.baker = first;
    rejected(&world.end(), Invariant::I11, "the key is not enrolled");
}

#[test]
fn a_message_without_a_slot_needs_a_key_that_is_enrolled_too() {
    let mut operation = Message::attestation(5, 1);
    operation.bytes = vec![0x03, 1, 2, 3];
    for is_enrolled in [true, false] {
        let other = Baker::tz1(2);
        let mut keys = vec![Baker::tz1(1).enrolled(0, Vec::new())];
        keys.extend(is_enrolled.then(|| other.enrolled(0, Vec::new())));
        let mut world = World::with(other, keys);
        let request = world.ask(&operation);
        let signature = world.baker.sign(&operation);
        world.made(1, &operation, &signature);
        let permit = world.record();
        world.released(1, Some(permit), &operation, &signature);
        world.answered(request, 200, Some(&signature));
        world.baker = Baker::tz1(1);
        let verdict = world.end();
        if is_enrolled {
            accepted(&verdict);
        } else {
            rejected(&verdict, Invariant::I11, "is not enrolled");
        }
    }
}
