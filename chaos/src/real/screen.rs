//! What the one who runs it reads.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the program's screen"
)]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::scenario::Scenario;
use crate::results::{ScenarioResult, Tally, Verdict};

/// A result: standard output.
pub(super) fn line(text: &str) {
    println!("{text}");
}

/// Anything else: standard error.
pub(super) fn note(text: &str) {
    eprintln!("{text}");
}

/// The names.
pub(super) fn list(scenarios: &[Scenario]) {
    for scenario in scenarios {
        println!("{:<36} {}", scenario.name, scenario.words);
    }
}

/// A scenario begins.
pub(super) fn begins(scenario: &Scenario) {
    eprint!("{:<36} ", scenario.name);
}

/// It ended.
pub(super) fn ended(row: &ScenarioResult, histories: &Path) {
    eprintln!("{}", in_a_word(row));
    let (Verdict::Broken | Verdict::Failed(_)) = &row.verdict else {
        return;
    };
    if let Verdict::Failed(why) = &row.verdict {
        eprintln!("{why}");
    }
    for broken in row.violations.iter().take(5) {
        eprintln!(
            "  {} at {} ms: {}",
            broken.invariant, broken.at_ms, broken.words
        );
    }
    if let Some(history) = &row.history {
        let file = histories.parent().unwrap_or(histories).join(history);
        eprintln!("  its history: {}", file.display());
    }
    eprintln!("  again: {}", row.reproduce);
}

/// After each round of a run without end.
pub(super) fn progress(tally: &Tally) {
    eprintln!(
        "{} passed, {} failed in {} s",
        tally.passed(),
        tally.failed(),
        tally.elapsed().as_secs()
    );
}

/// A scenario that this machine cannot play: said aloud, and counted by `make test`.
pub(super) fn skip(name: &str, reason: &str) {
    let text = format!("SKIP: {name}: {reason}");
    println!("{text}");
    if let Some(file) = std::env::var_os("QUORATE_SKIPS") {
        let opened = OpenOptions::new().create(true).append(true).open(file);
        let written = opened.and_then(|mut file| writeln!(file, "{text}"));
        if let Err(error) = written {
            eprintln!("the skip could not be counted: {error}");
        }
    }
}

/// One row a scenario.
pub(super) fn table(rows: &[ScenarioResult]) {
    println!(
        "{:<36} {:>8} {:>7} {:>7} {:>7} {:>5} {:>8} {:>9} {:>6}  verdict",
        "scenario", "requests", "signed", "refused", "failed", "lost", "gap ms", "back ms", "s"
    );
    for row in rows {
        let figures = &row.figures;
        let recovery = figures
            .recovery_ms
            .map_or_else(|| "-".to_owned(), |ms| ms.to_string());
        println!(
            "{:<36} {:>8} {:>7} {:>7} {:>7} {:>5} {:>8} {:>9} {:>6.1}  {}",
            row.name,
            figures.requests,
            figures.signed,
            figures.refused,
            figures.failed,
            figures.lost,
            figures.worst_gap_ms(),
            recovery,
            seconds(row.wall_ms),
            in_a_word(row)
        );
    }
}

fn in_a_word(row: &ScenarioResult) -> String {
    match &row.verdict {
        Verdict::Held => "held".to_owned(),
        Verdict::SeenAsItMust(what) => format!("seen, as it must ({what})"),
        Verdict::Broken => format!("BROKEN ({} times)", row.violations.len()),
        Verdict::Failed(why) => {
            let first = why.lines().next().unwrap_or_default();
            format!("FAILED: {first}")
        }
        Verdict::Skipped(why) => format!("SKIPPED: {why}"),
    }
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}
