//! I2, I3, I4, I12: what the disks and the states hold.

use judge::Invariant;
use judge::history::{Event, Mark};

use crate::baker::{Baker, Message};
use crate::world::{FRESH, NODES, World, accepted, rejected, rejected_at};

#[test]
fn r2_a_mark_that_falls_is_seen() {
    let mut world = World::new();
    world.sign(&Message::attestation(6, 1));
    let before = world
        .lines
        .iter()
        .rposition(|line| matches!(line.event, Event::Applied { node: 3, .. }));
    let entry = world.next_entry();
    let lower = Message::attestation(5, 1).mark(&world.baker);
    let fallen = world.applied(3, entry, lower);
    let lines = [before.unwrap() + 1, fallen];
    let mut verdict = world.end();
    // What it says of itself at the end is what it applied last, in which nothing falls.
    verdict
        .violations
        .retain(|found| found.lines.contains(&fallen));
    rejected_at(&verdict, Invariant::I2, "from level 6 round 0", &lines);
}

#[test]
fn r2_a_restart_lowers_no_mark() {
    let mut world = World::new();
    world.sign(&Message::attestation(6, 1));
    world.say(Event::Boot {
        node: 3,
        counter: 2,
    });
    let entry = world.next_entry();
    world.applied(3, entry, Message::attestation(5, 1).mark(&world.baker));
    rejected(&world.end(), Invariant::I2, "node 3");
}

#[test]
fn r2_a_restarted_node_does_not_come_to_a_higher_mark_by_an_earlier_entry() {
    let mut world = World::new();
    let earlier = world.next_entry();
    world.sign(&Message::attestation(6, 1));
    world.say(Event::Boot {
        node: 3,
        counter: 2,
    });
    let higher = Message::attestation(7, 1);
    world.applied(3, earlier, higher.mark(&world.baker));
    rejected(&world.end(), Invariant::I2, "from level 7 round 0");
}

#[test]
fn r2_a_snapshot_with_a_stale_mark_is_seen_though_its_entry_is_new() {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    world.sign(&Message::attestation(6, 1));
    let entry = world.next_entry();
    world.applied(2, entry, Message::attestation(5, 1).mark(&world.baker));
    rejected(&world.end(), Invariant::I2, "node 2");
}

#[test]
fn a_slot_may_be_burnt_and_is_never_freed_nor_taken_by_another_message() {
    let message = Message::attestation(5, 1);
    let steps = |second: fn(&Message, &Baker) -> Mark, third: fn(&Message, &Baker) -> Mark| {
        let mut world = World::new();
        world.ask(&message);
        world.grant(&message);
        for mark in [second, third] {
            let entry = world.next_entry();
            let mark = mark(&message, &world.baker);
            for node in NODES {
                world.applied(node, entry, mark.clone());
            }
        }
        world.end().broken()
    };
    let other = |message: &Message, baker: &Baker| {
        let other = Message::attestation(5, 2);
        assert_eq!(other.level, message.level);
        other.mark(baker)
    };
    assert!(steps(Message::mark, Message::mark).is_empty());
    assert!(steps(Message::mark, Message::burnt).is_empty());
    assert_eq!(steps(Message::burnt, Message::mark), [Invariant::I2]);
    assert_eq!(steps(Message::mark, other), [Invariant::I2]);
}

#[test]
fn the_state_of_a_node_is_not_below_what_it_applied() {
    let mut world = World::new();
    world.heal();
    // Nothing of it was released, so that only the node itself is contradicted.
    let message = Message::preattestation(5, 1);
    world.ask(&message);
    world.grant(&message);
    world.states();
    accepted(&world.verdict());
    let told = world.state(2, |mark| mark.level == i64::from(FRESH));
    let verdict = world.verdict();
    rejected(&verdict, Invariant::I2, "its state has no mark there");
    assert_eq!(verdict.violations[0].lines.last(), Some(&told));
}

#[test]
fn r5_a_signature_released_before_a_second_disk_has_the_entry_is_seen() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    let entry = world.next_entry();
    let mark = message.mark(&world.baker);
    let signature = world.baker.sign(&message);
    world.durable(1, entry, Some(mark.clone()));
    world.made(1, &message, &signature);
    let released = world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    for node in [2, 3] {
        world.durable(node, entry, Some(mark.clone()));
    }
    for node in NODES {
        world.applied(node, entry, mark.clone());
    }
    rejected_at(
        &world.end(),
        Invariant::I3,
        "durable on 1 of 3 disks",
        &[released],
    );
}

#[test]
fn r5_what_a_power_cut_took_is_not_durable() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    let entry = world.grant(&message);
    for node in [2, 3] {
        world.say(Event::Undone {
            node,
            from: entry.index,
        });
    }
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    rejected(&world.end(), Invariant::I3, "durable on 1 of 3");
}

#[test]
fn r5_an_entry_of_the_same_place_with_another_message_allows_nothing() {
    let mut world = World::new();
    let message = Message::attestation(5, 1);
    world.sign(&message);
    let other = Message::attestation(6, 1);
    let request = world.ask(&other);
    let of_another = world.grant(&Message::attestation_at(6, 1, 1));
    let signature = world.baker.sign(&other);
    world.made(1, &other, &signature);
    world.released(1, Some(of_another), &other, &signature);
    world.answered(request, 200, Some(&signature));
    rejected(&world.end(), Invariant::I3, "durable on 0 of 3");
}

#[test]
fn r14_a_key_that_records_is_not_released_by_its_advance() {
    let mut world = World::of(Baker::tz3(1));
    let message = Message::attestation(5, 1);
    let request = world.ask(&message);
    let advance = world.grant(&message);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(advance), &message, &signature);
    world.answered(request, 200, Some(&signature));
    rejected(&world.end(), Invariant::I3, "durable on 0 of 3");
}

#[test]
fn a_node_that_lacks_after_healing_what_was_released_is_seen() {
    let mut world = World::new();
    let message = Message::preattestation(5, 1);
    let request = world.ask(&message);
    let entry = world.grant_on(&message, &[1, 2]);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    let released = world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    world.heal();
    let told = world.lines.len();
    let verdict = world.verdict();
    rejected_at(
        &verdict,
        Invariant::I4,
        "node 3 has no mark",
        &[released, told],
    );
}

#[test]
fn a_node_that_has_another_message_after_healing_where_one_was_released_is_seen() {
    let mut world = World::new();
    let message = Message::preattestation(5, 1);
    let request = world.ask(&message);
    let entry = world.grant_on(&message, &[1, 2]);
    let signature = world.baker.sign(&message);
    world.made(1, &message, &signature);
    world.released(1, Some(entry), &message, &signature);
    world.answered(request, 200, Some(&signature));
    world.healed();
    world.sign(&Message::attestation(FRESH, 0));
    for node in [1, 2] {
        world.state(node, |_| true);
    }
    let other = Message::preattestation(5, 2).mark(&world.baker);
    let fresh = Message::attestation(FRESH, 0).mark(&world.baker);
    world.say(Event::State {
        node: 3,
        marks: vec![other.clone(), fresh.clone()],
    });
    rejected(&world.verdict(), Invariant::I4, "another message there");

    // Burnt is as good as signed: nobody signs there any more. And so is anything above.
    for (level, digest) in [(5, ""), (6, &*other.digest)] {
        let (digest, mark) = (digest.to_owned(), other.clone());
        let mark = Mark {
            level,
            digest,
            ..mark
        };
        let marks = vec![mark, fresh.clone()];
        world.say(Event::State { node: 3, marks });
        accepted(&world.verdict());
    }
}

#[test]
fn one_log_id_with_two_contents_is_seen() {
    let mut world = World::new();
    world.sign(&Message::attestation(5, 1));
    let entry = world.next_entry();
    let first = world.durable(
        1,
        entry,
        Some(Message::attestation(6, 1).mark(&world.baker)),
    );
    let second = world.durable(
        2,
        entry,
        Some(Message::attestation(6, 2).mark(&world.baker)),
    );
    let words = "one thing on the disk of node 2 and another";
    rejected_at(&world.end(), Invariant::I12, words, &[first, second]);
}

#[test]
fn r37_an_entry_that_leaves_another_mark_on_another_node_is_seen() {
    let mut world = World::new();
    let (one, other) = (Message::attestation(6, 1), Message::attestation(6, 2));
    let entry = world.next_entry();
    world.applied(1, entry, one.mark(&world.baker));
    world.applied(2, entry, one.mark(&world.baker));
    world.applied(3, entry, other.mark(&world.baker));
    rejected(&world.end(), Invariant::I12, "one mark");
}

#[test]
fn two_entries_applied_at_one_index_are_seen() {
    let mut world = World::new();
    let mut entry = world.next_entry();
    let mark = Message::attestation(6, 1).mark(&world.baker);
    world.applied(1, entry, mark.clone());
    entry.term = 9;
    world.applied(2, entry, mark);
    rejected(&world.end(), Invariant::I12, "of term 9");
}
