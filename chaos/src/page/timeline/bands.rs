//! Bands above the bars: faults, one lane for each name, and one lane of leaders.

use maud::{Markup, html};

use super::{LANE, LEFT, RIGHT};
use crate::page::number::nodes;
use crate::page::scale::{Scale, px};
use crate::results::{FaultBand, LeaderBand};

/// About how wide one letter is at the size of the labels.
const LETTER: f64 = 6.4;
/// A band is at least this wide, or one would not see it.
const WIDTH_MIN: f64 = 3.0;
/// A lane of faults is its name and below it the bands.
const FAULTS: f64 = LANE + 14.0;
/// How high a band is.
const BAND: f64 = LANE - 4.0;

/// Faults of one name, in order of time.
#[derive(Debug)]
struct Lane<'a> {
    name: &'a str,
    faults: Vec<&'a FaultBand>,
}

/// The lanes of faults, in the order in which their names first appear.
#[derive(Debug)]
pub(super) struct Lanes<'a>(Vec<Lane<'a>>);

/// Puts each fault into the lane of its name.
pub(super) fn lanes(faults: &[FaultBand]) -> Lanes<'_> {
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    for fault in faults {
        if let Some(lane) = lanes.iter_mut().find(|lane| lane.name == fault.name) {
            lane.faults.push(fault);
        } else {
            lanes.push(Lane {
                name: &fault.name,
                faults: vec![fault],
            });
        }
    }
    Lanes(lanes)
}

impl Lanes<'_> {
    /// How high they are together.
    pub(super) fn height(&self) -> f64 {
        u32::try_from(self.0.len()).map_or(0.0, f64::from) * FAULTS
    }

    /// The names and the bands.
    pub(super) fn draw(&self, time: Scale) -> Markup {
        html! {
            @for (row, lane) in (0_u32..).zip(&self.0) {
                @let y = FAULTS * f64::from(row);
                @let (anchor, x) = label(lane, time);
                text.band x=(px(x)) y=(px(y + 11.0)) text-anchor=(anchor) { (lane.name) }
                @for fault in &lane.faults { (band(fault, time, y + 15.0)) }
            }
        }
    }

    /// The same times over the bars, faintly.
    pub(super) fn shades(&self, time: Scale, top: f64, bottom: f64) -> Markup {
        html! {
            @for fault in self.0.iter().flat_map(|lane| &lane.faults) {
                rect.shade x=(px(time.at(fault.from_ms))) y=(px(top)) width=(px(width(fault, time)))
                    height=(px(bottom - top)) {}
            }
        }
    }
}

/// Whom a fault hit stands in its band, if there is room; always in its title.
fn band(fault: &FaultBand, time: Scale, y: f64) -> Markup {
    let (x, width) = (time.at(fault.from_ms), width(fault, time));
    let hit = fault
        .nodes
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    html! {
        g {
            title { (fault.name) ": " (nodes(&fault.nodes)) }
            rect.fault x=(px(x)) y=(px(y)) width=(px(width)) height=(px(BAND)) {}
            @if letters(&hit) + 4.0 < width {
                text.band x=(px(x + width / 2.0)) y=(px(y + 11.5)) text-anchor="middle" { (hit) }
            }
        }
    }
}

fn width(fault: &FaultBand, time: Scale) -> f64 {
    (time.at(fault.to_ms) - time.at(fault.from_ms)).max(WIDTH_MIN)
}

fn letters(text: &str) -> f64 {
    u32::try_from(text.chars().count()).map_or(0.0, f64::from) * LETTER
}

/// A name begins over the first band, or ends at the edge if it would leave the drawing.
fn label(lane: &Lane<'_>, time: Scale) -> (&'static str, f64) {
    let from = lane
        .faults
        .first()
        .map_or(LEFT, |fault| time.at(fault.from_ms));
    if from + letters(lane.name) <= RIGHT {
        ("start", from)
    } else {
        ("end", RIGHT)
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
        @for band in bands { (leader(band, time, y)) }
    }
}

fn leader(band: &LeaderBand, time: Scale, y: f64) -> Markup {
    let x = time.at(band.from_ms);
    let width = (time.at(band.to_ms) - x).max(1.0);
    let long = format!("node {}, term {}", band.node, band.term);
    let short = band.node.to_string();
    let colour = band.node.checked_rem(5).unwrap_or(0);
    html! {
        g {
            title { (long) }
            rect class={ "leader node-" (colour) } x=(px(x)) y=(px(y)) width=(px(width)) height=(px(BAND)) {}
            @if letters(&long) + 8.0 < width {
                text.band x=(px(x + 4.0)) y=(px(y + 11.5)) { (long) }
            } @else if letters(&short) + 4.0 < width {
                text.band x=(px(x + width / 2.0)) y=(px(y + 11.5)) text-anchor="middle" { (short) }
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
    fn faults_of_one_name_share_a_lane_and_others_do_not() {
        let faults = [
            fault("cut", 0, 10),
            fault("kill", 5, 8),
            fault("cut", 20, 30),
        ];
        let lanes = lanes(&faults);
        let names: Vec<_> = lanes
            .0
            .iter()
            .map(|lane| (lane.name, lane.faults.len()))
            .collect();
        assert_eq!(names, [("cut", 2), ("kill", 1)]);
        assert!(lanes.height() > 2.0 * BAND);
    }

    #[test]
    fn a_name_stays_inside_the_drawing() {
        let time = Scale::new(10_000, LEFT, RIGHT);
        let late = [fault(
            "the last fault of a run, near its very end",
            9_900,
            10_000,
        )];
        let lanes = lanes(&late);
        assert_eq!(label(&lanes.0[0], time), ("end", RIGHT));
    }
}
