//! I4: after healing, every node that was healed has a mark at or above everything that was released,
//! and the same message where it stands at the slot that was released.

use std::collections::BTreeMap;

use super::Check;
use crate::case::{Case, Fact, Place, Stage};
use crate::findings::Findings;
use crate::history::{Event, Mark};
use crate::message::Slot;
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct Everywhere<'c> {
    /// The highest that was released.
    highest: BTreeMap<Place<'c>, Highest<'c>>,
    /// What the nodes that were healed lack. A node may tell its state again, until nothing moves.
    lacking: Option<BTreeMap<u64, Vec<Lacking>>>,
}

#[derive(Clone, Copy)]
struct Highest<'c> {
    slot: Slot,
    digest: &'c str,
    line: usize,
}

struct Lacking {
    released: usize,
    told: (usize, u64),
    words: String,
}

impl<'c> Check<'c> for Everywhere<'c> {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, _found: &mut Findings) {
        match fact.event {
            Event::Healed { nodes, .. } => {
                self.lacking = Some(nodes.iter().map(|node| (*node, Vec::new())).collect());
            }
            Event::State { node, marks } => {
                let lacks = self.lacks(*node, marks, fact);
                if let Some(of_node) = self.lacking.as_mut().and_then(|all| all.get_mut(node)) {
                    *of_node = lacks;
                }
            }
            _ => self.released(fact, case),
        }
    }

    fn end(&mut self, _case: &'c Case<'c>, found: &mut Findings) {
        for lacks in self
            .lacking
            .take()
            .into_iter()
            .flatten()
            .flat_map(|(_, lacks)| lacks)
        {
            found.add_at(Invariant::I4, lacks.told, &[lacks.released], lacks.words);
        }
    }
}

impl<'c> Everywhere<'c> {
    fn released(&mut self, fact: &Fact<'c>, case: &'c Case<'c>) {
        let Some(shown) = case.shown(fact).filter(|shown| shown.stage != Stage::Made) else {
            return;
        };
        let Some((place, slot)) = shown.message.slotted() else {
            return;
        };
        let this = Highest {
            slot,
            digest: &shown.message.digest,
            line: fact.line,
        };
        let highest = self.highest.entry(place).or_insert(this);
        if slot > highest.slot {
            *highest = this;
        }
    }

    fn lacks(&self, node: u64, marks: &[Mark], fact: &Fact<'_>) -> Vec<Lacking> {
        let told: BTreeMap<_, _> = marks
            .iter()
            .map(|mark| {
                let (place, slot) = Place::of(mark);
                (place, (slot, &*mark.digest))
            })
            .collect();
        let lacks = self.highest.iter().filter_map(|(place, released)| {
            let stands = match told.get(place) {
                None => "no mark".to_owned(),
                Some((slot, _)) if slot < &released.slot => format!("a mark at {slot}"),
                Some((slot, digest))
                    if *slot == released.slot
                        && !digest.is_empty()
                        && *digest != released.digest =>
                {
                    "another message there".to_owned()
                }
                Some(_) => return None,
            };
            let words = format!(
                "{place} was released at {}, and after healing node {node} has {stands}",
                released.slot
            );
            Some(Lacking {
                released: released.line,
                told: (fact.line, fact.at_us),
                words,
            })
        });
        lacks.collect()
    }
}
