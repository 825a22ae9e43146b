//! What the invariants found.

use std::collections::BTreeMap;

use crate::case::Fact;
use crate::verdict::{Invariant, Violation};

/// Of one invariant, at most so many are listed: a history that is wrong throughout would drown the
/// first, which is the one to look at.
const LISTED_MAX: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Violation>,
    counts: BTreeMap<Invariant, usize>,
}

impl Findings {
    /// Adds one that shows in `fact`, together with the `earlier` lines.
    pub(crate) fn add(
        &mut self,
        invariant: Invariant,
        fact: &Fact<'_>,
        earlier: &[usize],
        words: String,
    ) {
        self.add_at(invariant, (fact.line, fact.at_us), earlier, words);
    }

    /// The same, for what shows in no line of its own: `at` is the last line that matters.
    pub(crate) fn add_at(
        &mut self,
        invariant: Invariant,
        at: (usize, u64),
        earlier: &[usize],
        words: String,
    ) {
        let count = self.counts.entry(invariant).or_default();
        *count = count.saturating_add(1);
        if *count > LISTED_MAX {
            return;
        }
        let mut lines = earlier.to_vec();
        lines.push(at.0);
        self.found.push(Violation {
            invariant,
            at_us: at.1,
            words,
            lines,
        });
    }

    /// All of them, in the order in which they show.
    pub(crate) fn in_order(mut self) -> Vec<Violation> {
        self.found.sort_by_key(|found| found.lines.last().copied());
        self.found
    }
}
