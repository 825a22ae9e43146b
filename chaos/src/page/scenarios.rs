//! The runs of real nodes: all of them in one table, then each with its plot.

use maud::{Markup, html};

use super::number::{ms, nodes, whole};
use super::table::{command, wide};
use super::{timeline, verdict};
use crate::results::{ScenarioResult, Verdict};

/// All runs in one table.
pub(super) fn overview(scenarios: &[ScenarioResult]) -> Markup {
    if scenarios.is_empty() {
        return html! {};
    }
    let rows = html! {
        @for (number, scenario) in scenarios.iter().enumerate() {
            tr {
                th scope="row" { a href={ "#run-" (number) } { (scenario.name) } }
                td { (verdict::badge(&scenario.verdict)) }
                (figures(scenario))
                td.number { (ms(scenario.wall_ms)) }
            }
        }
    };
    html! {
        section id="scenarios" {
            h2 { "Real nodes" }
            p {
                "Three real processes on a disk that loses what was not fsynced, two bakers that contradict each \
                 other, and an independent judge over every message, signature, vote and mark."
            }
            (wide(
                "Every run, and how it ended",
                &["run", "verdict", "#requests", "#signed", "#refused", "#failed", "#lost", "#worst gap", "#recovery", "#took"],
                &rows,
            ))
            p.note {
                "Refused: a decision not to sign, nearly always because the other baker's message came first. Failed: no \
                 decision; the baker asks again. Lost: a message that got neither a signature nor a decision, however \
                 often its baker asked. Worst gap: the longest time in which a baker waited and nothing was signed. \
                 Recovery: from the end of all faults to the first signature of a new slot."
            }
        }
    }
}

fn figures(scenario: &ScenarioResult) -> Markup {
    let figures = &scenario.figures;
    if matches!(scenario.verdict, Verdict::Skipped(_)) {
        return html! { @for _ in 0..7 { td.number { "–" } } };
    }
    html! {
        @for number in [figures.requests, figures.signed, figures.refused, figures.failed, figures.lost] {
            td.number { (whole(number)) }
        }
        td.number { (ms(figures.worst_gap_ms())) }
        td.number { @if let Some(recovery) = figures.recovery_ms { (ms(recovery)) } @else { "–" } }
    }
}

/// Each run with its plot.
pub(super) fn each(scenarios: &[ScenarioResult]) -> Markup {
    if scenarios.is_empty() {
        return html! {};
    }
    html! {
        section id="timelines" {
            h2 { "Run by run" }
            p.legend {
                span.key.signed { "signed" } " "
                span.key.refused { "refused" } " "
                span.key.failed { "failed" } " "
                "above the line what was signed, below it what was not; the upper bands are faults, the lower ones who \
                 took itself for the leader."
            }
            @for (number, scenario) in scenarios.iter().enumerate() { (one(number, scenario)) }
        }
    }
}

fn one(number: usize, scenario: &ScenarioResult) -> Markup {
    html! {
        article id={ "run-" (number) } {
            h3 { (scenario.name) " " (verdict::badge(&scenario.verdict)) }
            p { (scenario.words) }
            @if let Some(reason) = verdict::reason(&scenario.verdict) { p { strong { (reason) } } }
            @if !scenario.violations.is_empty() { (violations(scenario)) }
            @if !scenario.figures.timeline.is_empty() { (timeline::figure(number, scenario)) }
            @if !scenario.figures.faults.is_empty() { (faults(scenario)) }
            p.reproduce { "Again: " (command(&scenario.reproduce)) }
            @if let Some(history) = &scenario.history {
                p.reproduce { "Its history, beside the results: " code { (history) } }
            }
        }
    }
}

/// So many violations of one run are shown: what follows the first ones is mostly their consequence.
const VIOLATIONS_SHOWN: usize = 12;

fn violations(scenario: &ScenarioResult) -> Markup {
    let more = scenario.violations.len().saturating_sub(VIOLATIONS_SHOWN);
    html! {
        ul.violations {
            @for broken in scenario.violations.iter().take(VIOLATIONS_SHOWN) {
                li { strong { (broken.invariant) } " at " (ms(broken.at_ms)) ": " (broken.words) }
            }
            @if more > 0 { li { "and " (more) " more; judging the history again lists them all" } }
        }
    }
}

fn faults(scenario: &ScenarioResult) -> Markup {
    let rows = html! {
        @for fault in &scenario.figures.faults {
            tr {
                th scope="row" { (fault.name) }
                td { (nodes(&fault.nodes)) }
                td.number { (ms(fault.from_ms)) }
                td.number { (ms(fault.to_ms)) }
                td { (fault.proof) }
            }
        }
    };
    html! {
        details {
            summary { "Faults, and how they are known to have taken effect (" (scenario.figures.faults.len()) ")" }
            (wide("Faults of this run", &["fault", "hit", "#from", "#to", "proof"], &rows))
        }
    }
}
