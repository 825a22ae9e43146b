//! The Raft log in RocksDB: openraft's log storage, as it is written.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use openraft::{
    LogState, OptionalSend,
    storage::{IOFlushed, RaftLogStorage},
};
use rocksdb::WriteBatch;
use tokio::sync::watch;

use super::{
    Database, StoreError,
    check::{self, Found},
    rows::{self, COMMITTED, Family, PURGED, VOTE},
    sync::{Effect, Progress, Syncer, Waiter},
    torn::Torn,
};
use crate::{
    codec,
    guard::Reach,
    hello::holds,
    types::{Entry, LogId, Types, Vote},
    witness::{Logged, Witnessed},
};

/// Rows of purged entries are deleted in ranges of at least this many: many small overlapping
/// tombstones make every seek slow.
const PURGE_BATCH: u64 = 1024;

/// The Raft log of this node. Clones share it.
#[derive(Debug, Clone)]
pub struct RocksLog {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    // The syncer is dropped, and its thread joined, before the last handle to the database.
    syncer: Syncer,
    pub(super) database: Arc<Database>,
    progress: Arc<Progress>,
    bounds: Mutex<Bounds>,
    opened: Reach,
    torn: Option<Torn>,
}

/// Where the log begins and ends, as written (not as synced).
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) purged: Option<LogId>,
    last: Option<LogId>,
    /// The first index that may still have a row.
    first_row: u64,
    /// The committed id that was last put beside an append.
    committed_row: Option<LogId>,
}

impl RocksLog {
    pub(super) fn start(
        database: Arc<Database>,
        progress: Arc<Progress>,
        found: Found,
        torn: Option<Torn>,
    ) -> io::Result<Self> {
        let syncer = Syncer::start(Arc::clone(&database), Arc::clone(&progress))?;
        let opened = super::reach(&found);
        let Found {
            purged,
            last,
            first_row,
            committed: committed_row,
            ..
        } = found;
        let bounds = Mutex::new(Bounds {
            purged,
            last,
            first_row,
            committed_row,
        });
        Ok(Self {
            shared: Arc::new(Shared {
                syncer,
                database,
                progress,
                bounds,
                opened,
                torn,
            }),
        })
    }

    /// The last durable entry, followed as it moves. It may fall: an uncommitted tail may be
    /// truncated.
    #[must_use]
    pub fn durable_last(&self) -> watch::Receiver<Option<LogId>> {
        self.shared.progress.durable()
    }

    /// The last entry that is committed and durable here: what `hello` and the guard claim, since
    /// it can never be lost again.
    #[must_use]
    pub fn reached(&self) -> Option<LogId> {
        self.shared.progress.reached()
    }

    /// The durable vote.
    #[must_use]
    pub fn vote(&self) -> Option<Vote> {
        self.shared.progress.vote()
    }

    /// The number of the last write that is known to be durable.
    #[must_use]
    pub fn synced(&self) -> Option<u64> {
        self.shared.progress.synced()
    }

    /// Makes durable what nobody waits for: the applied state.
    pub(crate) fn sync(&self) {
        let written = self.shared.database.synced();
        self.shared.progress.synced_up_to(Some(written));
    }

    /// What was cut off the write-ahead log when it was opened.
    #[must_use]
    pub fn torn(&self) -> Option<&Torn> {
        self.shared.torn.as_ref()
    }

    /// How long the last sync took.
    #[must_use]
    pub fn last_fsync(&self) -> Duration {
        self.shared.progress.last_fsync()
    }

    /// Puts the log under the eyes of a witness, before it is used. It is told where the log ends,
    /// and what is in it beyond `seen`: a process that was killed may not have lived to see that
    /// synced, and it is by now.
    pub(crate) fn set_witness(
        &self,
        witness: &Witnessed,
        seen: Option<LogId>,
    ) -> Result<(), StoreError> {
        if !witness.is_seen() {
            return Ok(());
        }
        let first = seen.map_or(0, |seen| seen.index.saturating_add(1));
        let entries = self.read(first, None, usize::MAX)?;
        let entries: Vec<Logged> = entries.iter().map(Logged::of).collect();
        witness.opened_log(self.bounds().last, &entries);
        self.shared.progress.set_witness(witness.clone());
        Ok(())
    }

    /// What the database held when it was opened, for the guard.
    pub(crate) fn opened(&self) -> &Reach {
        &self.shared.opened
    }

    /// The id of the entry at an index, unless it was purged or never there.
    pub(crate) fn id_at(&self, index: u64) -> Result<Option<LogId>, StoreError> {
        let purged = self.bounds().purged;
        if purged.is_some_and(|purged| index <= purged.index) {
            return Ok(None);
        }
        check::id_at(&self.shared.database, index)
    }

    pub(super) fn bounds(&self) -> std::sync::MutexGuard<'_, Bounds> {
        self.shared
            .bounds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftLogStorage<Types> for RocksLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let bounds = self.bounds();
        Ok(LogState {
            last_purged_log_id: bounds.purged,
            last_log_id: bounds.last,
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        if let Some(witness) = self.shared.progress.witness() {
            witness.writes_vote(vote);
        }
        let mut batch = WriteBatch::default();
        let frame = codec::encode_wire(vote).map_err(io::Error::other)?;
        batch.put_cf(self.shared.database.family(Family::Meta)?, VOTE, frame);
        self.shared.database.write(batch);
        self.shared.syncer.synced(Effect::Vote(*vote)).await
    }

    /// Kept in memory, and written beside the next append: after a restart it only shortens the
    /// time until the node knows again what is committed.
    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.shared.progress.set_committed(committed);
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.shared.progress.committed())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let database = &self.shared.database;
        let mut batch = WriteBatch::default();
        let mut last = None;
        let (is_seen, mut seen) = (self.shared.progress.witness().is_some(), Vec::new());
        for entry in entries {
            if is_seen {
                seen.push(Logged::of(&entry));
            }
            let frame = codec::encode_wire(&entry).map_err(io::Error::other)?;
            let key = rows::log_key(entry.log_id.index);
            batch.put_cf(database.family(Family::Log)?, key, frame);
            last = Some(entry.log_id);
        }
        let committed = self.shared.progress.committed();
        let end = {
            let mut bounds = self.bounds();
            if let Some(id) = committed.filter(|_| committed != bounds.committed_row) {
                let frame = codec::encode_wire(&id).map_err(io::Error::other)?;
                batch.put_cf(database.family(Family::Meta)?, COMMITTED, frame);
                bounds.committed_row = committed;
            }
            database.write(batch);
            bounds.last = bounds.last.max(last);
            bounds.last
        };
        self.shared
            .syncer
            .sync(Effect::Appended(seen, end), Waiter::Append(callback))
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let database = &self.shared.database;
        // What is committed was acknowledged: to drop it would be to forget a mark.
        if let Some(committed) = self.shared.progress.committed()
            && !holds(last, committed)
        {
            let text = format!("refusing to truncate to {last:?}: {committed} is committed");
            return Err(io::Error::other(text));
        }
        let end = {
            let mut bounds = self.bounds();
            let from = last.map_or(0, |last| last.index.saturating_add(1));
            let end = bounds.last.map_or(0, |last| last.index.saturating_add(1));
            if from < end {
                let mut batch = WriteBatch::default();
                let family = database.family(Family::Log)?;
                batch.delete_range_cf(family, rows::log_key(from), rows::log_key(end));
                database.write(batch);
            }
            bounds.last = bounds.last.min(last);
            bounds.last
        };
        self.shared.syncer.synced(Effect::Truncated(end)).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        let database = &self.shared.database;
        let mut batch = WriteBatch::default();
        let frame = codec::encode_wire(&upto).map_err(io::Error::other)?;
        batch.put_cf(database.family(Family::Meta)?, PURGED, frame);
        {
            let mut bounds = self.bounds();
            let end = upto.index.saturating_add(1);
            let whole = bounds.last <= Some(upto);
            if whole || end.saturating_sub(bounds.first_row) >= PURGE_BATCH {
                let family = database.family(Family::Log)?;
                let (from, to) = (rows::log_key(bounds.first_row), rows::log_key(end));
                batch.delete_range_cf(family, from, to);
                bounds.first_row = end;
            }
            database.write(batch);
            bounds.purged = Some(upto);
            bounds.last = bounds.last.max(Some(upto));
        }
        self.shared.syncer.synced(Effect::Purged(upto)).await
    }
}
