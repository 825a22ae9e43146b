//! Bands above the bars: faults in as many lanes as they need, and one lane of leaders.

use maud::{Markup, html};

use super::{LANE, LEFT, RIGHT};
use crate::page::number::nodes;
use crate::page::scale::{Scale, px};
use crate::results::{FaultBand, LeaderBand};

/// About how wide one letter is at the size of the labels.
const LETTER: f64 = 6.1;
/// A band is at least this wide, or one would not see it.
const WIDTH_MIN: f64 = 3.0;

/// Faults, each in a lane in which its label does not run into the next band.
#[derive(Debug)]
pub(super) struct Lanes<'a> {
    lanes: Vec<Vec<&'a FaultBand>>,
}

/// Puts each fault into the first lane that is free.
pub(super) fn lanes(faults: &[FaultBand], time: Scale) -> Lanes<'_> {
    let mut lanes: Vec<(f64, Vec<&FaultBand>)> = Vec::new();
    for fault in faults {
        let (from, to) = extent(fault, time);
        let free = lanes.iter_mut().find(|(end, _)| *end <= from);
        if let Some((end, lane)) = free {
            *end = to;
            lane.push(fault);
        } else {
            lanes.push((to, vec![fault]));
        }
    }
    Lanes {
        lanes: lanes.into_iter().map(|(_, lane)| lane).collect(),
    }
}

impl Lanes<'_> {
    /// How many lanes.
    pub(super) fn count(&self) -> f64 {
        u32::try_from(self.lanes.len()).map_or(0.0, f64::from)
    }

    /// The bands with their names.
    pub(super) fn draw(&self, time: Scale) -> Markup {
        html! {
            @for (row, lane) in (0_u32..).zip(&self.lanes) {
                @for fault in lane { (band(fault, time, LANE.mul_add(f64::from(row), 2.0))) }
            }
        }
    }

    /// The same times over the bars, faintly.
    pub(super) fn shades(&self, time: Scale, top: f64, bottom: f64) -> Markup {
        html! {
            @for fault in self.lanes.iter().flatten() {
                rect.shade x=(px(time.at(fault.from_ms))) y=(px(top)) width=(px(width(fault, time)))
                    height=(px(bottom - top)) {}
            }
        }
    }
}

fn band(fault: &FaultBand, time: Scale, y: f64) -> Markup {
    let x = time.at(fault.from_ms);
    let (anchor, label) = label(fault, time);
    html! {
        g {
            title { (words(fault)) }
            rect.fault x=(px(x)) y=(px(y)) width=(px(width(fault, time))) height=(px(LANE - 4.0)) {}
            text.band x=(px(label)) y=(px(y + 11.5)) text-anchor=(anchor) { (words(fault)) }
        }
    }
}

fn words(fault: &FaultBand) -> String {
    format!("{}: {}", fault.name, nodes(&fault.nodes))
}

fn width(fault: &FaultBand, time: Scale) -> f64 {
    (time.at(fault.to_ms) - time.at(fault.from_ms)).max(WIDTH_MIN)
}

fn letters(text: &str) -> f64 {
    u32::try_from(text.chars().count()).map_or(0.0, f64::from) * LETTER
}

/// A label begins in its band, or ends there if it would leave the drawing.
fn label(fault: &FaultBand, time: Scale) -> (&'static str, f64) {
    let from = time.at(fault.from_ms);
    if from + letters(&words(fault)) <= RIGHT {
        return ("start", from + 4.0);
    }
    let to = (from + width(fault, time)).min(RIGHT);
    ("end", (to - 4.0).max(letters(&words(fault)) + LEFT))
}

/// From where to where a band and its label reach.
fn extent(fault: &FaultBand, time: Scale) -> (f64, f64) {
    let from = time.at(fault.from_ms);
    let to = from + width(fault, time);
    let long = letters(&words(fault)) + 10.0;
    let (anchor, at) = label(fault, time);
    if anchor == "start" {
        (from, to.max(at + long))
    } else {
        (from.min(at - long), to)
    }
}

/// Where a text goes that should be in the middle of something: there, or inside the drawing.
pub(super) fn beside(middle: f64) -> (&'static str, f64) {
    if middle < LEFT + 100.0 {
        ("start", LEFT)
    } else if middle > RIGHT - 100.0 {
        ("end", RIGHT)
    } else {
        ("middle", middle)
    }
}

/// Who took itself for the leader, in the colour of the node and with its number.
pub(super) fn leaders(bands: &[LeaderBand], time: Scale, y: f64) -> Markup {
    html! {
        text.axis x="0" y=(px(y + 11.5)) { "leader" }
        @for band in bands {
            @let x = time.at(band.from_ms);
            @let width = (time.at(band.to_ms) - x).max(1.0);
            @let long = format!("node {}, term {}", band.node, band.term);
            @let short = band.node.to_string();
            g {
                title { (long) }
                rect class={ "leader node-" (band.node % 5) } x=(px(x)) y=(px(y)) width=(px(width)) height=(px(LANE - 4.0)) {}
                @if letters(&long) + 8.0 < width {
                    text.band x=(px(x + 4.0)) y=(px(y + 11.5)) { (long) }
                } @else if letters(&short) + 4.0 < width {
                    text.band x=(px(x + width / 2.0)) y=(px(y + 11.5)) text-anchor="middle" { (short) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str, from_ms: u64, to_ms: u64) -> FaultBand {
        FaultBand {
            name: name.into(),
            nodes: vec![1],
            from_ms,
            to_ms,
            proof: String::new(),
        }
    }

    #[test]
    fn bands_and_labels_of_one_lane_do_not_meet() {
        let time = Scale::new(10_000, LEFT, RIGHT);
        let faults: Vec<FaultBand> = (0..20)
            .map(|number| {
                fault(
                    "a power cut with a rather long name",
                    number * 480,
                    number * 480 + 400,
                )
            })
            .collect();
        let lanes = lanes(&faults, time);
        assert!(
            lanes.lanes.len() > 1,
            "labels this long need more than one lane"
        );
        assert_eq!(lanes.lanes.iter().flatten().count(), faults.len());
        for lane in &lanes.lanes {
            for pair in lane.windows(2) {
                assert!(
                    extent(pair[0], time).1 <= extent(pair[1], time).0,
                    "{pair:?}"
                );
            }
        }
    }

    #[test]
    fn a_label_stays_inside_the_drawing() {
        let time = Scale::new(10_000, LEFT, RIGHT);
        let late = fault("the last fault of a run, near its very end", 9_900, 10_000);
        let (anchor, at) = label(&late, time);
        assert_eq!(anchor, "end");
        assert!(at <= RIGHT && at - letters(&words(&late)) >= 0.0);
    }
}
