//! One run on an axis of time: what was broken, who led, what was answered, the longest gap.

mod bands;
mod bars;

use maud::{Markup, html};

use super::number::{ms, whole};
use super::scale::{Scale, px};
use crate::results::{Figures, ScenarioResult};

/// Where things are, in the units of the drawing: left edge and right edge of the axis.
const LEFT: f64 = 46.0;
const RIGHT: f64 = 992.0;
const WIDTH: f64 = 1_000.0;
const LANE: f64 = 19.0;
const BARS: f64 = 150.0;

/// The plot of a run with the words that say the same.
pub(super) fn figure(number: usize, scenario: &ScenarioResult) -> Markup {
    let figures = &scenario.figures;
    let time = Scale::new(figures.duration_ms, LEFT, RIGHT);
    let lanes = bands::lanes(&figures.faults);
    let leaders = lanes.height() + 4.0;
    let top = leaders + LANE + 30.0;
    let bottom = top + BARS;
    let height = bottom + 34.0;
    html! {
        figure {
            div.plot role="region" aria-label={ "Plot of " (scenario.name) } tabindex="0" {
                svg viewBox={ "0 0 " (px(WIDTH)) " " (px(height)) } role="img"
                    aria-labelledby={ "title-" (number) " desc-" (number) } {
                    title id={ "title-" (number) } { (scenario.name) " over time" }
                    desc id={ "desc-" (number) } { (told(figures)) }
                    (lanes.shades(time, leaders, bottom))
                    (lanes.draw(time))
                    (bands::leaders(&figures.leaders, time, leaders))
                    (bars::draw(figures, time, top, bottom))
                    (gap(figures, time, top))
                    (axis(time, bottom))
                }
            }
            figcaption { (told(figures)) }
        }
    }
}

/// What the plot shows, in words.
fn told(figures: &Figures) -> String {
    let gap = figures.worst_gap.as_ref().map_or_else(
        || "no baker ever waited".into(),
        |gap| format!("longest gap {} from {}", ms(gap.ms()), ms(gap.from_ms)),
    );
    format!(
        "{} requests in {}: {} signed, {} refused, {} failed, {} lost; {gap}; in slices of {}.",
        whole(figures.requests),
        ms(figures.duration_ms),
        whole(figures.signed),
        whole(figures.refused),
        whole(figures.failed),
        whole(figures.lost),
        ms(figures.bin_ms),
    )
}

/// The longest gap, as a bracket above the bars with its length.
fn gap(figures: &Figures, time: Scale, top: f64) -> Markup {
    let Some(gap) = &figures.worst_gap else {
        return html! {};
    };
    let (from, to) = (time.at(gap.from_ms), time.at(gap.to_ms));
    let y = top - 10.0;
    let (anchor, x) = bands::beside(from.midpoint(to));
    html! {
        path.gap d={ "M" (px(from)) " " (px(y + 6.0)) "V" (px(y)) "H" (px(to)) "V" (px(y + 6.0)) } {}
        text.gap x=(px(x)) y=(px(y - 4.0)) text-anchor=(anchor) { (ms(gap.ms())) " without a signature" }
    }
}

/// Seconds below the bars.
fn axis(time: Scale, bottom: f64) -> Markup {
    html! {
        @for tick in time.ticks() {
            line.tick x1=(px(time.at(tick))) x2=(px(time.at(tick))) y1=(px(bottom)) y2=(px(bottom + 5.0)) {}
            text.axis x=(px(time.at(tick))) y=(px(bottom + 18.0)) text-anchor="middle" { (seconds(tick)) }
        }
        text.axis x=(px(RIGHT)) y=(px(bottom + 31.0)) text-anchor="end" { "seconds" }
    }
}

/// `1.5` for 1500 ms, without zeros at the end.
fn seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        for (ms, text) in [
            (0, "0"),
            (500, "0.5"),
            (1_000, "1"),
            (1_001, "1.001"),
            (20_000, "20"),
        ] {
            assert_eq!(seconds(ms), text);
        }
    }
}
