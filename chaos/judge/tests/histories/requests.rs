//! I5, I13, I14: what is asked, who lets go, who is refused, and how soon it works again.

use judge::Invariant;
use judge::history::{Action, Event, Mark};

use crate::baker::{Baker, MAINNET, Message};
use crate::world::{World, accepted, rejected, rejected_at};

#[test]
fn a_fresh_slot_signed_after_the_bound_is_too_late() {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    let healed = world.healed();
    let message = Message::attestation(6, 1);
    let request = world.ask(&message);
    let asked = world.lines.len();
    world.wait_us(1_000_000);
    let late = world.lines.len() + 1;
    world.serve(request, &message);
    world.states();
    let lines = [healed, asked, late];
    rejected_at(
        &world.verdict(),
        Invariant::I5,
        "which was the bound",
        &lines,
    );
}

#[test]
fn a_slot_that_was_asked_before_healing_is_not_fresh() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let before = world.ask(&message);
    world.answered(before, 502, None);
    world.healed();
    world.sign(&message);
    let fresh = world.ask(&Message::attestation(6, 1));
    world.wait_us(1_000_000);
    world.answered(fresh, 502, None);
    world.states();
    rejected(&world.verdict(), Invariant::I5, "no fresh slot");
}

#[test]
fn a_fault_within_the_bound_ends_the_claim_and_the_next_healing_makes_another() {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    world.healed();
    world.say(Event::Fault {
        fault: 1,
        name: "kill".to_owned(),
        nodes: vec![1],
        proof: "exit by signal 9".to_owned(),
    });
    world.wait_us(5_000_000);
    world.say(Event::FaultEnded { fault: 1 });
    accepted(&world.end());
}

#[test]
fn what_nobody_asked_for_is_not_signed() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    world.grant(&message);
    let signature = world.baker.sign(&message);
    let made = world.made(1, &message, &signature);
    rejected_at(&world.end(), Invariant::I13, "nobody asked for", &[made]);
}

#[test]
fn a_message_without_a_slot_is_not_signed_unasked_either() {
    let mut world = World::new();
    let mut operation = Message::attestation(5, 1);
    operation.bytes = vec![0x03, 1, 2, 3];
    let signature = world.baker.sign(&operation);
    let made = world.made(1, &operation, &signature);
    let permit = world.record();
    world.released(1, Some(permit), &operation, &signature);
    rejected_at(&world.end(), Invariant::I13, "nobody asked for", &[made]);
}

#[test]
fn what_is_asked_only_after_it_was_signed_was_not_asked_for() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let entry = world.grant(&message);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    let request = world.ask(&message);
    world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    rejected(&world.end(), Invariant::I13, "nobody asked for");
}

#[test]
fn r35_a_message_whose_slot_cannot_be_told_is_not_signed() {
    let mut world = World::new();
    let mut message = Message::attestation(5, 1);
    message.bytes.push(0);
    let request = world.ask(&message);
    let permit = world.record();
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(permit), &message, &signature);
    world.answered(request, 200, Some(&signature));
    rejected(&world.end(), Invariant::I13, "bytes follow its end");
}

#[test]
fn a_message_that_cannot_be_read_may_be_asked_and_is_refused() {
    let mut world = World::new();
    let key = world.baker.address.clone();
    for bytes in ["", "13", "zz"] {
        let request = world.ask_for(key.clone(), bytes.to_owned());
        world.answered(request, 400, None);
    }
    accepted(&world.end());
}

#[test]
fn r20_a_follower_lets_nothing_go_by_the_entry_of_a_leader() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    let entry = world.grant(&message);
    let signature = world.baker.sign(&message);
    world.made(2, &message, &signature);
    let released = world.released(2, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    rejected_at(
        &world.end(),
        Invariant::I13,
        "which it never led",
        &[released],
    );
}

#[test]
fn a_deposed_leader_may_finish_what_its_own_entry_granted() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    let entry = world.grant(&message);
    world.elect(2);
    world.sign(&Message::attestation(6, 1));
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    accepted(&world.end());
}

#[test]
fn p4_a_refusal_that_nothing_explains_is_an_outage_in_disguise() {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    let request = world.ask(&Message::attestation(6, 1));
    let asked = world.lines.len();
    let refused = world.answered(request, 409, None);
    let words = "nobody asked for that slot or one above";
    rejected_at(&world.end(), Invariant::I14, words, &[asked, refused]);
}

#[test]
fn a_refusal_is_explained_by_whoever_asked_for_the_slot_or_one_above() {
    for other in [Message::attestation(5, 2), Message::attestation(6, 1)] {
        let mut world = World::new();
        world.ask(&other);
        let request = world.ask(&Message::attestation(5, 1));
        world.answered(request, 409, None);
        accepted(&world.end());
    }
    // The same bytes, or another kind, take nothing from anybody.
    for other in [Message::attestation(5, 1), Message::preattestation(6, 1)] {
        let mut world = World::new();
        world.ask(&other);
        let request = world.ask(&Message::attestation(5, 1));
        world.answered(request, 409, None);
        rejected(&world.end(), Invariant::I14, "refused at level 5");
    }
}

#[test]
fn a_refusal_is_explained_by_an_order_a_floor_a_burnt_slot_or_a_jump() {
    let mut world = World::new();
    let key = world.baker.address.clone();
    world.order(Action::Raise {
        key,
        chain: MAINNET.to_owned(),
        level: 9,
    });
    let request = world.ask(&Message::attestation(5, 1));
    world.answered(request, 409, None);
    accepted(&world.end());

    let refused = |floor, burnt: fn(&Baker) -> Vec<Mark>, level| {
        let baker = Baker::tz1(1);
        let key = baker.enrolled(floor, burnt(&baker));
        let mut world = World::with(baker, vec![key]);
        world.sign(&Message::attestation(20, 1));
        let request = world.ask(&Message::preattestation(level, 1));
        world.answered(request, 409, None);
        world.end().broken()
    };
    let none = |_: &Baker| Vec::new();
    let burnt = |baker: &Baker| vec![Message::preattestation(9, 1).burnt(baker)];
    assert!(refused(10, none, 9).is_empty());
    assert_eq!(refused(10, none, 10), [Invariant::I14]);
    assert!(refused(0, burnt, 9).is_empty());
    assert_eq!(refused(0, burnt, 10), [Invariant::I14]);
    assert!(refused(10, none, 1_011).is_empty());
    assert_eq!(refused(10, none, 1_010), [Invariant::I14]);
    // A floor of zero takes the first level as it is given.
    assert_eq!(refused(0, none, 5_000), [Invariant::I14]);
}

/// The signature was lost with its node; the mark that it left behind is where a jump begins.
#[test]
fn a_jump_is_told_from_a_mark_whose_signature_never_left() {
    let refused = |level| {
        let mut world = World::new();
        world.sign(&Message::attestation(20, 1));
        let lost = Message::preattestation(20, 1);
        world.ask(&lost);
        world.grant(&lost);
        let request = world.ask(&Message::preattestation(level, 1));
        world.answered(request, 409, None);
        world.end().broken()
    };
    assert!(refused(1_021).is_empty());
    assert_eq!(refused(1_020), [Invariant::I14]);
}

#[test]
fn p5_an_enrolled_key_is_never_unknown() {
    let mut world = World::new();
    let request = world.ask(&Message::attestation(5, 1));
    world.answered(request, 404, None);
    rejected(&world.end(), Invariant::I14, "is said to be unknown");
}

#[test]
fn a_key_that_is_not_enrolled_is_unknown() {
    let mut world = World::new();
    let key = Baker::tz1(2).address;
    let request = world.ask_for(key, Message::attestation(5, 1).digits());
    world.answered(request, 404, None);
    accepted(&world.end());
}
