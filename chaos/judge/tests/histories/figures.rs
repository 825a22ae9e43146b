//! What a run was like.

use judge::history::Event;
use judge::{Figures, Gap};

use crate::baker::Message;
use crate::world::World;

#[test]
fn requests_are_counted_by_what_became_of_them() {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    for status in [409, 400, 502, 0, 500] {
        let request = world.ask(&Message::attestation(5, 2));
        world.answered(request, status, None);
    }
    world.ask(&Message::attestation(6, 1));
    let figures = Figures::of(&world.lines);
    let counts = [
        figures.asked,
        figures.signed,
        figures.refused,
        figures.failed,
        figures.unanswered,
    ];
    assert_eq!(counts, [7, 1, 2, 3, 1]);
}

#[test]
fn a_gap_begins_when_somebody_asks_and_not_while_nobody_does() {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    world.wait_us(9_000_000);
    let failed = world.ask(&Message::attestation(6, 1));
    let from_us = world.lines.last().unwrap().at_us;
    world.wait_us(300_000);
    world.answered(failed, 502, None);
    world.wait_us(200_000);
    world.sign(&Message::attestation(6, 1));
    let to_us = world.lines.last().unwrap().at_us;
    world.sign(&Message::attestation(7, 1));
    let gap = Figures::of(&world.lines).longest_gap;
    assert_eq!(gap, Gap { from_us, to_us });
    assert_eq!(gap.us(), to_us - from_us);
}

#[test]
fn a_gap_that_never_closes_lasts_to_the_end() {
    let mut world = World::new();
    let open = world.ask(&Message::attestation(6, 1));
    world.sign(&Message::attestation(5, 1));
    let from_us = world.lines.last().unwrap().at_us;
    world.wait_us(700_000);
    world.answered(open, 502, None);
    let to_us = world.lines.last().unwrap().at_us;
    assert_eq!(
        Figures::of(&world.lines).longest_gap,
        Gap { from_us, to_us }
    );
}

#[test]
fn a_fault_is_felt_until_something_is_signed_that_was_asked_after_it() {
    let mut world = World::new();
    let before = Message::attestation(5, 1);
    let request = world.ask(&before);
    world.say(Event::Fault {
        fault: 1,
        name: "kill".to_owned(),
        nodes: vec![1],
        proof: "signal 9".to_owned(),
    });
    let from_us = world.lines.last().unwrap().at_us;
    // Sent before the fault, so its answer says nothing.
    world.serve(request, &before);
    world.wait_us(400_000);
    world.sign(&Message::attestation(6, 1));
    let signed_us = world.lines.last().unwrap().at_us;
    world.say(Event::FaultEnded { fault: 1 });
    let to_us = world.lines.last().unwrap().at_us;
    let felt = Figures::of(&world.lines).faults.remove(0);
    assert_eq!(felt.until_signed_us, Some(signed_us - from_us));
    assert_eq!((felt.to_us, felt.after_end_us), (Some(to_us), None));
    world.sign(&Message::attestation(7, 1));
    let after_us = world.lines.last().unwrap().at_us;
    let felt = Figures::of(&world.lines).faults.remove(0);
    assert_eq!(felt.until_signed_us, Some(signed_us - from_us));
    assert_eq!(felt.after_end_us, Some(after_us - to_us));
    assert_eq!((felt.name.as_str(), felt.nodes), ("kill", vec![1]));
}
