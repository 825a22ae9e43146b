//! I10: what an operator was told about *disable* and *raise*.

use judge::history::{Action, Event, Told};
use judge::{Invariant, Verdict};

use crate::baker::{Baker, MAINNET, Message};
use crate::world::{World, accepted, rejected};

fn disable(world: &mut World) -> u64 {
    let key = world.baker.address.clone();
    world.order(Action::Disable { key })
}

fn enable(world: &mut World) -> u64 {
    let key = world.baker.address.clone();
    world.order(Action::Enable { key })
}

fn raise(world: &mut World, level: i64) -> u64 {
    let (key, chain) = (world.baker.address.clone(), MAINNET.to_owned());
    world.order(Action::Raise { key, chain, level })
}

/// Enables the key again, since every run is healed at its end, and that signs.
fn end(mut world: World) -> Verdict {
    let order = enable(&mut world);
    world.obeyed(order, Told::Committed);
    world.end()
}

#[test]
fn r25_nothing_asked_after_a_committed_disable_is_released() {
    let mut world = World::new();
    let order = disable(&mut world);
    world.obeyed(order, Told::Committed);
    world.sign(&Message::attestation(5, 1));
    rejected(
        &end(world),
        Invariant::I10,
        "was committed, on a request sent after",
    );
}

#[test]
fn what_was_asked_before_may_finish_until_the_key_is_drained() {
    for told in [Told::Committed, Told::Drained] {
        let mut world = World::new();
        let message = Message::attestation(5, 1);
        let request = world.ask(&message);
        let entry = world.grant(&message);
        let order = disable(&mut world);
        world.obeyed(order, told);
        let signature = world.baker.sign(&message);
        world.made(1, &message, &signature);
        world.released(1, Some(entry), &message, &signature);
        world.answered(request, 200, Some(&signature));
        match told {
            Told::Drained => rejected(&end(world), Invariant::I10, "was drained"),
            _ => accepted(&end(world)),
        }
    }
}

/// R25: what stands behind the *Disable* in the log is refused, whoever asked before.
#[test]
fn r25_no_entry_behind_a_disable_lets_a_signature_go_that_was_asked_for_before() {
    for gated in [true, false] {
        let mut world = World::new();
        let message = Message::attestation(5, 1);
        let request = world.ask(&message);
        let order = disable(&mut world);
        let before = gated.then(|| world.grant(&message));
        let entry = world.record();
        let grant = before.unwrap_or_else(|| world.grant(&message));
        let signature = world.baker.sign(&message);
        world.made(1, &message, &signature);
        world.released(1, Some(grant), &message, &signature);
        world.answered(request, 200, Some(&signature));
        world.say(Event::Decided { order, entry });
        world.obeyed(order, Told::Committed);
        if gated {
            accepted(&end(world));
        } else {
            rejected(&end(world), Invariant::I10, "had disabled it");
        }
    }
}

#[test]
fn drained_may_be_told_after_committed_and_holds_from_then_on() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    let entry = world.grant(&message);
    let order = disable(&mut world);
    world.obeyed(order, Told::Committed);
    world.obeyed(order, Told::Drained);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    rejected(&end(world), Invariant::I10, "was drained");
}

#[test]
fn an_answer_may_reach_the_baker_after_the_key_is_drained() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    let entry = world.grant(&message);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(entry), &message, &signature);
    let order = disable(&mut world);
    world.obeyed(order, Told::Drained);
    world.answered(request, 200, Some(&signature));
    accepted(&end(world));
}

#[test]
fn p3_a_signature_that_was_out_before_may_be_answered_again() {
    let mut world = World::of(Baker::tz3(1));
    let (out, recorded) = (Message::attestation(5, 1), Message::attestation(6, 1));
    world.sign(&out);
    let order = disable(&mut world);
    world.obeyed(order, Told::Drained);
    world.replay(&out);
    accepted(&end(world));

    // Recorded, and the leader died before it let it go.
    let mut world = World::of(Baker::tz3(1));
    world.ask(&recorded);
    world.grant(&recorded);
    let signature = world.baker.sign(&recorded);
    world.made(1, &recorded, &signature);
    world.record();
    let order = disable(&mut world);
    world.obeyed(order, Told::Drained);
    world.elect(2);
    world.replay(&recorded);
    accepted(&end(world));
}

#[test]
fn r25_a_key_that_records_nothing_answers_nothing_again_either() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    world.ask(&message);
    world.grant(&message);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    let order = disable(&mut world);
    world.obeyed(order, Told::Committed);
    let request = world.ask(&message);
    let again = world.grant(&message);
    world.released(1, Some(again), &message, &signature);
    world.answered(request, 200, Some(&signature));
    rejected(&end(world), Invariant::I10, "was committed");
}

#[test]
fn an_operation_is_not_permitted_after_disable() {
    let mut world = World::new();
    let mut operation = Message::attestation(5, 1);
    operation.bytes = vec![0x03, 1, 2, 3];
    let order = disable(&mut world);
    world.obeyed(order, Told::Committed);
    let request = world.ask(&operation);
    let permit = world.record();
    let signature = world.baker.sign(&operation);
    world.made(1, &operation, &signature);
    world.released(1, Some(permit), &operation, &signature);
    world.answered(request, 200, Some(&signature));
    rejected(&end(world), Invariant::I10, "was committed");
}

#[test]
fn a_disable_that_was_refused_or_whose_outcome_nobody_knows_promises_nothing() {
    for told in [Told::Refused, Told::Unknown] {
        let mut world = World::new();
        let order = disable(&mut world);
        world.obeyed(order, told);
        world.sign(&Message::attestation(5, 1));
        accepted(&end(world));
    }
}

#[test]
fn a_key_signs_again_from_the_order_to_enable_it_on() {
    let mut world = World::new();
    let order = disable(&mut world);
    world.obeyed(order, Told::Drained);
    enable(&mut world);
    world.sign(&Message::attestation(5, 1));
    accepted(&world.end());
}

#[test]
fn of_two_orders_at_once_nobody_knows_which_came_last() {
    let mut world = World::new();
    let one = disable(&mut world);
    let other = enable(&mut world);
    world.obeyed(other, Told::Committed);
    world.obeyed(one, Told::Committed);
    world.sign(&Message::attestation(5, 1));
    accepted(&world.end());
}

#[test]
fn an_enable_whose_outcome_nobody_knew_does_not_land_after_a_later_disable() {
    let mut world = World::new();
    let late = enable(&mut world);
    world.obeyed(late, Told::Unknown);
    let order = disable(&mut world);
    world.obeyed(order, Told::Committed);
    world.sign(&Message::attestation(5, 1));
    rejected(&end(world), Invariant::I10, "was committed");
}

#[test]
fn nothing_asked_after_a_raise_is_released_up_to_its_level() {
    let mut world = World::new();
    let order = raise(&mut world, 7);
    world.obeyed(order, Told::Committed);
    world.sign(&Message::attestation(7, 1));
    rejected(
        &world.end(),
        Invariant::I10,
        "after it was raised to level 7",
    );

    let mut world = World::new();
    let order = raise(&mut world, 7);
    world.obeyed(order, Told::Committed);
    world.sign(&Message::attestation(8, 1));
    accepted(&world.end());
}

#[test]
fn a_raise_also_ends_what_was_signed_before() {
    let mut world = World::of(Baker::tz3(1));
    let message = Message::attestation(5, 1);
    world.sign(&message);
    for level in [6, 3] {
        let order = raise(&mut world, level);
        world.obeyed(order, Told::Committed);
    }
    world.replay(&message);
    rejected(&world.end(), Invariant::I10, "raised to level 6");
}

#[test]
fn a_grant_from_before_a_raise_may_finish_until_it_is_drained() {
    for told in [Told::Committed, Told::Drained] {
        let mut world = World::new();
        let message = Message::attestation(5, 1);
        let request = world.ask(&message);
        let entry = world.grant(&message);
        let order = raise(&mut world, 7);
        world.obeyed(order, told);
        let signature = world.baker.sign(&message);
        world.made(1, &message, &signature);
        world.released(1, Some(entry), &message, &signature);
        world.answered(request, 200, Some(&signature));
        match told {
            Told::Drained => rejected(&world.end(), Invariant::I10, "raised to level 7"),
            _ => accepted(&world.end()),
        }
    }
}
