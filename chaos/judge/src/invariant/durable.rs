//! I3: when a signature is released, what allowed it is durable on a majority of the disks (R5).
//!
//! For a key that releases after commit that is the entry that advances the mark to this message; for
//! one that releases after record, the entry that records the signature, which advances nothing. For
//! what was recorded before, it is any entry that advanced the mark to this message.
//!
//! A disk that a fault took whole counts with what it had: it may not speak again under its name,
//! which other promises hold it to.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact, Message, Place};
use crate::findings::Findings;
use crate::history::{Entry, Event, Mark, Release};
use crate::message::Slot;
use crate::verdict::Invariant;

mod disk;

use disk::{Disk, Known, Needed};

#[derive(Default)]
pub(super) struct Durable<'c> {
    disks: BTreeMap<u64, Disk<'c>>,
    known: Known<'c>,
    /// The entries that advance a mark to this message, wherever they were durable.
    advances: BTreeMap<Advanced<'c>, BTreeSet<Entry>>,
}

/// A place, a slot and the digest of the message there.
type Advanced<'c> = (Place<'c>, Slot, &'c str);

impl<'c> Check<'c> for Durable<'c> {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        match fact.event {
            Event::Durable { node, entry, mark } => {
                let mark = mark.as_ref();
                self.known.entry(*entry).or_insert(mark);
                if let Some(mark) = mark {
                    let entries = self.advances.entry(advanced(mark)).or_default();
                    entries.insert(*entry);
                }
                let log = &mut self.disks.entry(*node).or_default().log;
                log.insert(entry.index, (entry.term, mark));
            }
            Event::Undone { node, from } => {
                let log = &mut self.disks.entry(*node).or_default().log;
                log.split_off(from);
            }
            Event::SnapshotDurable { node, upto } => {
                let snapshot = &mut self.disks.entry(*node).or_default().snapshot;
                *snapshot = (*snapshot).max(Some(*upto));
            }
            Event::OtherDisk { node } => self.disks.entry(*node).or_default().take(),
            Event::Released { entry, .. } => {
                if let Some((_, message)) = case.message(fact) {
                    self.released(fact, *entry, message, case, found);
                }
            }
            _ => {}
        }
    }
}

impl<'c> Durable<'c> {
    fn released(
        &self,
        fact: &Fact<'_>,
        entry: Option<Entry>,
        message: &'c Message<'c>,
        case: &Case<'_>,
        found: &mut Findings,
    ) {
        let slotted = message.slotted();
        let advance = slotted.map(|(place, slot)| (place, slot, &*message.digest));
        let (most, what) = match (entry, advance) {
            (None, None) => return,
            (None, Some(advance)) => {
                let entries = self.advances.get(&advance).into_iter().flatten();
                let needed = Needed::Advance(advance);
                let most = entries.map(|entry| self.disks_with(*entry, needed)).max();
                (most.unwrap_or(0), "its mark".to_owned())
            }
            (Some(entry), advance) => {
                let needed = match advance {
                    None => Needed::Other,
                    Some(advance) => match case.release(message.key) {
                        Some(Release::AfterCommit) => Needed::Advance(advance),
                        Some(Release::AfterRecord) => Needed::Other,
                        None => Needed::Either(advance),
                    },
                };
                let what = format!("entry {} of term {}", entry.index, entry.term);
                let follows = advance.is_none_or(|advance| self.follows(entry, &advance));
                let most = follows.then(|| self.disks_with(entry, needed));
                (most.unwrap_or(0), what)
            }
        };
        if most < case.majority() {
            let of = slotted.map_or_else(String::new, |(place, slot)| {
                format!(" of {place} at {slot}")
            });
            let words = format!(
                "a signature{of} is released while {what}, which must allow it, is durable on {most} of {} \
                 disks",
                case.nodes.len()
            );
            found.add(Invariant::I3, fact, &[], words);
        }
    }

    /// Whether the entry advances the mark to this message, or comes after one that does: nothing can
    /// be recorded before.
    fn follows(&self, entry: Entry, advance: &Advanced<'c>) -> bool {
        let mut advances = self.advances.get(advance).into_iter().flatten();
        advances.any(|advance| advance.index <= entry.index)
    }

    /// On how many disks the entry is, as what is needed.
    fn disks_with(&self, entry: Entry, needed: Needed<'_>) -> usize {
        let disks = self.disks.values();
        disks
            .filter(|disk| disk.has(entry, needed, &self.known))
            .count()
    }
}

fn advanced(mark: &Mark) -> Advanced<'_> {
    let (place, slot) = Place::of(mark);
    (place, slot, &mark.digest)
}
