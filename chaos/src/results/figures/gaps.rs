//! Stretches of time in which a baker was waiting and nobody got a signature.

use std::collections::BTreeSet;

use judge::history::{Event, Line};

use super::requests::Outcome;
use super::{Clock, FaultBand, Gap, GapAfter, HAND_OVER, KILL_LEADER};

/// A fault whose band is shorter than this still counts for what it does in its first second.
const AT_LEAST_MS: u64 = 1_000;

/// All of them, in order of time. One begins when a baker asks (or, if one is waiting already, with
/// the last signature) and ends with the next signature, or when everybody who waits has been
/// refused: a refusal is a decision, not an outage. A failure ends nothing, since the baker asks
/// again.
pub(super) fn all(lines: &[Line], clock: Clock) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut waiting = BTreeSet::new();
    let mut since: Option<u64> = None;
    for line in lines {
        if let Event::Asked { request, .. } = &line.event {
            waiting.insert(*request);
            since = since.or(Some(line.at_us));
        } else if let Event::Answered {
            request,
            status,
            signature,
            ..
        } = &line.event
        {
            waiting.remove(request);
            match Outcome::of(*status, signature.as_ref()) {
                Outcome::Signed => {
                    gaps.extend(since.map(|since| gap(clock, since, line.at_us)));
                    since = (!waiting.is_empty()).then_some(line.at_us);
                }
                Outcome::Refused if waiting.is_empty() => since = None,
                Outcome::Refused | Outcome::Failed => {}
            }
        }
    }
    let last = lines.iter().rev().find(|line| is_about_a_request(line));
    if let (Some(since), Some(last)) = (since, last) {
        gaps.push(gap(clock, since, last.at_us));
    }
    gaps
}

/// The longest gap that touches each leader killed and each planned hand-over, while it lasted.
pub(super) fn after(faults: &[FaultBand], gaps: &[Gap]) -> Vec<GapAfter> {
    faults
        .iter()
        .filter(|fault| fault.name == KILL_LEADER || fault.name == HAND_OVER)
        .filter_map(|fault| {
            let end = fault.to_ms.max(fault.from_ms.saturating_add(AT_LEAST_MS));
            let touched = gaps
                .iter()
                .filter(|gap| gap.to_ms >= fault.from_ms && gap.from_ms <= end);
            touched.map(Gap::ms).max().map(|ms| GapAfter {
                fault: fault.name.clone(),
                ms,
            })
        })
        .collect()
}

/// From the last healing to the first signature of a message that nobody had asked for before.
pub(super) fn recovery(lines: &[Line], clock: Clock) -> Option<u64> {
    let healed = lines
        .iter()
        .rposition(|line| matches!(line.event, Event::Healed { .. }))?;
    let (before, after) = lines.split_at_checked(healed)?;
    let old: BTreeSet<&str> = before
        .iter()
        .filter_map(asked)
        .map(|(_, bytes)| bytes)
        .collect();
    let fresh: BTreeSet<u64> = after
        .iter()
        .filter_map(asked)
        .filter(|(_, bytes)| !old.contains(bytes))
        .map(|(request, _)| request)
        .collect();
    let signed = after.iter().find(|line| {
        matches!(&line.event, Event::Answered { request, status, signature, .. }
            if fresh.contains(request) && Outcome::of(*status, signature.as_ref()) == Outcome::Signed)
    })?;
    let healed = after.first()?;
    Some(
        clock
            .ms(signed.at_us)
            .saturating_sub(clock.ms(healed.at_us)),
    )
}

fn asked(line: &Line) -> Option<(u64, &str)> {
    if let Event::Asked { request, bytes, .. } = &line.event {
        Some((*request, bytes))
    } else {
        None
    }
}

const fn is_about_a_request(line: &Line) -> bool {
    matches!(line.event, Event::Asked { .. } | Event::Answered { .. })
}

const fn gap(clock: Clock, from_us: u64, to_us: u64) -> Gap {
    Gap {
        from_ms: clock.ms(from_us),
        to_ms: clock.ms(to_us),
    }
}
