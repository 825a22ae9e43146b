//! Where the figures come from, and how to get each again.

use maud::{Markup, html};

use super::number::whole;
use super::table::{command, wide};
use crate::results::Results;

pub(super) fn section(results: &Results) -> Markup {
    let rows = html! {
        @for origin in &results.origins {
            tr {
                th scope="row" { (command(&origin.command)) }
                td { (origin.date()) }
                td { (origin.versions.quorate) }
                td { @if let Some(commit) = &origin.commit { code { (commit) } } @else { "not known" } }
                td { (origin.versions.openraft) }
                td { (origin.versions.rocksdb) }
                td { (origin.machine.kernel) " " (origin.machine.architecture) }
                td.number { (whole(origin.machine.cores)) }
            }
        }
    };
    html! {
        section id="origins" {
            h2 { "Where the figures come from" }
            (wide(
                "Commands that were run",
                &["command", "when", "quorate", "commit", "openraft", "rocksdb", "system", "#cores"],
                &rows,
            ))
            (measured(results))
            p.note {
                "Every row of the tables above carries the command that does it again. A real run depends on the machine's \
                 timing, so its seed brings back the faults and not each microsecond; a simulated one comes back to the byte."
            }
        }
    }
}

fn measured(results: &Results) -> Markup {
    let rows = html! {
        @for measured in &results.measured {
            tr {
                th scope="row" { (measured.what) }
                td.number { (whole(measured.p50_us)) " µs" }
                td.number { (whole(measured.p99_us)) " µs" }
            }
        }
    };
    html! {
        @if !results.measured.is_empty() {
            div.columns {
                (wide("What this machine takes", &["what", "#half at most", "#99 of 100 at most"], &rows))
            }
        }
    }
}
