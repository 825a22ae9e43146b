//! `quorate key list`: every key that this node knows.

use std::path::Path;

use super::super::{Failure, screen, with_node};
use crate::admin::{KeyReport, MarkReport};
use crate::apply::describe;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let reports = with_node(file, |node| async move { Ok(node.keys().await?) })?;
        if self.json {
            return screen::json(&reports);
        }
        if reports.locked {
            screen::line("the cluster is locked: nothing is signed");
        }
        if reports.keys.is_empty() {
            screen::line("no key: make one with `quorate key generate`, then `quorate key enrol`");
        }
        for key in &reports.keys {
            show(key);
        }
        Ok(())
    }
}

fn show(report: &KeyReport) {
    let secret = if report.loaded {
        "secret on this node"
    } else {
        "no secret on this node"
    };
    screen::line(&format!(
        "{}  {}",
        report.public_key_hash, report.public_key
    ));
    let Some(enrolled) = &report.enrolled else {
        screen::line(&format!(
            "  not enrolled, {secret}; run `quorate key enrol`"
        ));
        return;
    };
    let state = if enrolled.enabled {
        "enabled"
    } else {
        "disabled"
    };
    screen::line(&format!(
        "  {state}, generation {}, {secret}",
        enrolled.generation
    ));
    for line in describe::policy(enrolled) {
        screen::line(&format!("  {line}"));
    }
    for mark in &enrolled.marks {
        screen::line(&format!("  {}", mark_line(mark)));
    }
}

fn mark_line(mark: &MarkReport) -> String {
    let MarkReport {
        chain,
        kind,
        level,
        round,
        digest,
        recorded,
    } = mark;
    let what = match (digest, recorded) {
        (None, _) => "burnt",
        (Some(_), true) => "signed, signature recorded",
        (Some(_), false) => "granted",
    };
    format!("mark {chain} {kind}: level {level} round {round}, {what}")
}
