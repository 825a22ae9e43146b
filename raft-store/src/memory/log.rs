//! The Raft log in memory.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader};
use tokio::sync::oneshot;

use super::{MemoryDisk, Write};
use crate::codec;
use crate::ground::LogDisk;
use crate::hello::holds;
use crate::rocks::sync::{Effect, Job, Progress, Waiter};
use crate::types::{Entry, LogId, Types, Vote};
use crate::witness::{Logged, Witnessed};

/// The log of one start of a node over a [`MemoryDisk`]. Clones are the same log.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    disk: MemoryDisk,
    epoch: u64,
    progress: Arc<Progress>,
    /// The committed id that was last put beside an append.
    committed_row: Arc<Mutex<Option<LogId>>>,
}

impl MemoryLog {
    pub(super) fn new(
        disk: MemoryDisk,
        epoch: u64,
        progress: Arc<Progress>,
        committed: Option<LogId>,
    ) -> Self {
        Self {
            disk,
            epoch,
            progress,
            committed_row: Arc::new(Mutex::new(committed)),
        }
    }

    /// Puts the log under the eyes of a witness, before it is used. It is told where the log ends,
    /// and what is in it beyond `seen`, which was synced by opening it.
    pub(super) fn set_witness(&self, witness: &Witnessed, seen: Option<LogId>) -> io::Result<()> {
        if !witness.is_seen() {
            return Ok(());
        }
        let first = seen.map_or(0, |seen| seen.index.saturating_add(1));
        let (last, entries) = {
            let medium = self.disk.medium(self.epoch)?;
            (medium.live.last, medium.live.entries(first..)?)
        };
        let entries: Vec<Logged> = entries.iter().map(Logged::of).collect();
        witness.opened_log(last, &entries);
        self.progress.set_witness(witness.clone());
        Ok(())
    }

    /// The id of the entry at an index, unless it was purged or never there.
    pub(super) fn id_at(&self, index: u64) -> Option<LogId> {
        let medium = self.disk.lock();
        medium.live.log.get(&index).map(|(id, _frame)| *id)
    }

    /// Writes and waits for the sync.
    async fn synced(&self, batch: Vec<Write>, effect: Effect) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        let waiter = Waiter::Call(done);
        self.disk
            .write(self.epoch, batch, Some(Job { effect, waiter }))?;
        // Nobody is answered if the process ended first, and then the disk says why.
        let gone = || io::Error::other("the process crashed before the sync");
        match wait.await {
            Ok(()) => Ok(()),
            Err(_gone) => Err(self.disk.medium(self.epoch).err().unwrap_or_else(gone)),
        }
    }
}

impl LogDisk for MemoryLog {
    fn durable(&self) -> Option<LogId> {
        *self.progress.durable().borrow()
    }

    fn reached(&self) -> Option<LogId> {
        self.progress.reached()
    }

    fn vote(&self) -> Option<Vote> {
        self.progress.vote()
    }

    fn last_fsync(&self) -> Duration {
        self.progress.last_fsync()
    }
}

impl RaftLogReader<Types> for MemoryLog {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> io::Result<Vec<Entry>> {
        self.disk.medium(self.epoch)?.live.entries(range)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.disk.medium(self.epoch)?.live.vote)
    }
}

impl RaftLogStorage<Types> for MemoryLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let medium = self.disk.medium(self.epoch)?;
        let (last_purged_log_id, last_log_id) = (medium.live.purged, medium.live.last);
        Ok(LogState {
            last_purged_log_id,
            last_log_id,
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        if let Some(witness) = self.progress.witness() {
            witness.writes_vote(vote);
        }
        self.synced(vec![Write::Vote(*vote)], Effect::Vote(*vote))
            .await
    }

    /// Kept in memory, and written beside the next append, as on a real disk.
    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.disk.medium(self.epoch).map(drop)?;
        self.progress.set_committed(committed);
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        self.disk.medium(self.epoch).map(drop)?;
        Ok(self.progress.committed())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut batch = Vec::new();
        let mut last = self.disk.medium(self.epoch)?.live.last;
        let (is_seen, mut seen) = (self.progress.witness().is_some(), Vec::new());
        for entry in entries {
            if is_seen {
                seen.push(Logged::of(&entry));
            }
            let frame = codec::encode_wire(&entry).map_err(io::Error::other)?;
            batch.push(Write::Entry(entry.log_id, frame.into()));
            last = last.max(Some(entry.log_id));
        }
        let committed = self.progress.committed();
        {
            let mut row = self
                .committed_row
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(id) = committed.filter(|_| committed != *row) {
                batch.push(Write::Committed(id));
                *row = committed;
            }
        }
        let job = Job {
            effect: Effect::Appended(seen, last),
            waiter: Waiter::Append(callback),
        };
        self.disk.write(self.epoch, batch, Some(job))
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let end = {
            let medium = self.disk.medium(self.epoch)?;
            medium.live.last.min(last)
        };
        // What is committed was acknowledged: to drop it would be to forget a mark.
        if let Some(committed) = self.progress.committed()
            && !holds(last, committed)
        {
            let text = format!("refusing to truncate to {last:?}: {committed} is committed");
            return Err(io::Error::other(text));
        }
        self.synced(vec![Write::Truncate(last)], Effect::Truncated(end))
            .await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.synced(vec![Write::Purge(upto)], Effect::Purged(upto))
            .await
    }
}
