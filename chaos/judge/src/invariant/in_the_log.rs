//! I10, by the log itself (R25): where the log disables a key, no later entry lets a signature of it
//! go until another one enables it. A grant from before may still be finished; its *Record*, where it
//! needs one, is refused by then.

use std::collections::BTreeMap;

use super::Check;
use crate::case::{Case, Fact};
use crate::findings::Findings;
use crate::history::{Action, Entry, Event, Key};
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct InTheLog<'c> {
    orders: BTreeMap<u64, (usize, &'c Action)>,
    /// When somebody asked to enable a key, and when it was known what became of it.
    enabling: BTreeMap<&'c str, BTreeMap<u64, (usize, Option<usize>)>>,
    disabled: Vec<Disabled<'c>>,
    released: Vec<(usize, &'c str, Entry)>,
}

/// The log disables a key, by an order of some line.
struct Disabled<'c> {
    key: &'c str,
    ordered: usize,
    entry: Entry,
}

impl<'c> Check<'c> for InTheLog<'c> {
    fn see(&mut self, fact: &Fact<'c>, _case: &'c Case<'c>, _found: &mut Findings) {
        match fact.event {
            Event::Ordered { order, action } => {
                self.orders.insert(*order, (fact.line, action));
                if let Action::Enable { key } | Action::Enrol(Key { key, .. }) = action {
                    let enabling = self.enabling.entry(key).or_default();
                    enabling.insert(*order, (fact.line, None));
                }
            }
            Event::Obeyed { order, .. } => {
                for enabling in self.enabling.values_mut() {
                    if let Some((_, known)) = enabling.get_mut(order) {
                        known.get_or_insert(fact.line);
                    }
                }
            }
            Event::Decided { order, entry } => {
                if let Some((ordered, Action::Disable { key })) = self.orders.get(order) {
                    self.disabled.push(Disabled {
                        key,
                        ordered: *ordered,
                        entry: *entry,
                    });
                }
            }
            Event::Released {
                key,
                entry: Some(entry),
                ..
            } => self.released.push((fact.line, key, *entry)),
            _ => {}
        }
    }

    fn end(&mut self, case: &'c Case<'c>, found: &mut Findings) {
        for (line, key, entry) in &self.released {
            let disabled = self.disabled.iter().find(|disabled| {
                disabled.key == *key
                    && entry.index > disabled.entry.index
                    && !self.may_be_enabled(disabled, *line)
            });
            let fact = || case.facts.iter().find(|fact| fact.line == *line);
            if let Some((disabled, fact)) = disabled.and_then(|it| Some((it, fact()?))) {
                let words = format!(
                    "entry {} lets a signature of {key} go, and entry {} had disabled it",
                    entry.index, disabled.entry.index
                );
                found.add(Invariant::I10, fact, &[disabled.ordered], words);
            }
        }
    }
}

impl InTheLog<'_> {
    /// Whether somebody was enabling the key while it was disabled, or asked for it from then on and
    /// before `line`.
    fn may_be_enabled(&self, disabled: &Disabled<'_>, line: usize) -> bool {
        let enabling = self.enabling.get(disabled.key);
        enabling.is_some_and(|orders| {
            orders.values().any(|(asked, known)| {
                let is_open = known.is_none_or(|known| known > disabled.ordered);
                *asked < line && is_open
            })
        })
    }
}
