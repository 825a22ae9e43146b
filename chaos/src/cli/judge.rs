use std::path::PathBuf;
use std::process::ExitCode;

use judge::{Verdict, judge};

use super::screen;
use crate::results::Figures;

/// Which history.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The history of a run, one JSON object a line.
    history: PathBuf,
    /// The verdict as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let lines = match judge::read_file(&args.history) {
        Ok(lines) => lines,
        Err(error) => {
            screen::error(&error);
            return ExitCode::FAILURE;
        }
    };
    let verdict = judge(&lines);
    if args.json {
        match serde_json::to_string_pretty(&verdict) {
            Ok(text) => screen::line(&text),
            Err(error) => screen::trouble(&format!("cannot write the verdict as JSON: {error}")),
        }
    } else {
        tell(&verdict, &Figures::of(&lines), lines.len());
    }
    if verdict.is_green() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn tell(verdict: &Verdict, figures: &Figures, lines: usize) {
    for found in &verdict.violations {
        screen::line(&format!("{found}"));
        screen::line(&format!("    promised: {}", found.invariant.promise()));
    }
    screen::line(&format!(
        "{lines} lines over {} ms: {} requests, {} signed, {} refused, {} failed, {} lost; longest gap {} ms",
        figures.duration_ms,
        figures.requests,
        figures.signed,
        figures.refused,
        figures.failed,
        figures.lost,
        figures.worst_gap_ms(),
    ));
    screen::line(if verdict.is_green() {
        "every promise held"
    } else {
        "a promise is broken, or the history proves nothing"
    });
}
