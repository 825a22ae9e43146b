//! What this node granted and has not finished: how an operator knows that a key is drained.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::types::EntryId;
use crate::witness::Witnessed;

/// The live tickets of one node, by the lowest log index that each may come from.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    tickets: Mutex<Tickets>,
    witness: Witnessed,
}

#[derive(Debug, Default)]
struct Tickets {
    next: u64,
    live: BTreeMap<u64, u64>,
}

/// One request in progress. It is counted until it is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    id: u64,
    entry: EntryId,
    counted_in: Arc<Outstanding>,
}

impl Outstanding {
    /// None yet, and whoever sees what comes of them.
    pub(super) fn witnessed(witness: Witnessed) -> Arc<Self> {
        Arc::new(Self {
            tickets: Mutex::default(),
            witness,
        })
    }

    pub(super) const fn witness(&self) -> &Witnessed {
        &self.witness
    }

    /// A ticket for an entry that will have an index of at least `index`.
    pub(super) fn take(this: &Arc<Self>, index: u64) -> Ticket {
        let mut tickets = this.lock();
        let id = tickets.next;
        tickets.next = id.wrapping_add(1);
        tickets.live.insert(id, index);
        drop(tickets);
        Ticket {
            id,
            entry: EntryId { term: 0, index },
            counted_in: Arc::clone(this),
        }
    }

    pub(super) fn lowest(&self) -> Option<u64> {
        self.lock().live.values().copied().min()
    }

    /// Nothing inside panics, and a count is whole after each step.
    fn lock(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The entry is committed: it is known from here on.
    pub(super) fn settled(mut self, entry: EntryId) -> Self {
        self.entry = entry;
        self.counted_in.lock().live.insert(self.id, entry.index);
        self
    }

    /// A later entry lets the signature go. What is outstanding is still the grant.
    pub(super) fn recorded(mut self, entry: EntryId) -> Self {
        self.entry = entry;
        self
    }

    pub(super) fn witness(&self) -> &Witnessed {
        self.counted_in.witness()
    }

    pub(super) const fn entry(&self) -> EntryId {
        self.entry
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.counted_in.lock().live.remove(&self.id);
    }
}
