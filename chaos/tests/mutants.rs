//! A test suite is worth what it notices: twenty mistakes are built into Quorate, one at a time, and
//! the schedules that break no promise otherwise must see each of them.

use std::env;
use std::thread;

use chaos::mutants::{Wanted, hunt, seen};
use chaos::sim::kept::{self, Kept};
use raft_store::mutant::{Mutant, active, switch_on};

/// How many seeds each mutant gets: `make chaos-mutants SEEDS=100` sets it.
const SEEDS: &str = "QUORATE_MUTANT_SEEDS";
/// Only mutants with this in their name.
const ONLY: &str = "QUORATE_MUTANT";

#[test]
fn every_mistake_that_is_built_in_is_seen() {
    let seeds = env::var(SEEDS).map_or(10, |seeds| seeds.parse().unwrap());
    let wanted = Wanted {
        seeds,
        only: env::var(ONLY).ok(),
        threads: 2,
    };
    assert!(hunt(&wanted).unwrap(), "see above which were not");
}

/// A seed that once saw a mistake goes on seeing it (`chaos/tests/simulation.rs` holds that it breaks
/// nothing without it).
#[test]
fn every_kept_seed_of_a_mistake_sees_it_again() {
    let mut kept_ones = 0;
    for (name, kept) in Kept::all(&kept::folder()).unwrap() {
        let Some(mutant) = &kept.mutant else {
            continue;
        };
        let mutant = Mutant::ALL.into_iter().find(|one| one.name() == mutant);
        let mutant = mutant.unwrap_or_else(|| panic!("{name} names no mistake"));
        assert!(seen(mutant, kept.schedule()).is_some(), "{name}");
        kept_ones += 1;
    }
    assert!(kept_ones > 0, "no seed of a mistake is kept");
}

#[test]
fn a_mistake_is_made_in_the_thread_that_asked_for_it_and_no_longer() {
    {
        let _switched = switch_on(Mutant::FloorIgnored);
        assert!(active(Mutant::FloorIgnored));
        assert!(!active(Mutant::RecordSkipped));
        thread::spawn(|| assert!(!active(Mutant::FloorIgnored)))
            .join()
            .unwrap();
    }
    assert!(Mutant::ALL.into_iter().all(|mutant| !active(mutant)));
}
