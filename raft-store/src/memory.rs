//! A store in memory with an explicit boundary between what was written and what was synced, for
//! simulation and tests: the same state machine, codec and ledger run over it as over RocksDB.
//!
//! Like a real disk it keeps frames of the codec, never values; it is opened, crashes and loses
//! power. What is in its `Image` is all that a start can see.
//!
//! **Invariant:** no configuration leads here. A node opens [`crate::folder::Folder`] and nothing
//! else (R7).

mod log;
mod state;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use openraft::storage::IOFlushed;
use tokio::sync::oneshot;

pub use self::{log::MemoryLog, state::MemoryState};
use crate::types::{LogId, Types, Vote};

/// A disk that forgets on demand. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    medium: Arc<Mutex<Medium>>,
}

/// What a disk holds: frames of the codec, but for what openraft asks for at every step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Image {
    vote: Option<Vote>,
    purged: Option<LogId>,
    committed: Option<LogId>,
    log: BTreeMap<u64, Vec<u8>>,
    last: Option<LogId>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    applied: Option<Vec<u8>>,
    membership: Option<Vec<u8>>,
    snapshot: Option<(Option<LogId>, Vec<u8>, Vec<u8>)>,
}

/// One write, as the one write-ahead log would hold it.
#[derive(Debug, Clone)]
enum Write {
    Vote(Vote),
    Committed(LogId),
    Entry(LogId, Vec<u8>),
    Truncate(Option<LogId>),
    Purge(LogId),
    Row(Vec<u8>, Option<Vec<u8>>),
    Applied(Option<Vec<u8>>),
    Membership(Vec<u8>),
    ClearRows,
}

/// Who waits for a sync.
enum Waiter {
    Append(IOFlushed<Types>),
    Call(oneshot::Sender<()>),
}

#[derive(Default)]
struct Medium {
    live: Image,
    durable: Image,
    /// Batches in `live` that are not in `durable`, in order. A batch is atomic.
    pending: Vec<Vec<Write>>,
    waiting: Vec<Waiter>,
    held: bool,
    /// Counts opens and crashes: a handle of another epoch is a process that is gone.
    epoch: u64,
}

impl std::fmt::Debug for Medium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Medium")
            .field("epoch", &self.epoch)
            .field("last", &self.live.last)
            .field("unsynced", &self.pending.len())
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl MemoryDisk {
    /// An empty disk that syncs at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts on what the disk holds now. All of it is synced first, as the real store does it; the
    /// handles of an earlier start fail from here on.
    #[must_use]
    pub fn open(&self) -> (MemoryLog, MemoryState) {
        let mut medium = self.lock();
        medium.epoch = medium.epoch.saturating_add(1);
        medium.flush();
        let epoch = medium.epoch;
        (
            MemoryLog::new(self.clone(), epoch),
            MemoryState::new(self.clone(), epoch),
        )
    }

    /// The process is killed: what it wrote stays in the cache, synced or not. Nobody who waits is
    /// answered.
    pub fn crash(&self) {
        self.lock().end();
    }

    /// The power goes: what was not synced is gone.
    pub fn power_cut(&self) {
        let mut medium = self.lock();
        medium.end();
        medium.pending.clear();
        medium.live = medium.durable.clone();
    }

    /// The power goes while the first `batches` unsynced batches had reached the disk by themselves.
    /// There is one write-ahead log, so what survives is a prefix.
    pub fn power_cut_after(&self, batches: usize) {
        let mut medium = self.lock();
        medium.end();
        let survivors: Vec<Write> = medium.pending.drain(..).take(batches).flatten().collect();
        for write in survivors {
            medium.durable.apply(write);
        }
        medium.live = medium.durable.clone();
    }

    /// Holds syncs back until [`Self::sync`] or the end of holding: a slow disk.
    pub fn hold_syncs(&self, held: bool) {
        let mut medium = self.lock();
        medium.held = held;
        if !held {
            medium.complete();
        }
    }

    /// Syncs now, and answers who waited, in order.
    pub fn sync(&self) {
        self.lock().complete();
    }

    /// How many batches are written and not synced.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.lock().pending.len()
    }

    fn lock(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The medium, for the process that opened it at `epoch`.
    fn of(&self, epoch: u64) -> io::Result<MutexGuard<'_, Medium>> {
        let medium = self.lock();
        if medium.epoch == epoch {
            Ok(medium)
        } else {
            Err(io::Error::other(
                "this process has crashed: its disk belongs to the next one",
            ))
        }
    }
}

impl Medium {
    /// Writes one atomic batch into the cache.
    fn write(&mut self, batch: Vec<Write>) {
        for write in &batch {
            self.live.apply(write.clone());
        }
        self.pending.push(batch);
    }

    /// Asks for a sync of everything written so far.
    fn wait(&mut self, waiter: Waiter) {
        self.waiting.push(waiter);
        if !self.held {
            self.complete();
        }
    }

    fn flush(&mut self) {
        let pending: Vec<Write> = self.pending.drain(..).flatten().collect();
        for write in pending {
            self.durable.apply(write);
        }
    }

    fn complete(&mut self) {
        self.flush();
        for waiter in self.waiting.drain(..) {
            match waiter {
                Waiter::Append(flushed) => flushed.io_completed(Ok(())),
                Waiter::Call(done) => done.send(()).unwrap_or_default(),
            }
        }
    }

    fn end(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        self.waiting.clear();
    }
}

impl Image {
    fn apply(&mut self, write: Write) {
        match write {
            Write::Vote(vote) => self.vote = Some(vote),
            Write::Committed(id) => self.committed = Some(id),
            Write::Entry(id, frame) => {
                self.log.insert(id.index, frame);
                self.last = self.last.max(Some(id));
            }
            Write::Truncate(last) => {
                let first_gone = last.map_or(0, |last| last.index.saturating_add(1));
                drop(self.log.split_off(&first_gone));
                self.last = self.last.min(last);
            }
            Write::Purge(id) => {
                self.log = self.log.split_off(&id.index.saturating_add(1));
                self.purged = Some(id);
                self.last = self.last.max(Some(id));
            }
            Write::Row(key, Some(value)) => {
                self.rows.insert(key, value);
            }
            Write::Row(key, None) => {
                self.rows.remove(&key);
            }
            Write::Applied(applied) => self.applied = applied,
            Write::Membership(membership) => self.membership = Some(membership),
            Write::ClearRows => self.rows.clear(),
        }
    }
}
