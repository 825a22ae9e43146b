//! What proves nothing is not green.

use judge::history::{Action, Event, Line, Told};
use judge::{Invariant, judge};

use crate::baker::{Baker, Message};
use crate::world::{NODES, World, rejected};

/// Ends well what was written, which must be found wrong in this one way.
#[track_caller]
fn unsound<T>(write: impl FnOnce(&mut World) -> T, words: &str) {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    write(&mut world);
    rejected(&world.end(), Invariant::Evidence, words);
}

#[test]
fn an_empty_history_and_one_in_which_nothing_was_signed_prove_nothing() {
    rejected(&judge(&[]), Invariant::Evidence, "nothing was signed");
    let mut world = World::new();
    world.healed();
    let request = world.ask(&Message::attestation(5, 1));
    world.answered(request, 502, None);
    world.states();
    let verdict = world.verdict();
    assert_eq!(verdict.broken(), [Invariant::Evidence]);
    assert!(!verdict.is_green());
}

#[test]
fn a_history_says_first_and_once_what_run_it_is() {
    let mut world = World::new();
    world.heal();
    let run = world.lines.remove(0);
    let found = judge(&world.lines);
    assert!(found.violations[0].words.contains("does not say what run"));
    unsound(
        |world| {
            let event = run.event.clone();
            world.say(event);
        },
        "a second run begins",
    );
}

#[test]
fn time_does_not_step_back() {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    world.heal();
    let last = world.lines.len() - 1;
    world.lines[last].at_us = 5;
    rejected(&world.verdict(), Invariant::Evidence, "time steps back");
}

#[test]
fn a_node_that_is_not_of_the_run_says_nothing() {
    unsound(|world| world.vote(9, 5, 1), "node 9 is not of this run");
}

#[test]
fn every_answer_has_one_request_and_every_request_one_answer() {
    let signature = Baker::tz1(1).sign(&Message::attestation(5, 1));
    unsound(
        |world| world.answered(77, 502, None),
        "request 77 is answered and was never asked",
    );
    unsound(
        |world| world.answered(1, 200, Some(&signature)),
        "request 1 is answered twice",
    );
    unsound(
        |world| {
            let asked = world
                .lines
                .iter()
                .find(|line| matches!(line.event, Event::Asked { .. }));
            let event = asked.unwrap().event.clone();
            world.say(event);
        },
        "request 1 is asked twice",
    );
}

#[test]
fn a_200_has_a_signature_and_nothing_else_has_one() {
    let signature = Baker::tz1(1).sign(&Message::attestation(5, 1));
    unsound(
        |world| {
            let request = world.ask(&Message::attestation(6, 1));
            world.answered(request, 200, None);
        },
        "has a 200 and no signature",
    );
    unsound(
        |world| {
            let request = world.ask(&Message::attestation(5, 1));
            world.answered(request, 502, Some(&signature));
        },
        "a signature and no 200, but 502",
    );
}

#[test]
fn what_is_no_signature_is_said_to_be_none() {
    unsound(
        |world| {
            let message = Message::attestation(6, 1);
            world.ask(&message);
            world.made(1, &message, "edsig");
        },
        "`edsig` is no signature",
    );
}

#[test]
fn a_200_that_no_node_released_and_a_release_that_no_signer_signed_are_missing_lines() {
    let message = Message::attestation(6, 1);
    let signature = Baker::tz1(1).sign(&message);
    unsound(
        |world| {
            let request = world.ask(&message);
            world.grant(&message);
            world.made(1, &message, &signature);
            world.answered(request, 200, Some(&signature));
        },
        "no node is seen to have released it",
    );
    unsound(
        |world| {
            let request = world.ask(&message);
            let entry = world.grant(&message);
            world.released(1, Some(entry), &message, &signature);
            world.answered(request, 200, Some(&signature));
        },
        "no signer is seen to have signed it",
    );
}

#[test]
fn orders_and_faults_come_in_pairs() {
    let raise = Action::Raise {
        key: Baker::tz1(1).address,
        chain: "NetXnHfVqm9iesp".to_owned(),
        level: 3,
    };
    unsound(
        |world| world.obeyed(9, Told::Committed),
        "order 9 is answered",
    );
    for told in [Told::Committed, Told::Refused, Told::Unknown] {
        unsound(
            |world| {
                let order = world.order(raise.clone());
                world.obeyed(order, Told::Drained);
                world.obeyed(order, told);
            },
            "after Some(Drained)",
        );
    }
    unsound(
        |world| world.say(Event::FaultEnded { fault: 3 }),
        "fault 3 ends and never began",
    );
    let fault = |proof: &str| Event::Fault {
        fault: 3,
        name: "kill".to_owned(),
        nodes: NODES.to_vec(),
        proof: proof.to_owned(),
    };
    unsound(
        |world| {
            world.say(fault("seen"));
            world.say(fault("seen"));
        },
        "fault 3 begins twice",
    );
    unsound(
        |world| world.say(fault(" ")),
        "nothing shows that fault 3 took effect",
    );
}

#[test]
fn a_run_is_healed_and_every_healed_node_tells_its_state() {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    rejected(&world.verdict(), Invariant::Evidence, "never healed");

    let mut world = World::new();
    world.heal();
    world.lines.pop();
    rejected(
        &world.verdict(),
        Invariant::Evidence,
        "node 3 was healed and told no state",
    );
}

#[test]
fn after_healing_somebody_asks_for_a_fresh_slot() {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    world.healed();
    world.states();
    rejected(
        &world.verdict(),
        Invariant::Evidence,
        "nobody asked for a fresh slot",
    );
    world.wait_us(2_000_000);
    world.states();
    rejected(&world.verdict(), Invariant::Evidence, "within the bound");

    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    world.healed();
    world.ask(&Message::attestation(6, 1));
    world.states();
    rejected(
        &world.verdict(),
        Invariant::Evidence,
        "ends before a fresh slot",
    );
}

#[test]
fn a_key_is_described_so_that_signatures_can_be_verified() {
    let (one, other) = (Baker::tz1(1), Baker::tz1(2));
    let mut key = one.enrolled(0, Vec::new());
    key.public_key = "edpk".to_owned();
    let world = World::with(Baker::tz1(1), vec![key.clone()]);
    rejected(&world.end(), Invariant::Evidence, "`edpk` is no public key");

    key.public_key = other.public_key;
    let mut world = World::with(Baker::tz1(1), vec![key]);
    world.healed();
    let found = world.verdict();
    assert!(found.violations[0].words.contains("is not the key of"));
}

#[test]
fn of_one_promise_a_hundred_violations_are_listed() {
    let mut world = World::new();
    for term in 2..500 {
        world.leads(2, term);
    }
    let verdict = world.end();
    assert_eq!(verdict.broken(), [Invariant::I6]);
    assert_eq!(verdict.violations.len(), 100);
    let Line { event, .. } = &world_first(&verdict.violations[0].lines);
    assert!(matches!(event, Event::Leads { term: 2, .. }));
}

/// The line of a run like the one above.
fn world_first(lines: &[usize]) -> Line {
    let mut world = World::new();
    world.leads(2, 2);
    world.lines[lines[0] - 1].clone()
}
