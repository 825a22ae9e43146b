//! A signature that was recorded before: the node that lets it go again asked the log again, and the
//! log had it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::history::{Entry, Mark};

/// By whom, and over which entries, something recorded may be let go.
#[derive(Default)]
pub(super) struct Replays {
    /// The terms that each node took itself for the leader of.
    terms: BTreeMap<u64, BTreeSet<u64>>,
    /// The indexes at which a disk had an entry that advances nothing: where a signature can have
    /// been recorded.
    records: BTreeSet<u64>,
}

impl Replays {
    pub(super) fn leads(&mut self, node: u64, term: u64) {
        self.terms.entry(node).or_default().insert(term);
    }

    pub(super) fn durable(&mut self, entry: Entry, mark: Option<&Mark>) {
        if mark.is_none() {
            self.records.insert(entry.index);
        }
    }

    /// Of the entries that advance a mark to one message, those whose committing told `node` that its
    /// signature had been recorded: of a term that it led by then, and with a record between the first
    /// that took the slot and this one.
    pub(super) fn told<'e>(
        &'e self,
        node: u64,
        advances: &'e BTreeSet<Entry>,
    ) -> impl Iterator<Item = Entry> + 'e {
        let first = advances.iter().map(|entry| entry.index).min();
        advances.iter().copied().filter(move |entry| {
            let led = self.terms.get(&node);
            led.is_some_and(|terms| terms.contains(&entry.term))
                && first.is_some_and(|first| self.is_record_between(first, entry.index))
        })
    }

    fn is_record_between(&self, first: u64, last: u64) -> bool {
        let inside = (Bound::Excluded(first), Bound::Excluded(last));
        first < last && self.records.range(inside).next().is_some()
    }
}
