//! I6: votes and leaders.

use judge::Invariant;
use judge::history::Event;

use crate::world::{World, accepted, rejected, rejected_at};

#[test]
fn two_votes_of_one_node_in_one_term_are_seen() {
    let mut world = World::new();
    let first = world.vote(3, 2, 1);
    let second = world.vote(3, 2, 2);
    rejected_at(
        &world.end(),
        Invariant::I6,
        "node 3 votes for node 2",
        &[first, second],
    );
}

#[test]
fn a_restart_gives_no_second_vote() {
    let mut world = World::new();
    world.vote(3, 2, 1);
    world.say(Event::Boot {
        node: 3,
        counter: 2,
    });
    world.vote(3, 2, 2);
    rejected(&world.end(), Invariant::I6, "and did for node 1");
}

#[test]
fn the_same_vote_may_be_said_again_and_another_term_is_another_vote() {
    let mut world = World::new();
    for (term, candidate) in [(2, 1), (2, 1), (3, 2)] {
        world.vote(3, term, candidate);
    }
    accepted(&world.end());
}

#[test]
fn two_leaders_of_one_term_are_seen() {
    let mut world = World::new();
    let first = world.lines.len();
    let second = world.leads(2, 1);
    rejected_at(
        &world.end(),
        Invariant::I6,
        "both lead term 1",
        &[first, second],
    );
}

#[test]
fn a_leader_that_restarts_does_not_lead_its_term_again() {
    let mut world = World::new();
    world.leads(1, 1);
    world.say(Event::Boot {
        node: 1,
        counter: 2,
    });
    world.leads(1, 1);
    rejected(&world.end(), Invariant::I6, "without an election");
}

#[test]
fn a_leader_without_the_votes_of_a_majority_is_seen() {
    let mut world = World::new();
    world.vote(2, 2, 2);
    world.leads(2, 2);
    rejected(&world.end(), Invariant::I6, "with the votes of 1 of 3");
}

#[test]
fn a_vote_that_leaves_before_its_disk_holds_it_is_seen_where_disks_tell() {
    let mut world = World::new();
    for node in [1, 2] {
        let event = Event::VoteDurable {
            node,
            term: 1,
            candidate: 1,
        };
        let at_us = world.lines[3].at_us;
        world.lines.insert(4, judge::history::Line { at_us, event });
    }
    accepted(&{
        let mut good = World::new();
        good.lines.clone_from(&world.lines);
        good.end()
    });
    let early = world.vote(3, 2, 2);
    world.say(Event::VoteDurable {
        node: 3,
        term: 2,
        candidate: 2,
    });
    rejected_at(
        &world.end(),
        Invariant::I6,
        "before its disk holds",
        &[early],
    );
}

#[test]
fn a_vote_in_a_lower_term_is_seen_and_one_that_leaves_late_is_none() {
    // For itself, a node votes in the order in which it tells it.
    let mut world = World::new();
    let higher = world.vote(2, 7, 3);
    let lower = world.vote(2, 6, 2);
    let words = "votes in term 6 after it voted in term 7";
    rejected_at(&world.end(), Invariant::I6, words, &[higher, lower]);

    for (waits_us, is_sound) in [(1_000, true), (6_000_000, false)] {
        let mut world = World::new();
        let higher = world.vote(2, 7, 2);
        world.wait_us(waits_us);
        let lower = world.vote(2, 6, 3);
        if is_sound {
            accepted(&world.end());
        } else {
            rejected_at(&world.end(), Invariant::I6, words, &[higher, lower]);
        }
    }

    let mut world = World::new();
    world.vote(2, 7, 2);
    world.say(Event::OtherDisk { node: 2 });
    world.vote(2, 6, 2);
    accepted(&world.end());
}
