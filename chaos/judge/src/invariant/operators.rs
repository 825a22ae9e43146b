//! I10: what an operator was told holds (R25). Once *disable* was answered as committed, nothing that
//! is asked later is released until somebody orders to enable the key; once it was answered as
//! drained, nothing is released at all. Once *raise* was answered, the same holds for good of every
//! slot up to that level.
//!
//! A slot whose signature was out, or recorded, before *disable* may be answered again with it (P3).

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact, MessageId, Shown, Stage};
use crate::findings::Findings;
use crate::history::{Action, Event, Release, Told};
use crate::verdict::Invariant;

mod level;

use level::Levels;

#[derive(Default)]
pub(super) struct Operators<'c> {
    orders: BTreeMap<u64, Order<'c>>,
    keys: BTreeMap<&'c str, Service>,
    raised: BTreeMap<(&'c str, &'c str), Raised>,
    /// In which line a message was first signed, and first released.
    made: BTreeMap<MessageId, usize>,
    released: BTreeMap<MessageId, usize>,
    said: BTreeSet<MessageId>,
}

#[derive(Clone, Copy)]
struct Order<'c> {
    action: &'c Action,
    line: usize,
}

/// Whether a key is in service, as far as an operator knows.
#[derive(Default)]
struct Service {
    /// Since which lines it is disabled.
    disabled: Option<Stages>,
    /// The orders to enable it: when they were given, and when it was known what became of them.
    enabling: BTreeMap<u64, (usize, Option<usize>)>,
}

#[derive(Clone, Copy)]
struct Stages {
    committed: usize,
    drained: Option<usize>,
}

#[derive(Default)]
struct Raised {
    committed: Levels,
    drained: Levels,
}

impl<'c> Check<'c> for Operators<'c> {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        match fact.event {
            Event::Ordered { order, action } => {
                let line = fact.line;
                self.orders.insert(*order, Order { action, line });
                if let Action::Enable { key } | Action::Enrol(crate::history::Key { key, .. }) =
                    action
                {
                    let service = self.keys.entry(key).or_default();
                    service.disabled = None;
                    service.enabling.insert(*order, (line, None));
                }
            }
            Event::Obeyed { order, told } => self.obeyed(*order, *told, fact.line),
            _ => {}
        }
        if let Some(shown) = case.shown(fact) {
            if shown.stage != Stage::Made {
                self.released(fact, shown, case, found);
                self.released.entry(shown.id).or_insert(fact.line);
            }
            self.made.entry(shown.id).or_insert(fact.line);
        }
    }
}

impl<'c> Operators<'c> {
    fn obeyed(&mut self, id: u64, told: Told, line: usize) {
        let Some(order) = self.orders.get(&id).copied() else {
            return;
        };
        let drained = match told {
            Told::Committed => false,
            Told::Drained => true,
            Told::Refused | Told::Unknown => {
                self.not_known(id, order, told, line);
                return;
            }
        };
        match order.action {
            Action::Disable { key } => {
                let service = self.keys.entry(key).or_default();
                service.disable(order.line, line, drained);
            }
            Action::Raise { key, chain, level } => {
                let raised = self.raised.entry((key, chain)).or_default();
                raised.committed.add(line, *level);
                if drained {
                    raised.drained.add(line, *level);
                }
            }
            Action::Enable { key } | Action::Enrol(crate::history::Key { key, .. }) => {
                let service = self.keys.entry(key).or_default();
                service.answered(id, line);
            }
        }
    }

    /// An order to enable that was refused enables nothing; one whose outcome nobody knows was
    /// decided on a generation, so a later *disable* that is committed leaves it without effect.
    fn not_known(&mut self, id: u64, order: Order<'c>, told: Told, line: usize) {
        let (Action::Enable { key } | Action::Enrol(crate::history::Key { key, .. })) =
            order.action
        else {
            return;
        };
        let service = self.keys.entry(key).or_default();
        if told == Told::Refused {
            service.enabling.remove(&id);
        } else {
            service.answered(id, line);
        }
    }

    fn released(
        &mut self,
        fact: &Fact<'_>,
        shown: Shown<'c>,
        case: &Case<'_>,
        found: &mut Findings,
    ) {
        // A node does not say for which request it releases: the first is the most lenient. A baker
        // may read an answer long after it left, so only a node's release is held to *drained*.
        let (asked, left) = match shown.stage {
            Stage::Answered => (fact.asked, 0),
            Stage::Made | Stage::Released => (shown.message.first_asked, fact.line),
        };
        let Some(asked) = asked.filter(|_| !self.said.contains(&shown.id)) else {
            return;
        };
        let broken = self
            .disabled(asked, left, shown, case)
            .or_else(|| self.raised(asked, left, shown));
        if let Some((since, words)) = broken {
            self.said.insert(shown.id);
            found.add(Invariant::I10, fact, &[since, asked], words);
        }
    }

    fn disabled(
        &self,
        asked: usize,
        left: usize,
        shown: Shown<'_>,
        case: &Case<'_>,
    ) -> Option<(usize, String)> {
        let key = shown.message.key;
        let stages = self.keys.get(key)?.disabled?;
        let (since, words) = match stages.drained {
            Some(drained) if left > drained => (drained, "was drained"),
            Some(_) | None if asked > stages.committed => (
                stages.committed,
                "was committed, on a request sent after that",
            ),
            Some(_) | None => return None,
        };
        if self.is_out(shown, stages.committed, case) {
            return None;
        }
        Some((
            since,
            format!("released after the disabling of {key} {words}"),
        ))
    }

    /// Whether its signature was released, or may have been recorded, before `line`.
    fn is_out(&self, shown: Shown<'_>, line: usize, case: &Case<'_>) -> bool {
        let before = |lines: &BTreeMap<MessageId, usize>| {
            lines.get(&shown.id).is_some_and(|first| *first < line)
        };
        let may_be_recorded = case.release(shown.message.key) != Some(Release::AfterCommit);
        shown.message.slotted().is_some()
            && (before(&self.released) || (may_be_recorded && before(&self.made)))
    }

    fn raised(&self, asked: usize, left: usize, shown: Shown<'c>) -> Option<(usize, String)> {
        let (place, slot) = shown.message.slotted()?;
        let raised = self.raised.get(&(place.key, place.chain))?;
        let (since, level) = raised
            .committed
            .at_or_above(slot.level, asked)
            .or_else(|| raised.drained.at_or_above(slot.level, left))?;
        let words = format!("{place} is released at {slot} after it was raised to level {level}");
        Some((since, words))
    }
}

impl Service {
    fn answered(&mut self, order: u64, line: usize) {
        if let Some((_, known)) = self.enabling.get_mut(&order) {
            known.get_or_insert(line);
        }
    }

    /// *Disable* was ordered in one line and answered in another. If somebody was enabling the key
    /// in between, nobody knows which came last.
    fn disable(&mut self, ordered: usize, line: usize, drained: bool) {
        let is_open = |known: &Option<usize>| known.is_none_or(|known| known > ordered);
        if self.enabling.values().any(|(_, known)| is_open(known)) {
            return;
        }
        let stages = self.disabled.get_or_insert(Stages {
            committed: line,
            drained: None,
        });
        if drained {
            stages.drained.get_or_insert(line);
        }
    }
}
