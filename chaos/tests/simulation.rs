//! A schedule of every theme, every seed that once broke something, and the proof that a seed is a run.

use std::env;
use std::io::{self, Write as _};
use std::process::Command;
use std::time::Duration;

use chaos::sim::kept::{self, Kept};
use chaos::sim::plan::Theme;
use chaos::sim::schedule::{Outcome, Schedule};
use clap::ValueEnum as _;

const SPAN: Duration = Duration::from_secs(10);

fn words(outcome: &Outcome) -> String {
    let violations = outcome.verdict.violations.iter();
    let violations =
        violations.map(|v| format!("{:?} at {} us: {}", v.invariant, v.at_us, v.words));
    let surprises = outcome.surprises.iter().cloned();
    violations.chain(surprises).collect::<Vec<_>>().join("\n")
}

/// R1-R11, R13-R16, R18-R21, R23, R25, R30, R31, R33: the promises, under each kind of schedule.
/// Two hundred seeds of ten seconds run in `quorate-chaos sim`, which `make test` calls.
#[test]
fn a_schedule_of_every_theme_breaks_no_promise() {
    for theme in Theme::value_variants() {
        let schedule = Schedule {
            seed: 77,
            span: SPAN,
            theme: Some(*theme),
        };
        let outcome = schedule.run();
        assert!(outcome.is_green(), "{theme:?}: {}", words(&outcome));
        assert!(outcome.counts.of("answer: signed") > 0, "{theme:?}");
    }
}

/// A seed that once broke something is replayed for ever.
#[test]
fn every_kept_seed_breaks_no_promise_any_more() {
    let all = Kept::all(&kept::folder()).unwrap();
    assert!(!all.is_empty());
    for (name, kept) in all {
        let outcome = kept.schedule().run();
        assert!(
            outcome.is_green(),
            "{name} ({}): {}",
            kept.words,
            words(&outcome)
        );
    }
}

/// The name under which the test below starts itself again.
const AGAIN: &str = "QUORATE_CHAOS_SIMULATION_SEED";

#[test]
fn a_seed_is_the_same_run_in_every_process_to_the_byte() {
    let schedule = |seed| Schedule {
        seed,
        span: SPAN,
        theme: None,
    };
    if let Ok(seed) = env::var(AGAIN) {
        let outcome = schedule(seed.parse().unwrap()).run();
        writeln!(io::stdout(), "trace:{}:", outcome.trace).unwrap();
        return;
    }
    for seed in [1, 2, 3] {
        let here = schedule(seed).run();
        let there = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("a_seed_is_the_same_run_in_every_process_to_the_byte")
            .env(AGAIN, seed.to_string())
            .output()
            .unwrap();
        let told = String::from_utf8(there.stdout).unwrap();
        let trace = told
            .split("trace:")
            .nth(1)
            .and_then(|rest| rest.split(':').next());
        assert_eq!(trace, Some(here.trace.as_str()), "seed {seed}: {told}");
        assert_ne!(here.trace, schedule(seed + 1000).run().trace);
    }
}
