//! I1, I7, I8, I9: what leaves a signer.

use judge::Invariant;
use judge::history::Event;

use crate::baker::{Baker, Message};
use crate::world::{World, accepted, rejected, rejected_at};

#[test]
fn r1_a_second_message_for_a_slot_is_seen_even_if_it_never_leaves_the_node() {
    let mut world = World::new();
    let (one, other) = (Message::attestation(5, 1), Message::attestation(5, 2));
    world.ask(&other);
    world.sign(&one);
    let first = world
        .lines
        .iter()
        .position(|line| matches!(line.event, Event::Signed { .. }));
    let signature = world.baker.sign(&other);
    let second = world.made(2, &other, &signature);
    let verdict = world.end();
    let lines = [first.unwrap() + 1, second];
    rejected_at(&verdict, Invariant::I1, "two messages are signed", &lines);
}

#[test]
fn r1_two_messages_that_differ_in_their_committee_slot_only_are_two() {
    let mut world = World::new();
    let one = Message::attestation(5, 1);
    let mut other = one.clone();
    other.bytes[39] ^= 1;
    world.ask(&other);
    world.sign(&one);
    let signature = world.baker.sign(&other);
    world.made(1, &other, &signature);
    rejected(&world.end(), Invariant::I1, "level 5 round 0");
}

#[test]
fn r14_a_second_signature_of_one_message_is_seen() {
    let mut world = World::of(Baker::tz3(1));
    let message = Message::attestation(5, 1);
    world.sign(&message);
    let request = world.ask(&message);
    let twin = world.baker.twin(&message);
    world.made(1, &message, &twin);
    let record = world.record();
    let second = world.released(1, Some(record), &message, &twin);
    world.answered(request, 200, Some(&twin));
    let verdict = world.end();
    rejected(
        &verdict,
        Invariant::I7,
        "two signatures are released of one message",
    );
    assert_eq!(verdict.violations[0].lines.last(), Some(&second));
}

#[test]
fn r14_one_signature_released_and_another_answered_are_two() {
    let mut world = World::of(Baker::tz3(1));
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    world.grant(&message);
    let (signature, twin) = (world.baker.sign(&message), world.baker.twin(&message));
    world.made(1, &message, &signature);
    let record = world.record();
    world.released(1, Some(record), &message, &signature);
    world.answered(request, 200, Some(&twin));
    rejected(&world.end(), Invariant::I7, "two signatures");
}

#[test]
fn r20_who_asks_below_what_was_released_is_not_answered() {
    let mut world = World::of(Baker::tz3(1));
    let old = Message::attestation(5, 1);
    world.sign(&old);
    world.sign(&Message::attestation(6, 1));
    world.replay(&old);
    rejected(
        &world.end(),
        Invariant::I8,
        "after level 6 round 0 was released",
    );
}

#[test]
fn who_asked_before_may_be_answered_after_a_later_slot() {
    let mut world = World::new();
    let old = Message::attestation(5, 1);
    let request = world.ask(&old);
    let entry = world.grant(&old);
    world.sign(&Message::attestation(6, 1));
    let signature = world.baker.sign(&old);
    world.made(1, &old, &signature);
    world.released(1, Some(entry), &old, &signature);
    world.answered(request, 200, Some(&signature));
    accepted(&world.end());
}

#[test]
fn r29_a_signature_that_does_not_verify_is_seen_once() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    let entry = world.grant(&message);
    let signature = world.baker.sign(&Message::attestation(6, 1));
    world.made(1, &message, &signature);
    let released = world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    let words = "does not verify";
    rejected_at(&world.end(), Invariant::I9, words, &[released]);
}

#[test]
fn a_wrong_signature_that_is_not_released_is_a_fault_of_the_signer_only() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    world.grant(&message);
    let signature = world.baker.sign(&Message::attestation(6, 1));
    world.made(1, &message, &signature);
    world.answered(request, 500, None);
    accepted(&world.end());
}

#[test]
fn an_operation_may_have_two_signatures_and_they_are_verified() {
    let mut world = World::of(Baker::tz3(1));
    let mut operation = Message::attestation(5, 1);
    operation.bytes = vec![0x03, 1, 2, 3];
    let signatures = [world.baker.sign(&operation), world.baker.twin(&operation)];
    for signature in &signatures {
        let request = world.ask(&operation);
        let permit = world.record();
        world.made(1, &operation, signature);
        world.released(1, Some(permit), &operation, signature);
        world.answered(request, 200, Some(signature));
    }
    accepted(&world.end());

    let mut world = World::new();
    let request = world.ask(&operation);
    let permit = world.record();
    let wrong = world.baker.sign(&Message::attestation(5, 1));
    world.made(1, &operation, &wrong);
    world.released(1, Some(permit), &operation, &wrong);
    world.answered(request, 200, Some(&wrong));
    rejected(&world.end(), Invariant::I9, "does not verify");
}

#[test]
fn the_kinds_of_a_slot_are_apart() {
    let mut world = World::new();
    world.sign(&Message::attestation(9, 1));
    world.sign(&Message::preattestation(5, 2));
    let verdict = world.end();
    accepted(&verdict);
}
