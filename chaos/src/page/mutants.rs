//! Faults that were built into the signer on purpose: a judge that misses one is asleep.

use maud::{Markup, html};

use super::number::whole;
use super::table::{command, wide};
use crate::results::MutantResult;

pub(super) fn section(mutants: &[MutantResult]) -> Markup {
    if mutants.is_empty() {
        return html! {};
    }
    let rows = html! {
        @for mutant in mutants {
            tr {
                th scope="row" { (mutant.name) span.words { (mutant.words) } }
                td {
                    @if mutant.caught > 0 {
                        span.badge.held { span aria-hidden="true" { "✓ " } "noticed" }
                    } @else {
                        span.badge.broken { span aria-hidden="true" { "✗ " } "missed" }
                    }
                }
                td.number { @if let Some(needed) = mutant.needed { (whole(needed)) } @else { "–" } }
                td.number { (whole(mutant.caught)) " of " (whole(mutant.seeds)) }
                td { (mutant.invariants.join(", ")) }
                td { (command(&mutant.reproduce)) }
            }
        }
    };
    html! {
        section id="mutants" {
            h2 { "Faults built in on purpose" }
            p {
                "Each row is the signer with one safeguard taken out, simulated until the judge notices. A row that is \
                 missed would mean that the suite proves nothing about that safeguard."
            }
            (wide(
                "Mutants, and whether the judge noticed them",
                &["mutant, and what is taken out", "noticed", "#seeds needed", "#seeds that notice", "by", "again"],
                &rows,
            ))
        }
    }
}
