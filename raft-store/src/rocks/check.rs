//! What is verified before a database is used: every row, and that the rows fit each other.

use rocksdb::IteratorMode;

use super::{
    Database, StoreError,
    rows::{self, APPLIED, COMMITTED, Family, MEMBERSHIP, PURGED, VOTE},
};
use crate::{
    codec::{self, Wire},
    types::{LogId, StoredMembership, Vote},
};

/// What a verified database holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) vote: Option<Vote>,
    pub(crate) purged: Option<LogId>,
    /// The last entry, or the last purged one.
    pub(crate) last: Option<LogId>,
    pub(crate) committed: Option<LogId>,
    pub(crate) applied: Option<LogId>,
    /// The number of the last write, where writes are counted.
    pub(crate) written: Option<u64>,
    /// The first index that may still have a row.
    pub(crate) first_row: u64,
}

/// Reads and verifies everything. `snapshot` is the last entry of the published snapshot: a state
/// that was just installed from it is ahead of the log, and of nothing else.
pub(super) fn verify(database: &Database, snapshot: Option<LogId>) -> Result<Found, StoreError> {
    let mut found = Found {
        vote: row(database, Family::Meta, VOTE)?,
        purged: row(database, Family::Meta, PURGED)?,
        committed: row(database, Family::Meta, COMMITTED)?,
        applied: row(database, Family::State, APPLIED)?,
        written: Some(database.written()),
        ..Found::default()
    };
    row::<StoredMembership>(database, Family::State, MEMBERSHIP)?;
    walk_log(database, &mut found)?;
    walk_state(database)?;
    found
        .fit(snapshot)
        .map_err(|reason| StoreError::damaged(&database.path, reason))?;
    Ok(found)
}

/// Decodes one row of `meta` or `state`.
pub(super) fn row<T: Wire>(
    database: &Database,
    family: Family,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    let Some(frame) = database.value(family, key)? else {
        return Ok(None);
    };
    codec::decode_wire(&frame).map(Some).map_err(|error| {
        let name = String::from_utf8_lossy(key);
        StoreError::damaged(
            &database.path,
            format!("row {name} of {}: {error}", family.name()),
        )
    })
}

/// The id of the entry in the row of an index, if there is one.
pub(super) fn id_at(database: &Database, index: u64) -> Result<Option<LogId>, StoreError> {
    let key = rows::log_key(index);
    let Some(frame) = database.value(Family::Log, &key)? else {
        return Ok(None);
    };
    let entry = rows::log_row(&key, &frame).map_err(|error| {
        StoreError::damaged(&database.path, format!("{}: {error}", rows::name(&key)))
    })?;
    Ok(Some(entry.log_id))
}

/// Every entry is there from the purged one on, in order, under its own index, and no term falls.
fn walk_log(database: &Database, found: &mut Found) -> Result<(), StoreError> {
    let damaged = |reason| StoreError::damaged(&database.path, reason);
    let family = database.family(Family::Log)?;
    let mut last = found.purged;
    let mut first_row = None;
    for item in database.db.iterator_cf(family, IteratorMode::Start) {
        let (key, value) = item.map_err(|error| StoreError::opening(&database.path, &error))?;
        let name = rows::name(&key);
        let entry =
            rows::log_row(&key, &value).map_err(|error| damaged(format!("{name}: {error}")))?;
        let id = entry.log_id;
        first_row.get_or_insert(id.index);
        if found.purged.is_some_and(|purged| id.index <= purged.index) {
            continue; // purged, and its row not deleted yet: deletions come in batches
        }
        let expected = last.map_or(Some(0), |last| last.index.checked_add(1));
        if Some(id.index) != expected {
            return Err(damaged(format!(
                "{name} follows on {last:?}: entries are missing"
            )));
        }
        if last.is_some_and(|last| id < last) {
            return Err(damaged(format!(
                "{name} has id {id}, lower than the one before"
            )));
        }
        last = Some(id);
    }
    let next = last.map_or(0, |last| last.index.saturating_add(1));
    found.first_row = first_row.unwrap_or(next);
    found.last = last;
    Ok(())
}

/// Every row of the state machine has its checksum; what it means is for the machine to decode.
fn walk_state(database: &Database) -> Result<(), StoreError> {
    let family = database.family(Family::State)?;
    for item in database.db.iterator_cf(family, IteratorMode::Start) {
        let (key, value) = item.map_err(|error| StoreError::opening(&database.path, &error))?;
        codec::verify(&value).map_err(|error| {
            let name = hex::encode(&key);
            StoreError::damaged(&database.path, format!("state row {name}: {error}"))
        })?;
    }
    Ok(())
}

impl Found {
    /// Whether the parts belong to one history.
    pub(crate) fn fit(&self, snapshot: Option<LogId>) -> Result<(), String> {
        let (last, applied) = (self.last, self.applied);
        if applied > last && (applied > snapshot) {
            return Err(format!(
                "applied {applied:?} is ahead of the log, which ends at {last:?}"
            ));
        }
        if self.purged > applied.max(snapshot) {
            let purged = self.purged;
            return Err(format!(
                "the log is purged up to {purged:?}, applied is only {applied:?}"
            ));
        }
        if self.committed > last.max(applied) {
            let committed = self.committed;
            return Err(format!(
                "committed {committed:?} is ahead of the log, which ends at {last:?}"
            ));
        }
        let term = last.map(|last| last.leader_id.term);
        let vote = self.vote.map(|vote| vote.leader_id.term);
        if term > vote {
            return Err(format!(
                "the log has entries of term {term:?}, the vote is of {vote:?}"
            ));
        }
        Ok(())
    }
}
