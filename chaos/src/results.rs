//! What a run of the suite found, as it is written to a file (JSON) and as the page is made from it.
//!
//! Every number is whole: what the page shows can be compared with the file digit by digit. A part
//! of the suite writes a file of its own; files are added up ([`Results::absorb`]) before they are
//! shown.

mod fault;
mod figures;
mod file;
mod folder;
mod origin;
mod summary;
mod tally;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use fault::ResultsError;
pub use figures::{Figures, HAND_OVER, KILL_LEADER};
pub use folder::folder;
pub use origin::{Machine, Origin, Versions};
pub use summary::{Grade, Summary};
pub use tally::Tally;

/// What one or several runs found.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// Where the figures come from: one for each command that was run.
    pub origins: Vec<Origin>,
    /// Ranges of seeds that were simulated.
    #[serde(default)]
    pub simulations: Vec<Simulation>,
    /// Faults built into the product, and whether they were seen.
    #[serde(default)]
    pub mutants: Vec<MutantResult>,
    /// Runs of real processes.
    #[serde(default)]
    pub scenarios: Vec<ScenarioResult>,
    /// What this machine's disk and network take, for the table of times.
    #[serde(default)]
    pub measured: Vec<Measured>,
}

/// A range of seeds, each a schedule of its own.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// The first seed.
    pub first_seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// How long one schedule lasts, in milliseconds of virtual time.
    pub virtual_ms: u64,
    /// How long the range took, in milliseconds.
    pub wall_ms: u64,
    /// Schedules in a minute on one core.
    pub schedules_per_minute: u64,
    /// The hash over the traces of all seeds: the same in every process.
    pub trace_hash: String,
    /// The seeds that broke a promise or could not be run.
    pub failing: Vec<FailingSeed>,
    /// How often each thing happened in all schedules together: faults, elections, snapshots,
    /// signatures, refusals. A count of zero says that the range did not cover it.
    pub coverage: BTreeMap<String, u64>,
    /// The command that does it again.
    pub reproduce: String,
}

/// A seed that broke a promise.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FailingSeed {
    /// The seed.
    pub seed: u64,
    /// What it broke, first.
    pub violations: Vec<Broken>,
    /// The command that does it again.
    pub reproduce: String,
}

/// One broken promise.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Broken {
    /// `I1` and so on, as the judge names it.
    pub invariant: String,
    /// Milliseconds since the first line of the history.
    pub at_ms: u64,
    /// What happened, in words.
    pub words: String,
}

/// A fault that was built into the product.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MutantResult {
    /// Its name.
    pub name: String,
    /// What it breaks, in words.
    pub words: String,
    /// How many seeds were tried.
    pub seeds: u64,
    /// How many of them saw it.
    pub caught: u64,
    /// The first seed that saw it.
    pub first_seed: Option<u64>,
    /// How many seeds it took, that one included.
    pub needed: Option<u64>,
    /// The invariants that saw it, most often first.
    pub invariants: Vec<String>,
    /// The command that does it again.
    pub reproduce: String,
}

/// How a scenario ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "verdict", content = "why", rename_all = "snake_case")]
pub enum Verdict {
    /// The faults took effect and every promise held.
    Held,
    /// The faults took effect, and the judge saw the broken promise that it had to see: the
    /// scenario breaks what Quorate stands on (two lying disks of three).
    SeenAsItMust(String),
    /// A promise is broken.
    Broken,
    /// The run says nothing: a fault did not take effect, or a step did not end in time.
    Failed(String),
    /// This machine lacks what the scenario needs.
    Skipped(String),
}

/// A run of real processes under faults.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioResult {
    /// Its name, as `quorate-chaos run NAME` takes it.
    pub name: String,
    /// What it shows, in a sentence.
    pub words: String,
    /// What makes it happen again.
    pub seed: u64,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The promises that are broken.
    pub violations: Vec<Broken>,
    /// What the history says beyond the verdict ([`Figures::of`]).
    pub figures: Figures,
    /// How long it took, with the start of the processes, in milliseconds.
    pub wall_ms: u64,
    /// The command that does it again.
    pub reproduce: String,
    /// Where the history was kept, relative to the file of the results.
    pub history: Option<String>,
}

/// A fault, as a band on the axis of time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultBand {
    /// Its name.
    pub name: String,
    /// Whom it hit.
    pub nodes: Vec<u64>,
    /// When it began, in milliseconds since the first line of the history.
    pub from_ms: u64,
    /// When it ended.
    pub to_ms: u64,
    /// How it is known to have taken effect.
    pub proof: String,
}

/// A leader, as a band on the axis of time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LeaderBand {
    /// Who.
    pub node: u64,
    /// In which term.
    pub term: u64,
    /// From when on, in milliseconds since the first line of the history.
    pub from_ms: u64,
    /// Until another one led, or its process ended.
    pub to_ms: u64,
}

/// The answers in one slice of time.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// When it begins, in milliseconds since the first line of the history.
    pub from_ms: u64,
    /// Answered with a signature.
    pub signed: u64,
    /// Answered with a decision not to sign.
    pub refused: u64,
    /// Answered with a failure, or not at all.
    pub failed: u64,
}

/// A stretch of time in which bakers asked and nothing was signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The last signature before, in milliseconds since the first line of the history.
    pub from_ms: u64,
    /// The first signature after.
    pub to_ms: u64,
}

impl Gap {
    /// Its length in milliseconds.
    pub const fn ms(&self) -> u64 {
        self.to_ms.saturating_sub(self.from_ms)
    }
}

/// The gap after one fault of a kind of which many are counted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GapAfter {
    /// The name of the fault: [`KILL_LEADER`] or [`HAND_OVER`].
    pub fault: String,
    /// How long nothing was signed, in milliseconds.
    pub ms: u64,
}

/// What the machine takes for what every decision needs, in microseconds: half took at most the
/// first, 99 of 100 at most the second.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Of what, in words: `fdatasync of 512 bytes`, `round trip between nodes`.
    pub what: String,
    /// Half took at most this.
    pub p50_us: u64,
    /// 99 of 100 took at most this.
    pub p99_us: u64,
}
