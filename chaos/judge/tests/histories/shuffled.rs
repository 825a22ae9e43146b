//! Histories that nobody wrote on purpose.

use std::time::Instant;

use judge::history::Line;
use judge::judge;
use proptest::prelude::*;

use crate::baker::{Baker, Message};
use crate::world::{World, accepted};

fn run(baker: Baker, slots: i32) -> Vec<Line> {
    let mut world = World::of(baker);
    for level in 1..=slots {
        let other = world.ask(&Message::attestation(level, 2));
        world.sign(&Message::attestation(level, 1));
        world.answered(other, 409, None);
        if level % 5 == 0 {
            world.elect(u64::try_from(level % 3).unwrap() + 1);
        }
    }
    world.heal();
    world.lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    /// The judge says something about any history, also one that makes no sense.
    #[test]
    fn lines_in_any_order_and_any_number_are_judged(
        order in proptest::collection::vec(any::<proptest::sample::Index>(), 0..120),
    ) {
        let lines = run(Baker::tz3(1), 12);
        let mixed: Vec<Line> = order.iter().map(|at| at.get(&lines).clone()).collect();
        let verdict = judge(&mixed);
        prop_assert!(!verdict.is_green());
        let shown = verdict.violations.iter().flat_map(|found| &found.lines);
        prop_assert!(shown.into_iter().all(|line| *line <= mixed.len()));
    }

    /// What one key does is no matter of another's: two runs of different keys, one beside the other in
    /// any interleaving, are judged as well as each alone.
    #[test]
    fn lines_of_different_keys_may_be_interleaved_in_any_way(coins in proptest::collection::vec(any::<bool>(), 40)) {
        let mut world = World::with(
            Baker::tz1(1),
            [Baker::tz1(1), Baker::tz1(2)].iter().map(|baker| baker.enrolled(0, Vec::new())).collect(),
        );
        let mut levels = [0, 0];
        for coin in coins {
            let which = usize::from(coin);
            levels[which] += 1;
            world.baker = Baker::tz1(u8::try_from(which).unwrap() + 1);
            world.sign(&Message::attestation(levels[which], 1));
        }
        world.baker = Baker::tz1(1);
        accepted(&world.end());
    }
}

/// 126,000 lines with 10,000 signatures were judged in 1.3 s on two busy cores, most of it spent on
/// verifying; the bound is on growth, since a machine may do much else at the time.
#[test]
fn the_time_to_judge_grows_with_the_lines_and_no_faster() {
    let time = |slots| {
        let lines = run(Baker::tz1(1), slots);
        let began = Instant::now();
        let verdict = judge(&lines);
        let took = began.elapsed();
        accepted(&verdict);
        (lines.len(), took)
    };
    let (few, short) = time(1_000);
    let (many, long) = time(10_000);
    assert!(few > 10_000 && many > 100_000);
    assert!(
        long < short * 40,
        "{few} lines: {short:?}, {many} lines: {long:?}"
    );
}
