//! What a history says beyond the verdict: how much was asked and signed, who led, what was broken
//! when, and for how long nobody got a signature.

mod bands;
mod gaps;
mod requests;

use judge::history::Line;
use serde::{Deserialize, Serialize};

use super::{Bin, FaultBand, Gap, GapAfter, LeaderBand};
use requests::Requests;

/// The fault "SIGKILL to the leader": name it so in a history, and the gap after it is counted in
/// the distribution on the page.
pub const KILL_LEADER: &str = "leader killed (SIGKILL)";

/// The fault "SIGTERM to the leader", a hand-over on purpose: name it so in a history, and the gap
/// after it is counted in the distribution on the page.
pub const HAND_OVER: &str = "planned hand-over (SIGTERM)";

/// The figures of one history. All times are milliseconds since its first line.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// From the first line to the last.
    pub duration_ms: u64,
    /// Requests sent, repeats included.
    pub requests: u64,
    /// Requests answered with a signature.
    pub signed: u64,
    /// Requests answered with a decision not to sign (status 4xx).
    pub refused: u64,
    /// Requests answered with anything else, or never.
    pub failed: u64,
    /// Messages whose baker got neither a signature nor a decision, however often it asked: its
    /// slot was missed.
    pub lost: u64,
    /// The longest stretch in which a baker was waiting and nobody got a signature.
    pub worst_gap: Option<Gap>,
    /// From the moment on which nothing was broken any more: how long until a message that was
    /// first asked after it was signed.
    pub recovery_ms: Option<u64>,
    /// The gap after each leader killed and after each planned hand-over.
    pub gaps: Vec<GapAfter>,
    /// How long one slice of the timeline is.
    pub bin_ms: u64,
    /// The answers, slice by slice, without a slice left out.
    pub timeline: Vec<Bin>,
    /// Who led.
    pub leaders: Vec<LeaderBand>,
    /// What was broken.
    pub faults: Vec<FaultBand>,
}

impl Figures {
    /// Reads them out of a history, which is in the order of time.
    pub fn of(lines: &[Line]) -> Self {
        let clock = Clock::of(lines);
        let requests = Requests::of(lines);
        let faults = bands::faults(lines, clock);
        let gaps = gaps::all(lines, clock);
        let bin_ms = clock.bin_ms();
        Self {
            duration_ms: clock.duration_ms,
            requests: requests.sent(),
            signed: requests.signed(),
            refused: requests.refused(),
            failed: requests.failed(),
            lost: requests.lost(),
            worst_gap: gaps.iter().max_by_key(|gap| gap.ms()).cloned(),
            recovery_ms: gaps::recovery(lines, clock),
            gaps: gaps::after(&faults, &gaps),
            bin_ms,
            timeline: requests.timeline(clock, bin_ms),
            leaders: bands::leaders(lines, clock),
            faults,
        }
    }

    /// The longest stretch without a signature, in milliseconds; zero if nobody ever waited.
    pub fn worst_gap_ms(&self) -> u64 {
        self.worst_gap.as_ref().map_or(0, Gap::ms)
    }
}

/// Milliseconds since the first line.
#[derive(Clone, Copy, Debug)]
struct Clock {
    first_us: u64,
    duration_ms: u64,
}

impl Clock {
    fn of(lines: &[Line]) -> Self {
        let first_us = lines.first().map_or(0, |line| line.at_us);
        let last_us = lines.last().map_or(0, |line| line.at_us);
        Self {
            first_us,
            duration_ms: last_us.saturating_sub(first_us) / 1_000,
        }
    }

    const fn ms(self, at_us: u64) -> u64 {
        at_us.saturating_sub(self.first_us) / 1_000
    }

    /// Slices of a length that one can read, at most 200 of them.
    const fn bin_ms(self) -> u64 {
        let mut bin: u64 = 50;
        while bin.saturating_mul(200) <= self.duration_ms {
            bin = bin_after(bin);
        }
        bin
    }
}

/// 50, 100, 200, 500, 1000 ... milliseconds.
const fn bin_after(bin: u64) -> u64 {
    let mut unit: u64 = bin;
    while unit >= 10 {
        unit /= 10;
    }
    let factor = if unit == 2 { 5 } else { 4 };
    bin.saturating_mul(factor) / 2
}

#[cfg(test)]
mod tests;
