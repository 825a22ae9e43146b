//! How long nothing is signed after a leader was killed, and after it handed over on purpose.

use maud::{Markup, html};

use super::number::{ms, whole};
use super::scale::{Scale, px, step};
use crate::results::{HAND_OVER, KILL_LEADER, ScenarioResult};

const LEFT: f64 = 40.0;
const RIGHT: f64 = 450.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 152.0;

/// The gaps after one kind of fault, from the shortest to the longest.
fn gaps(scenarios: &[ScenarioResult], fault: &str) -> Vec<u64> {
    let all = scenarios.iter().flat_map(|scenario| &scenario.figures.gaps);
    let mut gaps: Vec<u64> = all
        .filter(|gap| gap.fault == fault)
        .map(|gap| gap.ms)
        .collect();
    gaps.sort_unstable();
    gaps
}

/// Whether there is anything to plot.
pub(super) fn any(scenarios: &[ScenarioResult]) -> bool {
    scenarios
        .iter()
        .any(|scenario| !scenario.figures.gaps.is_empty())
}

pub(super) fn section(scenarios: &[ScenarioResult]) -> Markup {
    if !any(scenarios) {
        return html! {};
    }
    let kinds = [
        ("killed", "After the leader was killed", KILL_LEADER),
        ("handed", "After a planned hand-over", HAND_OVER),
    ];
    let kinds: Vec<_> = kinds
        .iter()
        .map(|(id, title, fault)| (*id, *title, gaps(scenarios, fault)))
        .filter(|(_, _, gaps)| !gaps.is_empty())
        .collect();
    // One axis for both, so that they can be compared by eye.
    let longest = kinds.iter().filter_map(|(_, _, gaps)| gaps.last()).max();
    let longest = longest.copied().unwrap_or(0);
    html! {
        section id="gaps" {
            h2 { "Killed and handed over" }
            p {
                "For how long bakers waited and nothing was signed: each time a leader's process was killed, and each \
                 time it was asked to stop and handed over."
            }
            div.side-by-side {
                @for (id, title, gaps) in &kinds { (plot(id, title, gaps, longest)) }
            }
        }
    }
}

fn plot(id: &str, title: &str, gaps: &[u64], longest: u64) -> Markup {
    let width = step(longest.max(1), 25);
    let slots = longest.checked_div(width).unwrap_or(0).saturating_add(1);
    let axis = Scale::new(slots.saturating_mul(width), LEFT, RIGHT);
    let bars: Vec<(u64, u64)> = (0..slots)
        .map(|slot| {
            let from = slot.saturating_mul(width);
            let inside = |gap: &&u64| (from..from.saturating_add(width)).contains(*gap);
            (from, count(gaps.iter().filter(inside).count()))
        })
        .collect();
    let most = bars.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let up = Scale::new(most, BOTTOM, TOP);
    html! {
        figure {
            svg viewBox="0 0 460 190" role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
                title id={ (id) "-title" } { (title) }
                desc id={ (id) "-desc" } { (told(gaps)) }
                @for (from, number) in &bars {
                    @if *number > 0 {
                        @let x = axis.at(*from);
                        rect.signed x=(px(x)) y=(px(up.at(*number)))
                            width=(px(axis.at(from.saturating_add(width)) - x - 1.0))
                            height=(px(BOTTOM - up.at(*number))) {
                            title { (number) " from " (ms(*from)) " on" }
                        }
                    }
                }
                line.zero x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(BOTTOM)) y2=(px(BOTTOM)) {}
                (mark(axis, "p50", percentile(gaps, 50)))
                text.axis x=(px(LEFT - 5.0)) y=(px(TOP + 4.0)) text-anchor="end" { (whole(most)) }
                text.axis x=(px(LEFT - 5.0)) y=(px(BOTTOM + 4.0)) text-anchor="end" { "0" }
                @for tick in axis.ticks() {
                    text.axis x=(px(axis.at(tick))) y=(px(BOTTOM + 16.0)) text-anchor="middle" { (whole(tick)) }
                }
                text.axis x=(px(RIGHT)) y=(px(BOTTOM + 31.0)) text-anchor="end" { "milliseconds" }
            }
            figcaption { strong { (title) } ": " (told(gaps)) }
        }
    }
}

fn mark(axis: Scale, name: &str, at: u64) -> Markup {
    let x = axis.at(at);
    // On the left of its line where the drawing ends soon.
    let (anchor, label) = if x > RIGHT - 90.0 {
        ("end", x - 4.0)
    } else {
        ("start", x + 4.0)
    };
    html! {
        line.mark x1=(px(x)) x2=(px(x)) y1=(px(TOP - 4.0)) y2=(px(BOTTOM)) {}
        text.axis x=(px(label)) y=(px(TOP - 8.0)) text-anchor=(anchor) { (name) " " (ms(at)) }
    }
}

/// The figures of the plot.
fn told(gaps: &[u64]) -> String {
    format!(
        "{} times; shortest {}, half at most {}, nine of ten at most {}, longest {}.",
        whole(count(gaps.len())),
        ms(gaps.first().copied().unwrap_or(0)),
        ms(percentile(gaps, 50)),
        ms(percentile(gaps, 90)),
        ms(gaps.last().copied().unwrap_or(0)),
    )
}

/// The smallest of the sorted gaps that so many of a hundred do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_gaps() {
        let gaps: Vec<u64> = (1..=20).map(|number| number * 100).collect();
        assert_eq!(percentile(&gaps, 50), 1_000);
        assert_eq!(percentile(&gaps, 90), 1_800);
        assert_eq!(percentile(&[7], 50), 7);
        assert_eq!(percentile(&[], 50), 0);
    }
}
