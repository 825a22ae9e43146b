//! Whether the nodes told what they are judged by. A run in which something is released and no node
//! ever says that it started, or that it applied a mark, was written down in part.

use std::collections::BTreeMap;

use super::Check;
use crate::case::{Case, Fact};
use crate::findings::Findings;
use crate::history::Event;
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct Told {
    /// The first release of a message with a slot.
    released: Option<usize>,
    has_applied: bool,
    /// Whether each node that took part ever started.
    started: BTreeMap<u64, bool>,
}

impl<'c> Check<'c> for Told {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, _found: &mut Findings) {
        match fact.event {
            Event::Boot { node, .. } => {
                self.started.insert(*node, true);
            }
            Event::Applied { .. } => self.has_applied = true,
            Event::Released { node, .. } => {
                self.started.entry(*node).or_insert(false);
                let message = case.message(fact);
                if message.is_some_and(|(_, message)| message.slotted().is_some()) {
                    self.released.get_or_insert(fact.line);
                }
            }
            Event::Vote { node, .. } | Event::Leads { node, .. } => {
                self.started.entry(*node).or_insert(false);
            }
            _ => {}
        }
    }

    fn end(&mut self, case: &'c Case<'c>, found: &mut Findings) {
        let Some(last) = case.facts.last() else {
            return;
        };
        if let Some(released) = self.released.filter(|_| !self.has_applied) {
            let words = "a slot is released, and no node says that it applied any mark".to_owned();
            found.add(Invariant::Evidence, last, &[released], words);
        }
        for (node, _) in self
            .started
            .iter()
            .filter(|(node, started)| !**started && case.nodes.contains(node))
        {
            let words = format!("node {node} takes part and is never seen to start");
            found.add(Invariant::Evidence, last, &[], words);
        }
    }
}
