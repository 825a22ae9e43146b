//! I5: once nothing is broken any more, a fresh slot is signed within the bound. Fresh is a slot
//! above all that were asked before healing; a fault that begins within the bound ends the claim, and
//! then the run has to be healed again.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact, Place};
use crate::findings::Findings;
use crate::history::Event;
use crate::message::Slot;
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct Recovery<'c> {
    /// The highest slot that was asked.
    asked: BTreeMap<Place<'c>, Slot>,
    claim: Option<Claim<'c>>,
    /// The line of healing, and the first fault after it.
    broken_again: Option<(usize, usize)>,
    healed: Option<usize>,
}

struct Claim<'c> {
    line: usize,
    until_us: u64,
    /// The highest that was asked before.
    before: BTreeMap<Place<'c>, Slot>,
    /// The first request for a fresh slot.
    first: Option<usize>,
}

impl Claim<'_> {
    fn is_fresh(&self, (place, slot): (Place<'_>, Slot)) -> bool {
        self.before.get(&place).is_none_or(|before| slot > *before)
    }
}

impl<'c> Check<'c> for Recovery<'c> {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        if let Some(claim) = self.claim.take_if(|claim| fact.at_us > claim.until_us) {
            broken(&claim, fact, found);
        }
        let slotted = case
            .message(fact)
            .and_then(|(_, message)| message.slotted());
        match (fact.event, slotted) {
            (Event::Healed { bound_us, nodes }, _) => {
                self.healed = Some(fact.line);
                self.broken_again = None;
                let whole: BTreeSet<u64> = nodes.iter().copied().collect();
                if whole.len() < case.majority() {
                    let words = format!(
                        "{} of {} nodes were healed, which is no majority",
                        whole.len(),
                        case.nodes.len()
                    );
                    found.add(Invariant::Evidence, fact, &[], words);
                }
                self.claim = Some(Claim {
                    line: fact.line,
                    until_us: fact.at_us.saturating_add(*bound_us),
                    before: self.asked.clone(),
                    first: None,
                });
            }
            (Event::Fault { .. }, _) => {
                self.claim = None;
                let again = self.healed.map(|healed| (healed, fact.line));
                self.broken_again = self.broken_again.or(again);
            }
            (Event::Asked { .. }, Some((place, slot))) => {
                if let Some(claim) = &mut self.claim
                    && claim.is_fresh((place, slot))
                {
                    claim.first.get_or_insert(fact.line);
                }
                let highest = self.asked.entry(place).or_insert(slot);
                *highest = slot.max(*highest);
            }
            (Event::Answered { status: 200, .. }, Some(slotted)) => {
                self.claim.take_if(|claim| {
                    claim.is_fresh(slotted) && fact.asked.is_some_and(|asked| asked > claim.line)
                });
            }
            _ => {}
        }
    }

    fn end(&mut self, case: &'c Case<'c>, found: &mut Findings) {
        if let (Some((healed, fault)), Some(last)) = (self.broken_again, case.facts.last()) {
            let words = "a fault begins after healing, and nothing was healed after it".to_owned();
            found.add(Invariant::Evidence, last, &[healed, fault], words);
        }
        let (Some(claim), Some(last)) = (self.claim.take(), case.facts.last()) else {
            return;
        };
        let words = match claim.first {
            Some(_) => "the run ends before a fresh slot was signed and before the bound",
            None => "nobody asked for a fresh slot after healing",
        };
        found.add(Invariant::Evidence, last, &[claim.line], words.to_owned());
    }
}

fn broken(claim: &Claim<'_>, fact: &Fact<'_>, found: &mut Findings) {
    match claim.first {
        Some(first) => {
            let words = format!(
                "no fresh slot was signed until {} us, which was the bound after healing",
                claim.until_us
            );
            found.add(Invariant::I5, fact, &[claim.line, first], words);
        }
        None => {
            let words = "nobody asked for a fresh slot within the bound after healing".to_owned();
            found.add(Invariant::Evidence, fact, &[claim.line], words);
        }
    }
}
