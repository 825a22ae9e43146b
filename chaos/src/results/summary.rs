//! The verdict on all results together, in words that a baker understands.

use super::{Results, ScenarioResult, Verdict};

/// How it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Grade {
    /// Every promise held, and everything was run: the simulation, the mutants and all real runs.
    Held,
    /// Every promise held in what was run, but a part was not run, or could not be on this machine.
    Partly,
    /// Nothing is broken, but something was not shown: it failed to run, or a fault built in on
    /// purpose was not noticed.
    NotShown,
    /// A promise is broken.
    Broken,
}

/// The verdict.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Summary {
    /// How it stands.
    pub grade: Grade,
    /// In one sentence.
    pub headline: String,
    /// What it rests on, a sentence each.
    pub sentences: Vec<String>,
}

impl Summary {
    /// The verdict on results.
    pub fn of(results: &Results) -> Self {
        let count = Count::of(results);
        let grade = count.grade();
        let headline = match grade {
            Grade::Held => "No slot was signed twice, and every promise held.",
            Grade::Partly => "Every promise held in what was run, but not everything was run.",
            Grade::NotShown if count.anything() => {
                "No promise was broken, but not everything was shown."
            }
            Grade::NotShown if count.failed > 0 || count.skipped > 0 => {
                "Nothing is shown: no run said anything."
            }
            Grade::NotShown => "Nothing was run, so nothing is shown.",
            Grade::Broken if twice(results) => "A slot was signed twice. Do not use this version.",
            Grade::Broken => "No slot was signed twice, but another promise was broken.",
        };
        let sentences = [
            count.real(results),
            count.simulated(results),
            count.mutants(results),
            count.skips(),
            count.missing(),
        ];
        Self {
            grade,
            headline: headline.into(),
            sentences: sentences.into_iter().flatten().collect(),
        }
    }
}

/// What there is of each kind.
#[derive(Debug)]
struct Count {
    held: usize,
    seen: usize,
    broken: usize,
    failed: usize,
    skipped: usize,
    seeds: u64,
    failing_seeds: usize,
    mutants: usize,
    caught: usize,
}

impl Count {
    fn of(results: &Results) -> Self {
        let scenarios = |pick: fn(&Verdict) -> bool| {
            let verdicts = results.scenarios.iter().map(|scenario| &scenario.verdict);
            verdicts.filter(|verdict| pick(verdict)).count()
        };
        Self {
            held: scenarios(|verdict| matches!(verdict, Verdict::Held)),
            seen: scenarios(|verdict| matches!(verdict, Verdict::SeenAsItMust(_))),
            broken: scenarios(|verdict| matches!(verdict, Verdict::Broken)),
            failed: scenarios(|verdict| matches!(verdict, Verdict::Failed(_))),
            skipped: scenarios(|verdict| matches!(verdict, Verdict::Skipped(_))),
            seeds: results.simulations.iter().map(|range| range.seeds).sum(),
            failing_seeds: results
                .simulations
                .iter()
                .map(|range| range.failing.len())
                .sum(),
            mutants: results.mutants.len(),
            caught: results
                .mutants
                .iter()
                .filter(|mutant| mutant.caught > 0)
                .count(),
        }
    }

    const fn anything(&self) -> bool {
        self.ran() > 0 || self.seen > 0 || self.seeds > 0 || self.mutants > 0
    }

    /// Real runs that say something about Quorate: those in which it was asked for no more than it
    /// promises.
    const fn ran(&self) -> usize {
        self.held.saturating_add(self.broken)
    }

    fn grade(&self) -> Grade {
        if self.broken > 0 || self.failing_seeds > 0 {
            Grade::Broken
        } else if !self.anything() || self.failed > 0 || self.caught < self.mutants {
            Grade::NotShown
        } else if self.skipped > 0 || !self.parts().is_empty() {
            Grade::Partly
        } else {
            Grade::Held
        }
    }

    /// The parts of the suite of which there is nothing.
    fn parts(&self) -> Vec<&'static str> {
        let parts = [
            (self.seeds > 0, "the simulation"),
            (self.mutants > 0, "the faults that are built in"),
            (self.ran() > 0, "three real nodes"),
        ];
        parts
            .into_iter()
            .filter(|(is_there, _)| !is_there)
            .map(|(_, part)| part)
            .collect()
    }

    fn real(&self, results: &Results) -> Vec<String> {
        let ran: Vec<&ScenarioResult> = results
            .scenarios
            .iter()
            .filter(|scenario| matches!(scenario.verdict, Verdict::Held | Verdict::Broken))
            .collect();
        let faults: usize = ran
            .iter()
            .map(|scenario| scenario.figures.faults.len())
            .sum();
        let mut said = Vec::new();
        if self.ran() > 0 {
            said.push(format!(
                "Three real nodes went through {} with {}: {}.",
                many(self.ran(), "run"),
                many(faults, "fault"),
                match self.broken {
                    0 => "every promise held".into(),
                    broken => format!("in {broken} of them a promise was broken"),
                }
            ));
            said.extend(worst(&ran));
        }
        if self.seen > 0 {
            said.push(format!(
                "In {} more was broken than Quorate can survive, and the judge saw the promise break, as it had to.",
                many(self.seen, "run")
            ));
        }
        if self.failed > 0 {
            said.push(format!(
                "{} could not be finished and show nothing.",
                many(self.failed, "run")
            ));
        }
        said
    }

    fn simulated(&self, results: &Results) -> Vec<String> {
        if self.seeds == 0 {
            return Vec::new();
        }
        let minutes = results
            .simulations
            .iter()
            .map(|range| range.seeds.saturating_mul(range.virtual_ms))
            .sum::<u64>()
            / 60_000;
        vec![format!(
            "{} schedules ({minutes} minutes of a cluster's life) were simulated: {}.",
            self.seeds,
            match self.failing_seeds {
                0 => "no promise was broken".into(),
                failing => format!("{failing} broke a promise"),
            }
        )]
    }

    fn mutants(&self, results: &Results) -> Vec<String> {
        if self.mutants == 0 {
            return Vec::new();
        }
        let missed: Vec<&str> = results
            .mutants
            .iter()
            .filter(|mutant| mutant.caught == 0)
            .map(|mutant| mutant.name.as_str())
            .collect();
        let mut said = vec![format!(
            "{} of {} faults that were built into the signer on purpose were noticed.",
            self.caught, self.mutants
        )];
        if !missed.is_empty() {
            said.push(format!("Not noticed: {}.", missed.join(", ")));
        }
        said
    }

    fn missing(&self) -> Vec<String> {
        let parts = self.parts();
        if parts.is_empty() || !self.anything() {
            return Vec::new();
        }
        vec![format!("Not in these results: {}.", parts.join(", "))]
    }

    fn skips(&self) -> Vec<String> {
        (self.skipped > 0)
            .then(|| {
                format!(
                    "{} could not run on this machine; nothing is said about them.",
                    many(self.skipped, "scenario")
                )
            })
            .into_iter()
            .collect()
    }
}

/// Whether two messages were signed for a slot (I1) or two signatures released for a message (I7),
/// where neither had to be seen.
fn twice(results: &Results) -> bool {
    let real = results
        .scenarios
        .iter()
        .filter(|scenario| matches!(scenario.verdict, Verdict::Broken))
        .flat_map(|scenario| &scenario.violations);
    let failing = results.simulations.iter().flat_map(|range| &range.failing);
    let simulated = failing.flat_map(|seed| &seed.violations);
    real.chain(simulated)
        .any(|broken| broken.invariant == "I1" || broken.invariant == "I7")
}

/// The longest gap and what was never decided.
fn worst(ran: &[&ScenarioResult]) -> Option<String> {
    let worst = ran
        .iter()
        .max_by_key(|scenario| scenario.figures.worst_gap_ms())?;
    let lost: u64 = ran.iter().map(|scenario| scenario.figures.lost).sum();
    let requests: u64 = ran.iter().map(|scenario| scenario.figures.requests).sum();
    let missed = match lost {
        0 => "every message got a signature or a decision".into(),
        lost => format!(
            "{} got neither a signature nor a decision, however often asked for",
            many(usize::try_from(lost).unwrap_or(usize::MAX), "message")
        ),
    };
    Some(format!(
        "The longest time without a signature was {} ms ({}); in {requests} requests {missed}.",
        worst.figures.worst_gap_ms(),
        worst.name
    ))
}

/// `1 run`, `2 runs`.
fn many(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}
