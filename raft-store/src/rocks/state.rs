//! The state machine's rows in RocksDB, and its snapshot file.

use std::{io, sync::Arc};

use rocksdb::{Direction, IteratorMode, WriteBatch};

use super::{
    Database, StoreError, check,
    rows::{self, APPLIED, Family, MEMBERSHIP, ROW, ROW_END},
};
use crate::{
    codec,
    machine::{Changes, Loaded, Row, StateDisk},
    snapshot::SnapshotFile,
    types::SnapshotMeta,
};

/// Keys and values, in the order of the keys.
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// The state of this node on disk. Clones share it.
#[derive(Debug, Clone)]
pub struct RocksState {
    database: Arc<Database>,
    snapshot: SnapshotFile,
}

impl RocksState {
    pub(super) fn new(database: Arc<Database>, snapshot: SnapshotFile) -> Self {
        Self { database, snapshot }
    }

    fn rows(&self) -> Result<Rows, StoreError> {
        let family = self.database.family(Family::State)?;
        let mode = IteratorMode::From(ROW, Direction::Forward);
        let mut rows = Vec::new();
        for item in self.database.db.iterator_cf(family, mode) {
            let (key, value) =
                item.map_err(|error| StoreError::opening(&self.database.path, &error))?;
            let Some(key) = key.strip_prefix(ROW) else {
                break;
            };
            rows.push((key.to_vec(), value.into_vec()));
        }
        Ok(rows)
    }
}

impl StateDisk for RocksState {
    fn load(&self) -> io::Result<Loaded> {
        Ok(Loaded {
            rows: self.rows()?,
            applied: check::row(&self.database, Family::State, APPLIED)?,
            membership: check::row(&self.database, Family::State, MEMBERSHIP)?.unwrap_or_default(),
        })
    }

    /// State, applied id and membership are one batch. It is not synced: the log is, and what a
    /// power cut takes is applied again.
    fn write(&self, changes: Changes) -> io::Result<()> {
        let family = self.database.family(Family::State)?;
        let mut batch = WriteBatch::default();
        for Row { key, value } in changes.rows {
            match value {
                Some(value) => batch.put_cf(family, rows::row_key(&key), value),
                None => batch.delete_cf(family, rows::row_key(&key)),
            }
        }
        let applied = codec::encode_wire(&changes.applied).map_err(io::Error::other)?;
        batch.put_cf(family, APPLIED, applied);
        if let Some(membership) = changes.membership {
            let frame = codec::encode_wire(&membership).map_err(io::Error::other)?;
            batch.put_cf(family, MEMBERSHIP, frame);
        }
        self.database.write(batch);
        Ok(())
    }

    fn replace(&self, loaded: Loaded) -> io::Result<()> {
        let family = self.database.family(Family::State)?;
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(family, ROW, ROW_END);
        for (key, value) in loaded.rows {
            batch.put_cf(family, rows::row_key(&key), value);
        }
        match loaded.applied {
            Some(applied) => {
                let frame = codec::encode_wire(&applied).map_err(io::Error::other)?;
                batch.put_cf(family, APPLIED, frame);
            }
            None => batch.delete_cf(family, APPLIED),
        }
        let frame = codec::encode_wire(&loaded.membership).map_err(io::Error::other)?;
        batch.put_cf(family, MEMBERSHIP, frame);
        self.database.write(batch);
        self.database.sync();
        Ok(())
    }

    fn publish_snapshot(&self, meta: &SnapshotMeta, bytes: &[u8]) -> io::Result<()> {
        self.snapshot.publish(meta, bytes)
    }

    fn snapshot(&self) -> io::Result<Option<(SnapshotMeta, Vec<u8>)>> {
        self.snapshot.read()
    }
}
