//! I12: one entry, one content. A (term, index) that is durable on two disks advances the same mark
//! on both (the log matching of Raft, lost where a leader resumes its term), and what nodes applied
//! at one index is the same entry with the same marks (R37).

use std::collections::BTreeMap;

use super::Check;
use crate::case::{Case, Fact, Place};
use crate::findings::Findings;
use crate::history::{Entry, Event, Mark};
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct Agreement<'c> {
    durable: BTreeMap<Entry, (&'c Mark, usize)>,
    applied: BTreeMap<u64, (u64, usize)>,
    marks: BTreeMap<(u64, Place<'c>), (&'c Mark, usize)>,
}

impl<'c> Check<'c> for Agreement<'c> {
    fn see(&mut self, fact: &Fact<'c>, _case: &'c Case<'c>, found: &mut Findings) {
        match fact.event {
            Event::Durable {
                node,
                entry,
                mark: Some(mark),
            } => {
                let (first, line) = self.durable.entry(*entry).or_insert((mark, fact.line));
                if *first != mark {
                    let words = format!(
                        "entry {} of term {} is one thing on the disk of node {node} and another on \
                         another disk",
                        entry.index, entry.term
                    );
                    found.add(Invariant::I12, fact, &[*line], words);
                }
            }
            Event::Applied { node, entry, mark } => self.applied(*node, *entry, mark, fact, found),
            _ => {}
        }
    }
}

impl<'c> Agreement<'c> {
    fn applied(
        &mut self,
        node: u64,
        entry: Entry,
        mark: &'c Mark,
        fact: &Fact<'_>,
        found: &mut Findings,
    ) {
        let index = entry.index;
        let (term, line) = self.applied.entry(index).or_insert((entry.term, fact.line));
        if *term != entry.term {
            let words = format!(
                "node {node} applies entry {index} of term {}, and another node applied that of \
                 term {term}",
                entry.term
            );
            found.add(Invariant::I12, fact, &[*line], words);
            return;
        }
        let (place, _) = Place::of(mark);
        let first = self.marks.entry((index, place));
        let (first, line) = first.or_insert((mark, fact.line));
        if *first != mark {
            let words = format!("entry {index} leaves one mark of {place} here and another there");
            found.add(Invariant::I12, fact, &[*line], words);
        }
    }
}
