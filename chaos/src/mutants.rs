//! The mistakes that are built into the product, and the schedules that must see each of them.
//!
//! A mutant runs under schedules of the theme that stresses what it breaks. It is caught when the
//! judge finds a broken promise, when a node ends for a reason that no fault explains, or when the
//! run panics; and only if the very same schedule breaks nothing without it.

use std::any::Any;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use raft_store::mutant::{Mutant, switch_on};

use crate::results::{MutantResult, Origin, Results, Tally, folder};
use crate::sim::plan::Theme;
use crate::sim::schedule::{Outcome, Schedule};

/// What to look for, and how hard.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// How many seeds each mutant gets. Up to 10, a mutant that was caught gets no more.
    pub seeds: u64,
    /// Only mutants with this in their name.
    pub only: Option<String>,
    /// How many mutants run at a time.
    pub threads: usize,
}

/// How hard one mutant is looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hunt {
    /// The mistake.
    pub mutant: Mutant,
    /// How many seeds, from 1 on.
    pub seeds: u64,
}

/// What came of a hunt.
#[derive(Clone, Debug, Default)]
pub struct Hunted {
    /// How many seeds were tried.
    pub tried: u64,
    /// Those that saw the mutant.
    pub caught: Vec<u64>,
    /// What saw it, and how often.
    pub seen_by: BTreeMap<String, u64>,
    /// What the first one said.
    pub words: String,
    /// Seeds that are not green without the mutant either, so they prove nothing.
    pub unsound: Vec<u64>,
}

/// Up to so many seeds a hunt ends with the first catch; above, it counts them all.
const FEW: u64 = 10;
/// How long faults go on.
const SPAN: Duration = Duration::from_secs(10);

impl Hunt {
    /// Runs the seeds, one after the other.
    #[must_use]
    pub fn run(&self) -> Hunted {
        let mut hunted = Hunted::default();
        for seed in 1..=self.seeds {
            hunted.tried = seed;
            let Some((seen_by, words)) = seen(self.mutant, self.schedule(seed)) else {
                continue;
            };
            if !self.schedule(seed).run().is_green() {
                hunted.unsound.push(seed);
                continue;
            }
            if hunted.caught.is_empty() {
                hunted.words = words;
            }
            hunted.caught.push(seed);
            for by in seen_by {
                let count = hunted.seen_by.entry(by).or_default();
                *count = count.saturating_add(1);
            }
            if self.seeds <= FEW {
                break;
            }
        }
        hunted
    }

    fn schedule(&self, seed: u64) -> Schedule {
        Schedule {
            seed,
            span: SPAN,
            theme: Some(theme(self.mutant)),
        }
    }

    /// The row of the table of results.
    #[must_use]
    pub fn result(&self, hunted: &Hunted) -> MutantResult {
        let mut seen_by: Vec<_> = hunted.seen_by.iter().collect();
        seen_by.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        MutantResult {
            name: self.mutant.name().to_owned(),
            words: hunted.words.clone(),
            seeds: hunted.tried,
            caught: u64::try_from(hunted.caught.len()).unwrap_or(u64::MAX),
            first_seed: hunted.caught.first().copied(),
            needed: hunted.caught.first().copied(),
            invariants: seen_by.into_iter().map(|(by, _)| by.clone()).collect(),
            reproduce: format!(
                "QUORATE_MUTANT='{}' make chaos-mutants SEEDS={}",
                self.mutant.name(),
                hunted.tried
            ),
        }
    }
}

/// What saw a mutant under a schedule, and the first words about it; none if nothing did.
#[must_use]
pub fn seen(mutant: Mutant, schedule: Schedule) -> Option<(Vec<String>, String)> {
    let running = thread::spawn(move || {
        let _switched = switch_on(mutant);
        schedule.run()
    });
    match running.join() {
        Ok(outcome) if outcome.is_green() => None,
        Ok(outcome) => Some(what_saw_it(&outcome)),
        Err(panic) => Some((vec!["a panic".to_owned()], words_of(panic.as_ref()))),
    }
}

/// The promises first: that a node ended is what most of them come to in the end.
fn what_saw_it(outcome: &Outcome) -> (Vec<String>, String) {
    let broken = outcome.verdict.broken();
    let mut seen_by: Vec<String> = broken.iter().map(|one| format!("{one:?}")).collect();
    if seen_by.is_empty() {
        seen_by.push("a node that ended by itself".to_owned());
    }
    let violation = outcome.verdict.violations.first();
    let words = violation.map(|violation| violation.words.clone());
    let words = words.or_else(|| outcome.surprises.first().cloned());
    (seen_by, words.unwrap_or_default())
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("the run panicked").to_owned()
}

/// The theme that stresses what a mutant breaks.
const fn theme(mutant: Mutant) -> Theme {
    match mutant {
        Mutant::AppendNotSynced | Mutant::RestartTrustsPageCache => Theme::Restarts,
        Mutant::VoteNotSynced | Mutant::LeaderRestoreLeftOn => Theme::Elections,
        Mutant::ReleaseBeforeCommit
        | Mutant::DecisionFromLocalState
        | Mutant::TwoDigestsForOneSlot
        | Mutant::FollowerSigns => Theme::Mixed,
        Mutant::WipedDiskAccepted | Mutant::OlderDiskAccepted | Mutant::CloneAccepted => {
            Theme::Disks
        }
        Mutant::RecordSkipped | Mutant::SecondRecordWins => Theme::Signers,
        Mutant::PurgeBeforeSnapshotDurable | Mutant::SnapshotWithStaleMark => Theme::Snapshots,
        Mutant::FloorIgnored
        | Mutant::DisableAnsweredBeforeCommitted
        | Mutant::RecordNotGated
        | Mutant::GenerationIgnored
        | Mutant::ImportNotBurnt => Theme::Operators,
    }
}

/// Whether every mutant that was looked for was caught, and every schedule is green without it.
///
/// # Errors
/// If the results cannot be written.
pub fn hunt(wanted: &Wanted) -> io::Result<bool> {
    let only = wanted.only.as_deref();
    let is_wanted = |mutant: &Mutant| only.is_none_or(|only| mutant.name().contains(only));
    let mutants: Vec<Mutant> = Mutant::ALL.into_iter().filter(is_wanted).collect();
    let mut results = Results::of(Origin::here());
    let mut tally = Tally::start();
    for some in mutants.chunks(wanted.threads.max(1)) {
        for (hunt, hunted) in at_once(some, wanted.seeds) {
            let well = !hunted.caught.is_empty() && hunted.unsound.is_empty();
            tally.count(well);
            let result = hunt.result(&hunted);
            tell(&result, &hunted)?;
            results.mutants.push(result);
        }
    }
    results
        .write(&folder().join("mutants.json"))
        .map_err(io::Error::other)?;
    writeln!(io::stdout(), "{tally}")?;
    Ok(tally.is_well())
}

fn at_once(mutants: &[Mutant], seeds: u64) -> Vec<(Hunt, Hunted)> {
    thread::scope(|scope| {
        let hunts = mutants.iter().map(|mutant| Hunt {
            mutant: *mutant,
            seeds,
        });
        let running: Vec<_> = hunts
            .map(|hunt| (hunt, scope.spawn(move || hunt.run())))
            .collect();
        let ended = running.into_iter().map(|(hunt, running)| {
            let hunted = running.join();
            (
                hunt,
                hunted.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            )
        });
        ended.collect()
    })
}

fn tell(result: &MutantResult, hunted: &Hunted) -> io::Result<()> {
    let mut out = io::stdout();
    let name = &result.name;
    match result.needed {
        Some(needed) => writeln!(
            out,
            "{name}: caught by seed {needed} ({} of {}), {}: {}",
            result.caught,
            result.seeds,
            result.invariants.join(", "),
            result.words
        )?,
        None => writeln!(out, "{name}: NEVER CAUGHT in {} seeds", result.seeds)?,
    }
    if !hunted.unsound.is_empty() {
        let seeds = &hunted.unsound;
        writeln!(
            out,
            "{name}: these seeds are not green without it: {seeds:?}"
        )?;
    }
    Ok(())
}
