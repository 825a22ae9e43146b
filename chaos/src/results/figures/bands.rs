//! Who led when, and what was broken when.

use std::collections::BTreeMap;

use judge::history::{Event, Line};

use super::{Clock, FaultBand, LeaderBand};

/// A leader's band ends when another one leads, when its process ends, or with the history.
/// **Invariant:** it says who *took itself* for the leader. Nothing is decided by that.
pub(super) fn leaders(lines: &[Line], clock: Clock) -> Vec<LeaderBand> {
    let mut bands: Vec<LeaderBand> = Vec::new();
    let mut open = false;
    for line in lines {
        let at = clock.ms(line.at_us);
        if let Event::Leads { node, term } = line.event {
            if let Some(last) = bands.last_mut().filter(|_| open) {
                last.to_ms = at;
            }
            bands.push(LeaderBand {
                node,
                term,
                from_ms: at,
                to_ms: clock.duration_ms,
            });
            open = true;
        } else if let Event::Ended { node, .. } = line.event
            && let Some(last) = bands.last_mut().filter(|last| open && last.node == node)
        {
            last.to_ms = at;
            open = false;
        }
    }
    bands
}

/// A fault that is never ended lasts to the end of the history.
pub(super) fn faults(lines: &[Line], clock: Clock) -> Vec<FaultBand> {
    let mut bands: BTreeMap<u64, FaultBand> = BTreeMap::new();
    for line in lines {
        let at = clock.ms(line.at_us);
        if let Event::Fault {
            fault,
            name,
            nodes,
            proof,
        } = &line.event
        {
            let band = FaultBand {
                name: name.clone(),
                nodes: nodes.clone(),
                from_ms: at,
                to_ms: clock.duration_ms,
                proof: proof.clone(),
            };
            bands.insert(*fault, band);
        } else if let Event::FaultEnded { fault } = line.event
            && let Some(band) = bands.get_mut(&fault)
        {
            band.to_ms = at;
        }
    }
    let mut bands: Vec<FaultBand> = bands.into_values().collect();
    bands.sort_by_key(|band| band.from_ms);
    bands
}
