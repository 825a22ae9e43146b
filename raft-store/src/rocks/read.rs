//! Reading the Raft log: for replication, for applying, and after a restart.

use std::{
    fmt::Debug,
    io,
    ops::{Bound, RangeBounds},
};

use openraft::{OptionalSend, RaftLogReader};
use rocksdb::{Direction, IteratorMode};

use super::{
    RocksLog, StoreError, check,
    rows::{self, Family, VOTE},
};
use crate::{
    codec::MAX_FRAME,
    types::{Entry, Types, Vote},
};

/// What one read for replication carries at most, so that a message stays below [`MAX_FRAME`].
const READ_LIMIT: usize = MAX_FRAME / 4;

impl RocksLog {
    /// Entries from `start` to `end` inclusive (or to the last), until `limit` bytes are exceeded.
    /// Reads begin behind the purged entry, whose rows and tombstones are never walked.
    pub(super) fn read(
        &self,
        start: u64,
        end: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let database = &self.shared.database;
        let damaged = |reason| StoreError::damaged(&database.path, reason);
        let first = self
            .bounds()
            .purged
            .map_or(0, |purged| purged.index.saturating_add(1));
        let start = rows::log_key(start.max(first));
        let family = database.family(Family::Log)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut bytes: usize = 0;
        for item in database
            .db
            .iterator_cf(family, IteratorMode::From(&start, Direction::Forward))
        {
            let (key, value) = item.map_err(|error| StoreError::opening(&database.path, &error))?;
            let name = rows::name(&key);
            if end.is_some_and(|end| *key > rows::log_key(end)[..]) || bytes > limit {
                break;
            }
            let entry =
                rows::log_row(&key, &value).map_err(|error| damaged(format!("{name}: {error}")))?;
            let before = entries
                .last()
                .map(|entry| entry.log_id.index.saturating_add(1));
            if before.is_some_and(|next| next != entry.log_id.index) {
                return Err(damaged(format!(
                    "{name} is not entry {before:?}: entries are missing"
                )));
            }
            bytes = bytes.saturating_add(value.len());
            entries.push(entry);
        }
        Ok(entries)
    }
}

impl RaftLogReader<Types> for RocksLog {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> io::Result<Vec<Entry>> {
        match inclusive(&range) {
            Some((start, end)) => Ok(self.read(start, end, usize::MAX)?),
            None => Ok(Vec::new()),
        }
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        match inclusive(&(start..end)) {
            Some((start, end)) => Ok(self.read(start, end, READ_LIMIT)?),
            None => Ok(Vec::new()),
        }
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(check::row(&self.shared.database, Family::Meta, VOTE)?)
    }
}

/// A range as first and last index, `None` if it is empty; the last is `None` if it is open.
fn inclusive(range: &impl RangeBounds<u64>) -> Option<(u64, Option<u64>)> {
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.checked_add(1)?,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&end) => Some(end),
        Bound::Excluded(&end) => Some(end.checked_sub(1)?),
        Bound::Unbounded => None,
    };
    end.is_none_or(|end| start <= end).then_some((start, end))
}
