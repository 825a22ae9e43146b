//! What a disk holds, and what an entry must do to allow a release.

use std::collections::BTreeMap;

use super::{Advanced, advanced};
use crate::history::{Entry, Mark};

/// What every entry does that was durable on any disk, ever.
pub(super) type Known<'c> = BTreeMap<Entry, Option<&'c Mark>>;

#[derive(Default)]
pub(super) struct Disk<'c> {
    pub(super) log: BTreeMap<u64, (u64, Option<&'c Mark>)>,
    /// What it had when a fault took it.
    taken: Known<'c>,
    /// The last entry of a snapshot that it holds or held: whatever that entry had committed is there.
    pub(super) snapshot: Option<Entry>,
}

/// What an entry must do to allow a release.
#[derive(Clone, Copy)]
pub(super) enum Needed<'c> {
    /// It advances the mark to this message.
    Advance(Advanced<'c>),
    /// It advances nothing: it records a signature, or permits a message without a slot.
    Other,
    /// Either: the key was moved from one mode to the other.
    Either(Advanced<'c>),
}

impl Needed<'_> {
    fn is_done_by(self, mark: Option<&Mark>) -> bool {
        match self {
            Self::Advance(needed) => mark.map(advanced) == Some(needed),
            Self::Other => mark.is_none(),
            Self::Either(needed) => mark.is_none_or(|mark| advanced(mark) == needed),
        }
    }
}

impl Disk<'_> {
    /// Whether the entry is here, as what is needed. A snapshot says how far it reaches and not what
    /// it is made of: what an entry in it does is known from the disks that had the entry itself. One
    /// that no disk ever had was never committed, and allows nothing.
    pub(super) fn has(&self, entry: Entry, needed: Needed<'_>, known: &Known<'_>) -> bool {
        let is_covered = self
            .snapshot
            .is_some_and(|upto| entry.index <= upto.index && entry.term <= upto.term);
        if is_covered {
            return known
                .get(&entry)
                .is_some_and(|mark| needed.is_done_by(*mark));
        }
        let here = self.log.get(&entry.index);
        let here = here.filter(|(term, _)| *term == entry.term);
        match (here, self.taken.get(&entry)) {
            (Some((_, mark)), _) | (None, Some(mark)) => needed.is_done_by(*mark),
            (None, None) => false,
        }
    }

    pub(super) fn take(&mut self) {
        for (index, (term, mark)) in std::mem::take(&mut self.log) {
            self.taken.insert(Entry { term, index }, mark);
        }
    }
}
