//! The simulation: how many schedules, how fast, and what happened in them.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::number::{ms, whole};
use super::table::{command, wide};
use crate::results::Simulation;

pub(super) fn section(ranges: &[Simulation]) -> Markup {
    if ranges.is_empty() {
        return html! {};
    }
    let rows = html! {
        @for range in ranges {
            tr {
                th scope="row" {
                    (range.first_seed) " to " (range.first_seed.saturating_add(range.seeds.saturating_sub(1)))
                }
                td.number { (whole(range.seeds)) }
                td.number { (ms(range.virtual_ms)) }
                td.number { (ms(range.wall_ms)) }
                td.number { (whole(range.schedules_per_minute)) }
                td.number { (range.failing.len()) }
                td { code { (range.trace_hash) } }
                td { (command(&range.reproduce)) }
            }
        }
    };
    html! {
        section id="simulation" {
            h2 { "Simulation" }
            p {
                "The real state machine, ledger, sign path and consensus in one thread on virtual time, over a network and \
                 disks that break at every step. A seed is a schedule; the same seed is the same schedule everywhere."
            }
            (wide(
                "Ranges of seeds",
                &["seeds", "#schedules", "#each lasts", "#took", "#a minute", "#broke a promise", "trace", "again"],
                &rows,
            ))
            @for range in ranges { (failing(range)) (coverage(range)) }
        }
    }
}

fn failing(range: &Simulation) -> Markup {
    html! {
        @if !range.failing.is_empty() {
            ul.violations {
                @for seed in &range.failing {
                    li {
                        strong { "seed " (seed.seed) } ": "
                        @for broken in &seed.violations {
                            (broken.invariant) " at " (ms(broken.at_ms)) ", " (broken.words) "; "
                        }
                        (command(&seed.reproduce))
                    }
                }
            }
        }
    }
}

/// One small table for each first word (`fault: power cut` and so on), in as many columns as fit.
fn coverage(range: &Simulation) -> Markup {
    let mut groups: BTreeMap<&str, Vec<(&str, u64)>> = BTreeMap::new();
    for (what, times) in &range.coverage {
        let (group, name) = what.split_once(": ").unwrap_or(("other", what));
        groups.entry(group).or_default().push((name, *times));
    }
    html! {
        @if !groups.is_empty() {
            h3 { "What happened in these schedules" }
            div.groups { @for (name, rows) in &groups { (group(name, rows)) } }
        }
    }
}

fn group(name: &str, rows: &[(&str, u64)]) -> Markup {
    let body = html! {
        @for (what, times) in rows {
            tr {
                th scope="row" { (what) }
                td.number { (whole(*times)) @if *times == 0 { " (not covered)" } }
            }
        }
    };
    wide(name, &["what", "#times"], &body)
}
