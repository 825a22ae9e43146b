//! The state machine's rows in memory.

use std::io;

use super::image::Snapshot;
use super::{MemoryDisk, Write, tell};
use crate::{
    codec::{self, Wire},
    machine::{Changes, Loaded, Row, StateDisk},
    mutant::{self, Mutant},
    types::{LogId, SnapshotMeta},
};

/// The state of one start of a node over a [`MemoryDisk`].
#[derive(Debug, Clone)]
pub struct MemoryState {
    disk: MemoryDisk,
    epoch: u64,
}

impl MemoryState {
    pub(super) fn new(disk: MemoryDisk, epoch: u64) -> Self {
        Self { disk, epoch }
    }

    /// The last entry that the published snapshot covers.
    pub(super) fn covers(&self) -> Option<LogId> {
        let medium = self.disk.lock();
        let snapshot = medium.live.snapshot.as_ref();
        snapshot.and_then(|snapshot| snapshot.last)
    }
}

impl StateDisk for MemoryState {
    fn load(&self) -> io::Result<Loaded> {
        let medium = self.disk.medium(self.epoch)?;
        Ok(Loaded {
            rows: medium.live.rows.clone().into_iter().collect(),
            applied: decode(medium.live.applied.as_deref())?,
            membership: decode(medium.live.membership.as_deref())?.unwrap_or_default(),
        })
    }

    fn write(&self, changes: Changes) -> io::Result<()> {
        let mut batch: Vec<Write> = changes
            .rows
            .into_iter()
            .map(|Row { key, value }| Write::Row(key, value))
            .collect();
        batch.push(Write::Applied(Some(encode(&changes.applied)?)));
        if let Some(membership) = &changes.membership {
            batch.push(Write::Membership(encode(membership)?));
        }
        self.disk.write(self.epoch, batch, None)
    }

    fn replace(&self, loaded: Loaded) -> io::Result<()> {
        let mut batch = vec![Write::ClearRows];
        batch.extend(
            loaded
                .rows
                .into_iter()
                .map(|(key, value)| Write::Row(key, Some(value))),
        );
        batch.push(Write::Applied(
            loaded.applied.as_ref().map(encode).transpose()?,
        ));
        batch.push(Write::Membership(encode(&loaded.membership)?));
        self.disk.write(self.epoch, batch, None)?;
        let mut medium = self.disk.medium(self.epoch)?;
        let synced = medium.settle(usize::MAX);
        let driver = medium.driver.clone();
        drop(medium);
        tell(driver.as_ref(), &synced);
        Ok(())
    }

    /// Durable at once, as the file it stands for.
    fn publish_snapshot(&self, meta: &SnapshotMeta, bytes: &[u8]) -> io::Result<()> {
        let frame = encode(meta)?;
        let mut medium = self.disk.medium(self.epoch)?;
        let published = medium.durable.snapshot.as_ref();
        if meta.last_log_id >= published.and_then(|published| published.last) {
            let snapshot = Some(Snapshot {
                last: meta.last_log_id,
                meta: frame,
                bytes: bytes.into(),
            });
            if !mutant::active(Mutant::PurgeBeforeSnapshotDurable) {
                medium.durable.snapshot.clone_from(&snapshot);
            }
            medium.live.snapshot = snapshot;
        }
        Ok(())
    }

    fn snapshot(&self) -> io::Result<Option<(SnapshotMeta, Vec<u8>)>> {
        let medium = self.disk.medium(self.epoch)?;
        let Some(Snapshot { meta, bytes, .. }) = &medium.live.snapshot else {
            return Ok(None);
        };
        let meta = codec::decode_wire(meta).map_err(io::Error::other)?;
        Ok(Some((meta, bytes.to_vec())))
    }
}

fn encode<T: Wire>(value: &T) -> io::Result<Vec<u8>> {
    codec::encode_wire(value).map_err(io::Error::other)
}

fn decode<T: Wire>(frame: Option<&[u8]>) -> io::Result<Option<T>> {
    frame
        .map(codec::decode_wire)
        .transpose()
        .map_err(io::Error::other)
}
