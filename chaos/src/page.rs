//! One page made from results: the verdict first, then what it rests on.
//!
//! **Invariant:** the page needs nothing but itself: no script, no font, no picture and no style
//! from elsewhere, and a policy in its head that forbids a browser to ask for any. Every text goes
//! through the template's escaping; the one thing that does not is the style sheet, a constant.

mod distribution;
mod faults;
mod mutants;
mod number;
mod origins;
mod scale;
mod scenarios;
mod simulation;
mod table;
mod timeline;
mod verdict;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::results::{Results, Summary};

const STYLE: &str = include_str!("page/style.css");

/// The page, whole.
pub fn of(results: &Results) -> String {
    let summary = Summary::of(results);
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&summary))
            body {
                header { (verdict::header(&summary, results)) }
                main {
                    (contents(results))
                    (scenarios::overview(&results.scenarios))
                    (faults::section(&results.scenarios))
                    (distribution::section(&results.scenarios))
                    (mutants::section(&results.mutants))
                    (simulation::section(&results.simulations))
                    (scenarios::each(&results.scenarios))
                    (origins::section(results))
                }
            }
        }
    }
    .into_string()
}

fn head(summary: &Summary) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
            meta name="color-scheme" content="light dark";
            title { "Quorate under faults: " (summary.headline) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

fn contents(results: &Results) -> Markup {
    let parts = [
        ("scenarios", "Real nodes", !results.scenarios.is_empty()),
        ("faults", "Fault by fault", !results.scenarios.is_empty()),
        (
            "gaps",
            "Killed and handed over",
            distribution::any(&results.scenarios),
        ),
        ("mutants", "Faults built in", !results.mutants.is_empty()),
        ("simulation", "Simulation", !results.simulations.is_empty()),
        ("timelines", "Run by run", !results.scenarios.is_empty()),
        ("origins", "Where the figures come from", true),
    ];
    html! {
        nav aria-label="Contents" {
            ul {
                @for (id, title, _) in parts.iter().filter(|(_, _, there)| *there) {
                    li { a href={ "#" (id) } { (title) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
