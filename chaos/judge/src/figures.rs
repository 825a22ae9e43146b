//! What a run was like: counts, the longest gap, and how long each fault was felt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::history::{Event, Line};

/// The figures of a run. Times are microseconds on the clock of the history.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Figures {
    /// Requests of bakers.
    pub asked: u64,
    /// Answered 200.
    pub signed: u64,
    /// Answered 4xx: decisions.
    pub refused: u64,
    /// Answered otherwise, or the connection broke: outages.
    pub failed: u64,
    /// Never answered at all.
    pub unanswered: u64,
    /// The longest time without a 200 while somebody asked: from the 200 before, or from the first
    /// request after it, to the next 200, or to the end.
    pub longest_gap: Gap,
    /// Each fault and how long it was felt, in the order in which they began.
    pub faults: Vec<Felt>,
}

/// A time without a signature while somebody asked.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Gap {
    /// When it begins.
    pub from_us: u64,
    /// When it ends.
    pub to_us: u64,
}

impl Gap {
    /// How long it is.
    #[must_use]
    pub const fn us(self) -> u64 {
        self.to_us.saturating_sub(self.from_us)
    }
}

/// How long a fault was felt.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Felt {
    /// Its number in the history.
    pub fault: u64,
    /// Its name.
    pub name: String,
    /// Whom it hit.
    pub nodes: Vec<u64>,
    /// When it began.
    pub from_us: u64,
    /// When it ended, if it did.
    pub to_us: Option<u64>,
    /// From its beginning to the first 200 for a request that was sent after it.
    pub until_signed_us: Option<u64>,
    /// From its end to the first 200 for a request that was sent after that.
    pub after_end_us: Option<u64>,
    /// How it is known to have taken effect.
    pub proof: String,
}

impl Figures {
    /// Counts what happened in `lines`.
    #[must_use]
    pub fn of(lines: &[Line]) -> Self {
        let mut count = Count::default();
        for line in lines {
            count.see(line);
        }
        count.finish(lines.last().map_or(0, |line| line.at_us))
    }
}

#[derive(Default)]
struct Count {
    figures: Figures,
    /// When each request that is not answered was sent.
    open: BTreeMap<u64, u64>,
    /// When the gap that is open began.
    gap_from_us: Option<u64>,
    /// Where each fault stands in the figures.
    places: BTreeMap<u64, usize>,
    /// The faults whose times are not complete. Few at any time.
    unfelt: Vec<usize>,
}

impl Count {
    fn see(&mut self, line: &Line) {
        let at_us = line.at_us;
        match &line.event {
            Event::Asked { request, .. } => {
                self.figures.asked = self.figures.asked.saturating_add(1);
                self.open.insert(*request, at_us);
                self.gap_from_us.get_or_insert(at_us);
            }
            Event::Answered {
                request, status, ..
            } => {
                let asked_us = self.open.remove(request);
                match status {
                    200 => {
                        self.figures.signed = self.figures.signed.saturating_add(1);
                        self.signed(asked_us.unwrap_or(at_us), at_us);
                    }
                    400..500 => self.figures.refused = self.figures.refused.saturating_add(1),
                    _ => self.figures.failed = self.figures.failed.saturating_add(1),
                }
            }
            Event::Fault {
                fault,
                name,
                nodes,
                proof,
            } => {
                let place = self.figures.faults.len();
                self.places.insert(*fault, place);
                self.unfelt.push(place);
                self.figures.faults.push(Felt {
                    fault: *fault,
                    name: name.clone(),
                    nodes: nodes.clone(),
                    from_us: at_us,
                    to_us: None,
                    until_signed_us: None,
                    after_end_us: None,
                    proof: proof.clone(),
                });
            }
            Event::FaultEnded { fault } => {
                let place = self.places.get(fault).copied();
                if let Some(felt) = place.and_then(|at| self.figures.faults.get_mut(at)) {
                    felt.to_us = Some(at_us);
                }
            }
            Event::Run { .. }
            | Event::Boot { .. }
            | Event::Ended { .. }
            | Event::Vote { .. }
            | Event::VoteDurable { .. }
            | Event::Leads { .. }
            | Event::Durable { .. }
            | Event::SnapshotDurable { .. }
            | Event::Undone { .. }
            | Event::Applied { .. }
            | Event::OtherDisk { .. }
            | Event::Signed { .. }
            | Event::Released { .. }
            | Event::Refused { .. }
            | Event::Proved { .. }
            | Event::Ordered { .. }
            | Event::Decided { .. }
            | Event::Obeyed { .. }
            | Event::Healed { .. }
            | Event::State { .. } => {}
        }
    }

    /// A 200 closes the gap, and the faults that began or ended before its request was sent.
    fn signed(&mut self, asked_us: u64, at_us: u64) {
        self.close_gap(at_us);
        self.gap_from_us = (!self.open.is_empty()).then_some(at_us);
        let faults = &mut self.figures.faults;
        self.unfelt.retain(|place| {
            let Some(felt) = faults.get_mut(*place) else {
                return false;
            };
            if asked_us >= felt.from_us && felt.until_signed_us.is_none() {
                felt.until_signed_us = Some(at_us.saturating_sub(felt.from_us));
            }
            if let Some(to_us) = felt.to_us.filter(|to_us| asked_us >= *to_us) {
                felt.after_end_us = Some(at_us.saturating_sub(to_us));
            }
            felt.after_end_us.is_none()
        });
    }

    fn close_gap(&mut self, at_us: u64) {
        let Some(from_us) = self.gap_from_us.take() else {
            return;
        };
        let gap = Gap {
            from_us,
            to_us: at_us,
        };
        if gap.us() > self.figures.longest_gap.us() {
            self.figures.longest_gap = gap;
        }
    }

    fn finish(mut self, end_us: u64) -> Figures {
        self.close_gap(end_us);
        self.figures.unanswered = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        self.figures
    }
}
