//! The Raft log in memory.

use std::{fmt::Debug, io, ops::RangeBounds};

use openraft::{
    LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
};
use tokio::sync::oneshot;

use super::{MemoryDisk, Waiter, Write};
use crate::{
    codec,
    hello::holds,
    types::{Entry, LogId, Types, Vote},
};

/// The log of one start of a node over a [`MemoryDisk`].
#[derive(Debug, Clone)]
pub struct MemoryLog {
    disk: MemoryDisk,
    epoch: u64,
}

impl MemoryLog {
    pub(super) fn new(disk: MemoryDisk, epoch: u64) -> Self {
        Self { disk, epoch }
    }

    /// The last synced entry.
    ///
    /// # Errors
    /// If this process has crashed.
    pub fn durable_last(&self) -> io::Result<Option<LogId>> {
        Ok(self.disk.of(self.epoch)?.durable.last)
    }

    /// Writes and waits for the sync.
    async fn synced(&self, batch: Vec<Write>) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        {
            let mut medium = self.disk.of(self.epoch)?;
            medium.write(batch);
            medium.wait(Waiter::Call(done));
        }
        wait.await
            .map_err(|_gone| io::Error::other("the process crashed before the sync"))
    }
}

impl RaftLogReader<Types> for MemoryLog {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> io::Result<Vec<Entry>> {
        let medium = self.disk.of(self.epoch)?;
        let wanted = medium
            .live
            .log
            .iter()
            .filter(|(index, _frame)| range.contains(index));
        wanted
            .map(|(_index, frame)| codec::decode_wire(frame).map_err(io::Error::other))
            .collect()
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.disk.of(self.epoch)?.live.vote)
    }
}

impl RaftLogStorage<Types> for MemoryLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let medium = self.disk.of(self.epoch)?;
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
        self.synced(vec![Write::Vote(*vote)]).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let mut medium = self.disk.of(self.epoch)?;
        medium.write(committed.map(Write::Committed).into_iter().collect());
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.disk.of(self.epoch)?.live.committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut batch = Vec::new();
        for entry in entries {
            let frame = codec::encode_wire(&entry).map_err(io::Error::other)?;
            batch.push(Write::Entry(entry.log_id, frame));
        }
        let mut medium = self.disk.of(self.epoch)?;
        medium.write(batch);
        medium.wait(Waiter::Append(callback));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let committed = self.disk.of(self.epoch)?.live.committed;
        if let Some(committed) = committed.filter(|&committed| !holds(last, committed)) {
            let text = format!("refusing to truncate to {last:?}: {committed} is committed");
            return Err(io::Error::other(text));
        }
        self.synced(vec![Write::Truncate(last)]).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.synced(vec![Write::Purge(upto)]).await
    }
}
