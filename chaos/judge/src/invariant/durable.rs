//! I3: when a signature is released, what allowed it is durable on a majority of the disks (R5).
//!
//! For a key that releases after commit that is the entry that advances the mark to this message; for
//! one that releases after record, the entry that records the signature, which advances nothing. For
//! what was recorded before, it is an entry that advanced the mark to this message again, after a
//! record, in a term that the node led: that is how it knows.
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
mod replayed;

use disk::{Disk, Known, Needed};
use replayed::Replays;

#[derive(Default)]
pub(super) struct Durable<'c> {
    disks: BTreeMap<u64, Disk<'c>>,
    known: Known<'c>,
    replays: Replays,
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
                self.replays.durable(*entry, mark);
                if let Some(mark) = mark {
                    let entries = self.advances.entry(advanced(mark)).or_default();
                    entries.insert(*entry);
                }
                let log = &mut self.disks.entry(*node).or_default().log;
                log.insert(entry.index, (entry.term, mark));
            }
            Event::Leads { node, term } => self.replays.leads(*node, *term),
            Event::Undone { node, from } => {
                let log = &mut self.disks.entry(*node).or_default().log;
                log.split_off(from);
            }
            Event::SnapshotDurable { node, upto } => {
                let snapshot = &mut self.disks.entry(*node).or_default().snapshot;
                *snapshot = (*snapshot).max(Some(*upto));
            }
            Event::OtherDisk { node } => self.disks.entry(*node).or_default().take(),
            Event::Released { node, entry, .. } => {
                if let Some((_, message)) = case.message(fact) {
                    match entry {
                        Some(entry) => self.released(fact, *entry, message, case, found),
                        None => self.replayed(fact, *node, message, case, found),
                    }
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
        entry: Entry,
        message: &'c Message<'c>,
        case: &Case<'_>,
        found: &mut Findings,
    ) {
        let advance = advance_to(message);
        let needed = match (advance, case.release(message.key)) {
            (None, _) | (Some(_), Some(Release::AfterRecord)) => Needed::Other,
            (Some(advance), Some(Release::AfterCommit)) => Needed::Advance(advance),
            (Some(advance), None) => Needed::Either(advance),
        };
        let follows = advance.is_none_or(|advance| self.follows(entry, &advance));
        let most = follows.then(|| self.disks_with(entry, needed));
        let what = format!("entry {} of term {}", entry.index, entry.term);
        few(most, &what, fact, message, case, found);
    }

    /// Without an entry of its own: recorded before.
    fn replayed(
        &self,
        fact: &Fact<'_>,
        node: u64,
        message: &'c Message<'c>,
        case: &Case<'_>,
        found: &mut Findings,
    ) {
        let advance = advance_to(message);
        let records = case.release(message.key) != Some(Release::AfterCommit);
        let Some(advance) = advance.filter(|_| records) else {
            let words = format!(
                "a signature{} is released as recorded before, and none of its kind is recorded",
                of(message)
            );
            found.add(Invariant::I3, fact, &[], words);
            return;
        };
        let advances = self.advances.get(&advance);
        let told = advances
            .into_iter()
            .flat_map(|all| self.replays.told(node, all));
        let most = told
            .map(|entry| self.disks_with(entry, Needed::Advance(advance)))
            .max();
        let what = format!("an entry of a term of node {node} that found it recorded");
        few(most, &what, fact, message, case, found);
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

/// Says so if what allowed a release is on too few disks.
fn few(
    most: Option<usize>,
    what: &str,
    fact: &Fact<'_>,
    message: &Message<'_>,
    case: &Case<'_>,
    found: &mut Findings,
) {
    let most = most.unwrap_or(0);
    if most < case.majority() {
        let words = format!(
            "a signature{} is released while {what}, which must allow it, is durable on {most} of {} \
             disks",
            of(message),
            case.nodes.len()
        );
        found.add(Invariant::I3, fact, &[], words);
    }
}

/// Where the mark of a message is, in words.
fn of(message: &Message<'_>) -> String {
    let slotted = message.slotted();
    slotted.map_or_else(String::new, |(place, slot)| {
        format!(" of {place} at {slot}")
    })
}

fn advance_to<'m>(message: &'m Message<'m>) -> Option<Advanced<'m>> {
    let (place, slot) = message.slotted()?;
    Some((place, slot, &message.digest))
}

fn advanced(mark: &Mark) -> Advanced<'_> {
    let (place, slot) = Place::of(mark);
    (place, slot, &mark.digest)
}
