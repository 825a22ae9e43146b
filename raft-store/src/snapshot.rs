//! The snapshot file: `FORMAT (1) | CRC32C (4) of the rest | length of the metadata (4) | metadata
//! frame | the state machine's bytes`, integers little-endian. It may exceed a codec frame.
//!
//! **Invariant:** the file only ever moves forward. A build that finishes late, after a newer
//! snapshot was installed, must not put the older one back.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    codec::{self, FORMAT},
    disk,
    types::{LogId, SnapshotMeta},
};

/// The one snapshot of a data folder.
#[derive(Debug, Clone)]
pub struct SnapshotFile {
    path: PathBuf,
    published: Arc<Mutex<Option<LogId>>>,
}

impl SnapshotFile {
    /// Opens the file at `path`, which need not exist, and verifies it. What was read is fsynced
    /// before this returns.
    ///
    /// # Errors
    /// `InvalidData` if a byte of it is wrong; what the file system says.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let published = read(&path)?.and_then(|(meta, _bytes)| meta.last_log_id);
        if path.exists() {
            disk::sync_file(&path)?;
        }
        Ok(Self {
            path,
            published: Arc::new(Mutex::new(published)),
        })
    }

    /// The last entry that the published snapshot covers.
    #[must_use]
    pub fn covers(&self) -> Option<LogId> {
        *self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes a snapshot: fsynced and in place when this returns. One that covers less than the
    /// published one is dropped.
    ///
    /// # Errors
    /// What the file system says. A failed fsync ends the process.
    pub fn publish(&self, meta: &SnapshotMeta, bytes: &[u8]) -> io::Result<()> {
        let mut published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if meta.last_log_id < *published {
            return Ok(());
        }
        let meta_frame = codec::encode_wire(meta).map_err(io::Error::other)?;
        let length = u32::try_from(meta_frame.len())
            .map_err(io::Error::other)?
            .to_le_bytes();
        let sum = codec::checksum_of([&[FORMAT][..], &length, &meta_frame, bytes]).to_le_bytes();
        disk::replace(&self.path, &[&[FORMAT], &sum, &length, &meta_frame, bytes])?;
        *published = meta.last_log_id;
        Ok(())
    }

    /// The published snapshot, verified again.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read(&self) -> io::Result<Option<(SnapshotMeta, Vec<u8>)>> {
        let _published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        read(&self.path).map_err(|error| disk::at(&self.path, error))
    }
}

fn read(path: &Path) -> io::Result<Option<(SnapshotMeta, Vec<u8>)>> {
    match fs::read(path) {
        Ok(bytes) => parse(&bytes).map(Some).map_err(|reason| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("damaged snapshot: {reason}"),
            )
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(file: &[u8]) -> Result<(SnapshotMeta, Vec<u8>), String> {
    let short = || format!("{} bytes are cut off", file.len());
    let (&[format], rest) = file.split_first_chunk().ok_or_else(short)?;
    if format != FORMAT {
        return Err(format!(
            "format {format} is unknown, this version reads format {FORMAT}"
        ));
    }
    let (sum, rest) = rest.split_first_chunk().ok_or_else(short)?;
    if codec::checksum_of([&[FORMAT], rest]).to_le_bytes() != *sum {
        return Err("checksum mismatch".to_owned());
    }
    let (length, rest) = rest.split_first_chunk().ok_or_else(short)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|error| error.to_string())?;
    let (meta, bytes) = rest.split_at_checked(length).ok_or_else(short)?;
    let meta = codec::decode_wire(meta).map_err(|error| error.to_string())?;
    Ok((meta, bytes.to_vec()))
}
