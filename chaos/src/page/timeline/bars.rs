//! Answers per slice of time: signed upwards, refused and failed downwards.

use maud::{Markup, html};

use super::{LEFT, RIGHT};
use crate::page::number::{ms, whole};
use crate::page::scale::{Scale, px, step};
use crate::results::{Bin, Figures};

pub(super) fn draw(figures: &Figures, time: Scale, top: f64, bottom: f64) -> Markup {
    let most = |pick: fn(&Bin) -> u64| figures.timeline.iter().map(pick).max().unwrap_or(0);
    let up = round(most(|bin| bin.signed));
    let down = round(most(|bin| bin.refused.saturating_add(bin.failed)));
    // One scale for both directions, so that lengths can be compared.
    let whole_scale = Scale::new(up.saturating_add(down), top, bottom);
    let zero = whole_scale.at(up);
    let above = Scale::new(up, zero, top);
    let below = Scale::new(down, zero, bottom);
    html! {
        (grid(&above, &below, figures.bin_ms, bottom))
        @for bin in &figures.timeline { (bar(bin, figures.bin_ms, time, above, below)) }
        line.zero x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(zero)) y2=(px(zero)) {}
    }
}

/// The next number that one likes to read.
fn round(most: u64) -> u64 {
    let step = step(most.max(1), 4);
    most.max(1).div_ceil(step).saturating_mul(step)
}

fn bar(bin: &Bin, bin_ms: u64, time: Scale, above: Scale, below: Scale) -> Markup {
    let x = time.at(bin.from_ms);
    let width = (time.at(bin.from_ms.saturating_add(bin_ms)) - x).max(0.5);
    let zero = above.at(0);
    let refused = below.at(bin.refused);
    let failed = below.at(bin.refused.saturating_add(bin.failed));
    let parts = [
        ("signed", bin.signed, above.at(bin.signed), zero),
        ("refused", bin.refused, zero, refused),
        ("failed", bin.failed, refused, failed),
    ];
    html! {
        @for (class, number, from, to) in parts {
            @if number > 0 {
                rect class=(class) x=(px(x)) y=(px(from)) width=(px(width)) height=(px(to - from)) {
                    title { (number) " " (class) " from " (ms(bin.from_ms)) }
                }
            }
        }
    }
}

fn grid(above: &Scale, below: &Scale, bin_ms: u64, bottom: f64) -> Markup {
    let lines = [(above, above.max()), (above, 0), (below, below.max())];
    html! {
        @for (scale, value) in lines {
            line.grid x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(scale.at(value))) y2=(px(scale.at(value))) {}
            text.axis x=(px(LEFT - 5.0)) y=(px(scale.at(value) + 4.0)) text-anchor="end" { (whole(value)) }
        }
        text.axis x="0" y=(px(bottom + 31.0)) { "answers per " (ms(bin_ms)) }
    }
}
