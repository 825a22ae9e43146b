//! Many seeds, one after the other, and what they met together.

use std::thread;
use std::time::{Duration, Instant};

use tezos::Digest;

use super::coverage::Counts;
use super::plan::Theme;
use super::schedule::{Outcome, Schedule};
use crate::results;

/// Which seeds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// How long faults go on in each.
    pub span: Duration,
    /// What all of them are about; none for what each draws.
    pub theme: Option<Theme>,
    /// How many run at a time, each in a thread of its own.
    pub threads: u64,
}

/// What a range of seeds came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which.
    pub range: Range,
    /// How long it took.
    pub wall: Duration,
    /// The hash over the hashes of all histories, in the order of the seeds.
    pub trace: String,
    /// What was met.
    pub counts: Counts,
    /// The seeds that are not green.
    pub failing: Vec<(u64, Outcome)>,
}

impl Range {
    /// Runs all of them. `tell` hears of each, in the order of the seeds.
    #[must_use]
    pub fn run(&self, mut tell: impl FnMut(u64, &Outcome)) -> Report {
        let began = Instant::now();
        let mut counts = Counts::default();
        let mut failing = Vec::new();
        let mut traces = Vec::new();
        let ends = self.first.saturating_add(self.count);
        let mut next = self.first;
        while next < ends {
            let upto = next.saturating_add(self.threads.max(1)).min(ends);
            for (seed, outcome) in (next..upto).zip(self.at_once(next, upto)) {
                tell(seed, &outcome);
                counts.add(&outcome.counts);
                traces.extend(outcome.trace.as_bytes());
                if !outcome.is_green() {
                    failing.push((seed, outcome));
                }
            }
            next = upto;
        }
        Report {
            range: *self,
            wall: began.elapsed(),
            trace: hex::encode(Digest::of(&traces).as_bytes()),
            counts,
            failing,
        }
    }

    /// A thread a seed: every thread has its own runtime, clock and random numbers.
    fn at_once(&self, first: u64, upto: u64) -> Vec<Outcome> {
        let schedule = |seed| Schedule {
            seed,
            span: self.span,
            theme: self.theme,
        };
        if upto.saturating_sub(first) == 1 {
            return vec![schedule(first).run()];
        }
        thread::scope(|scope| {
            let running: Vec<_> = (first..upto)
                .map(|seed| scope.spawn(move || schedule(seed).run()))
                .collect();
            let done = running.into_iter().map(|one| match one.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            done.collect()
        })
    }
}

impl Report {
    /// Schedules in a minute of wall time, by all threads together.
    #[must_use]
    pub fn per_minute(&self) -> u64 {
        let wall = self.wall.as_millis().max(1);
        let count = u128::from(self.range.count).saturating_mul(60_000);
        count
            .checked_div(wall)
            .and_then(|rate| u64::try_from(rate).ok())
            .unwrap_or(u64::MAX)
    }

    /// The same in the words of the results.
    #[must_use]
    pub fn result(&self) -> results::Simulation {
        let Range {
            first, count, span, ..
        } = self.range;
        let failing = self.failing.iter().map(|(seed, outcome)| {
            let broken = |violation: &judge::Violation| results::Broken {
                invariant: format!("{:?}", violation.invariant),
                at_ms: violation.at_us / 1000,
                words: violation.words.clone(),
            };
            let surprise = |words: &String| results::Broken {
                invariant: "unexplained".to_owned(),
                at_ms: 0,
                words: words.clone(),
            };
            let violations = outcome.verdict.violations.iter().map(broken);
            let surprises = outcome.surprises.iter().map(surprise);
            results::FailingSeed {
                seed: *seed,
                violations: violations.chain(surprises).collect(),
                reproduce: reproduce(*seed, 1, span, self.range.theme),
            }
        });
        results::Simulation {
            first_seed: first,
            seeds: count,
            virtual_ms: millis(span),
            wall_ms: millis(self.wall),
            schedules_per_minute: self.per_minute(),
            trace_hash: self.trace.clone(),
            failing: failing.collect(),
            coverage: self.counts.0.clone(),
            reproduce: reproduce(first, count, span, self.range.theme),
        }
    }
}

/// The command that runs some seeds again.
#[must_use]
pub fn reproduce(first: u64, count: u64, span: Duration, theme: Option<Theme>) -> String {
    let theme = theme.map_or_else(String::new, |theme| format!(" --theme {}", theme.name()));
    format!(
        "quorate-chaos sim --seed {first} --count {count} --seconds {}{theme}",
        span.as_secs()
    )
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
