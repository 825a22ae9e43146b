//! `quorate-chaos sim`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::history::written;
use super::kept::{self, Kept};
use super::plan::Theme;
use super::range::{Range, Report, reproduce};
use super::schedule::Outcome;
use crate::results::{Origin, Results, Tally};

/// The options of `quorate-chaos sim`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many seeds, counting up.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: u64,
    /// How many seconds of virtual time faults go on.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// What all schedules are about, instead of what each seed draws.
    #[arg(long)]
    pub theme: Option<Theme>,
    /// How many schedules run at a time.
    #[arg(long, default_value_t = 1)]
    pub threads: u64,
    /// Writes the history of the last schedule into this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Writes what was found into this file, for `quorate-chaos report`.
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Keeps the first failing seed under this name, to be replayed for ever.
    #[arg(long, value_name = "NAME")]
    pub keep: Option<String>,
    /// Lists what was met.
    #[arg(long)]
    pub coverage: bool,
}

/// Runs the seeds, and says of each failing one what it broke and how to see it again.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    match simulate(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            writeln!(io::stderr(), "quorate-chaos sim: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn simulate(args: &Args) -> Result<bool, Box<dyn std::error::Error>> {
    let range = Range {
        first: args.seed,
        count: args.count,
        span: Duration::from_secs(args.seconds),
        theme: args.theme,
        threads: args.threads,
    };
    let mut out = io::stdout();
    let mut tally = Tally::start();
    let ends = args.seed.checked_add(args.count);
    let last = ends.ok_or_else(|| format!("the last seed is {}: take fewer", u64::MAX))?;
    let last = last.saturating_sub(1);
    // Before the work: a file that cannot be written is found now.
    let trace_file = args.trace.as_deref().map(created).transpose()?;
    writeln!(out, "seeds {} to {last}", args.seed)?;
    let mut trace = None;
    let mut troubles = Vec::new();
    let report = range.run(|seed, outcome| {
        tally.count(outcome.is_green());
        let told = tell(
            seed,
            outcome,
            args,
            tally.passed().saturating_add(tally.failed()),
        );
        troubles.extend(told.err());
        if args.trace.is_some() {
            trace = Some(written(&outcome.lines));
        }
    });
    if let Some(error) = troubles.into_iter().next() {
        return Err(error.into());
    }
    if let (Some(mut file), Some(trace)) = (trace_file, trace) {
        file.write_all(&trace?)?;
    }
    keep(args, &report)?;
    if args.coverage {
        write!(out, "{}", report.counts)?;
    }
    // A range that is meant to meet everything, and did not, proves less than it says.
    let missing = report.counts.missing();
    if args.theme.is_none() && args.count >= MEETS_ALL {
        for name in &missing {
            writeln!(out, "never happened in {} seeds: {name}", args.count)?;
        }
        tally.count(missing.is_empty());
    }
    if let Some(path) = &args.results {
        let mut results = Results::of(Origin::here());
        results.simulations.push(report.result());
        results.write(path)?;
    }
    writeln!(
        out,
        "seeds {} to {last}: trace {}, {} schedules a minute",
        args.seed,
        report.trace,
        report.per_minute()
    )?;
    writeln!(out, "{tally}")?;
    Ok(tally.is_well())
}

fn created(path: &Path) -> Result<fs::File, String> {
    fs::File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// A line for every failing seed and for every fiftieth; one for every seed if there are few.
fn tell(seed: u64, outcome: &Outcome, args: &Args, done: u64) -> io::Result<()> {
    let mut out = io::stdout();
    let verdict = &outcome.verdict;
    if !outcome.is_green() {
        writeln!(out, "seed {seed} ({}) FAILED", outcome.theme.name())?;
        for violation in verdict.violations.iter().take(SHOWN) {
            writeln!(
                out,
                "  {:?} at {} ms: {}",
                violation.invariant,
                violation.at_us / 1000,
                violation.words
            )?;
        }
        for surprise in &outcome.surprises {
            writeln!(out, "  unexplained: {surprise}")?;
        }
        let span = Duration::from_secs(args.seconds);
        let again = reproduce(seed, 1, span, args.theme);
        writeln!(out, "  trace {}; again: {again}", outcome.trace)?;
    } else if args.count <= FEW {
        let lines = outcome.lines.len();
        writeln!(
            out,
            "seed {seed} ({}): {lines} lines, trace {}",
            outcome.theme.name(),
            outcome.trace
        )?;
    } else if done.is_multiple_of(EVERY) {
        writeln!(out, "{done} of {} schedules", args.count)?;
    }
    Ok(())
}

fn keep(args: &Args, report: &Report) -> Result<(), Box<dyn std::error::Error>> {
    let (Some(name), Some((seed, outcome))) = (&args.keep, report.failing.first()) else {
        return Ok(());
    };
    let broken = outcome.verdict.broken();
    let kept = Kept {
        seed: *seed,
        seconds: args.seconds,
        theme: args.theme,
        schedule: kept::VERSION,
        found: format!("{broken:?}"),
        words: outcome
            .verdict
            .violations
            .first()
            .map(|violation| violation.words.clone())
            .or_else(|| outcome.surprises.first().cloned())
            .unwrap_or_default(),
        mutant: None,
    };
    let path = kept.keep(&kept::folder(), name)?;
    writeln!(io::stdout(), "kept in {}", path.display())?;
    Ok(())
}

/// So many seeds must meet everything that is listed in `coverage`.
const MEETS_ALL: u64 = 200;
/// Violations of one seed that are shown.
const SHOWN: usize = 8;
/// Up to so many seeds each has a line.
const FEW: u64 = 20;
/// One line for so many seeds.
const EVERY: u64 = 50;
