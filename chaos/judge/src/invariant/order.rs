//! I8: nothing is released for a slot below one that was released before the request was sent: who
//! asks late is refused (P3), also by a node that lags (R20).

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact, MessageId, Place, Shown, Stage};
use crate::findings::Findings;
use crate::history::Event;
use crate::message::Slot;
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct Order<'c> {
    /// The highest that was released so far.
    highest: BTreeMap<Place<'c>, Released>,
    /// The same, when a request was sent, by its line.
    when_asked: BTreeMap<usize, Released>,
    said: BTreeSet<MessageId>,
}

#[derive(Clone, Copy)]
struct Released {
    slot: Slot,
    line: usize,
}

impl<'c> Check<'c> for Order<'c> {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        if let Event::Asked { .. } = fact.event {
            let message = case.message(fact);
            let place = message.and_then(|(_, message)| message.slotted());
            if let Some(highest) = place.and_then(|(place, _)| self.highest.get(&place)) {
                self.when_asked.insert(fact.line, *highest);
            }
        }
        match case.shown(fact) {
            Some(shown) if shown.stage != Stage::Made => self.released(fact, shown, found),
            Some(_) | None => {}
        }
    }
}

impl<'c> Order<'c> {
    fn released(&mut self, fact: &Fact<'_>, shown: Shown<'c>, found: &mut Findings) {
        let Some((place, slot)) = shown.message.slotted() else {
            return;
        };
        // A node does not say for which request it releases: the first is the most lenient.
        let asked = match shown.stage {
            Stage::Answered => fact.asked,
            Stage::Made | Stage::Released => shown.message.first_asked,
        };
        let before = asked.and_then(|asked| Some((asked, self.when_asked.get(&asked)?)));
        if let Some((asked, before)) = before.filter(|(_, before)| slot < before.slot)
            && self.said.insert(shown.id)
        {
            let words = format!(
                "{place} is released at {slot} on a request that was sent after {} was released",
                before.slot
            );
            found.add(Invariant::I8, fact, &[before.line, asked], words);
        }
        let this = Released {
            slot,
            line: fact.line,
        };
        let highest = self.highest.entry(place).or_insert(this);
        if slot > highest.slot {
            *highest = this;
        }
    }
}
