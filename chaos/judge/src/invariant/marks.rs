//! I2: the marks of a node never fall (R2), through restarts, snapshots and compaction.
//!
//! A restarted node may apply entries again, since applied state is not synced and the log gives it
//! again: so within a process a mark never falls from line to line, and over all processes of a node
//! it never falls from one log index to a higher one. Only another disk begins anew.

use std::collections::BTreeMap;

use super::Check;
use crate::case::{Case, Fact, Place};
use crate::findings::Findings;
use crate::history::{Event, Mark};
use crate::message::Slot;
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct Marks<'c> {
    nodes: BTreeMap<u64, Node<'c>>,
}

#[derive(Default)]
struct Node<'c> {
    /// By log index, over all processes that ran on this disk.
    applied: BTreeMap<Place<'c>, BTreeMap<u64, Seen<'c>>>,
    /// The last of this process.
    latest: BTreeMap<Place<'c>, Seen<'c>>,
}

#[derive(Clone, Copy)]
struct Seen<'c> {
    slot: Slot,
    digest: &'c str,
    line: usize,
}

impl<'c> Seen<'c> {
    fn of(mark: &'c Mark, line: usize) -> (Place<'c>, Self) {
        let (place, slot) = Place::of(mark);
        let digest = &mark.digest;
        (place, Self { slot, digest, line })
    }

    /// A slot may be burnt where it stands, and is never freed or taken by another message.
    fn may_become(&self, next: &Self) -> bool {
        next.slot > self.slot
            || (next.slot == self.slot && (next.digest == self.digest || next.digest.is_empty()))
    }
}

impl<'c> Check<'c> for Marks<'c> {
    fn see(&mut self, fact: &Fact<'c>, _case: &'c Case<'c>, found: &mut Findings) {
        match fact.event {
            Event::Boot { node, .. } => {
                self.nodes.entry(*node).or_default().latest.clear();
            }
            Event::OtherDisk { node } => {
                self.nodes.remove(node);
            }
            Event::Applied { node, entry, mark } => {
                let (place, seen) = Seen::of(mark, fact.line);
                let of_node = self.nodes.entry(*node).or_default();
                if let Some((before, after)) = of_node.fall(place, entry.index, seen) {
                    let words = fell(*node, place, before, after);
                    let earlier = before.line.min(after.line);
                    found.add(Invariant::I2, fact, &[earlier], words);
                }
            }
            Event::State { node, marks } => {
                if let Some(of_node) = self.nodes.get(node) {
                    of_node.told(*node, marks, fact, found);
                }
            }
            _ => {}
        }
    }
}

impl<'c> Node<'c> {
    /// From where to where the mark falls with `seen`, if it does. Remembers it.
    fn fall(
        &mut self,
        place: Place<'c>,
        index: u64,
        seen: Seen<'c>,
    ) -> Option<(Seen<'c>, Seen<'c>)> {
        let by_index = self.applied.entry(place).or_default();
        let below = by_index.range(..index).next_back().map(|(_, at)| *at);
        let above = index
            .checked_add(1)
            .and_then(|next| by_index.range(next..).next())
            .map(|(_, at)| *at);
        by_index.insert(index, seen);
        let before = self.latest.insert(place, seen);
        let steps = [
            below.map(|below| (below, seen)),
            before.map(|before| (before, seen)),
            above.map(|above| (seen, above)),
        ];
        let mut steps = steps.into_iter().flatten();
        steps.find(|(before, after)| !before.may_become(after))
    }

    /// What a node says of its state is held to what it applied.
    fn told(&self, node: u64, marks: &'c [Mark], fact: &Fact<'_>, found: &mut Findings) {
        let told: BTreeMap<_, _> = marks.iter().map(|mark| Seen::of(mark, fact.line)).collect();
        for (place, by_index) in &self.applied {
            let Some((_, applied)) = by_index.last_key_value() else {
                continue;
            };
            match told.get(place) {
                Some(now) if applied.may_become(now) => {}
                Some(now) => {
                    let words = fell(node, *place, *applied, *now);
                    found.add(Invariant::I2, fact, &[applied.line], words);
                }
                None => {
                    let words = format!(
                        "node {node} applied {} for {place} and its state has no mark there",
                        applied.slot
                    );
                    found.add(Invariant::I2, fact, &[applied.line], words);
                }
            }
        }
    }
}

fn fell(node: u64, place: Place<'_>, before: Seen<'_>, now: Seen<'_>) -> String {
    format!(
        "node {node}: the mark of {place} goes from {} ({}) to {} ({})",
        before.slot,
        name(before.digest),
        now.slot,
        name(now.digest)
    )
}

fn name(digest: &str) -> &str {
    if digest.is_empty() { "burnt" } else { digest }
}
