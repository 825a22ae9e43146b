//! Fault by fault: what all runs with it came to.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::number::{ms, whole};
use super::table::wide;
use crate::results::{ScenarioResult, Verdict};

/// What the runs with one fault came to.
#[derive(Debug, Default)]
struct Row {
    runs: u64,
    times: u64,
    broken: u64,
    seen: u64,
    lost: u64,
    gap_ms: u64,
    recovery_ms: Option<u64>,
}

/// Adds the runs up by the names of their faults. Runs that were skipped or say nothing are left out.
fn rows(scenarios: &[ScenarioResult]) -> BTreeMap<&str, Row> {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for scenario in scenarios {
        if matches!(scenario.verdict, Verdict::Skipped(_) | Verdict::Failed(_)) {
            continue;
        }
        let figures = &scenario.figures;
        let mut times: BTreeMap<&str, u64> = BTreeMap::new();
        for fault in &figures.faults {
            let count = times.entry(&fault.name).or_default();
            *count = count.saturating_add(1);
        }
        let broken = u64::try_from(scenario.violations.len()).unwrap_or(u64::MAX);
        for (name, times) in times {
            let row = rows.entry(name).or_default();
            row.runs = row.runs.saturating_add(1);
            row.times = row.times.saturating_add(times);
            let counter = match scenario.verdict {
                Verdict::SeenAsItMust(_) => &mut row.seen,
                Verdict::Held | Verdict::Broken | Verdict::Failed(_) | Verdict::Skipped(_) => {
                    &mut row.broken
                }
            };
            *counter = counter.saturating_add(broken);
            row.lost = row.lost.saturating_add(figures.lost);
            row.gap_ms = row.gap_ms.max(figures.worst_gap_ms());
            row.recovery_ms = row.recovery_ms.max(figures.recovery_ms);
        }
    }
    rows
}

pub(super) fn section(scenarios: &[ScenarioResult]) -> Markup {
    let rows = rows(scenarios);
    if rows.is_empty() {
        return html! {};
    }
    let body = html! {
        @for (name, row) in &rows {
            tr {
                th scope="row" { (name) }
                td.number { (whole(row.runs)) }
                td.number { (whole(row.times)) }
                td.number { (whole(row.broken)) @if row.seen > 0 { " (and " (whole(row.seen)) " that had to be seen)" } }
                td.number { (whole(row.lost)) }
                td.number { (ms(row.gap_ms)) }
                td.number { @if let Some(recovery) = row.recovery_ms { (ms(recovery)) } @else { "–" } }
            }
        }
    };
    html! {
        section id="faults" {
            h2 { "Fault by fault" }
            (wide(
                "All runs with a fault, added up",
                &["fault", "#runs", "#times", "#violations", "#lost requests", "#worst gap", "#slowest recovery"],
                &body,
            ))
            p.note {
                "A run with several faults stands in each of their rows, so that lost requests and gaps may be due to \
                 another fault of the same run."
            }
        }
    }
}
