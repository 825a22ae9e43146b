//! A write-ahead log that a power cut left unreadable behind some byte.
//!
//! What was not synced may survive in any part: one sector is lost and a later one kept. RocksDB
//! cannot tell that from a synced record that rotted, and refuses to open. The guard can: it holds
//! the number of a write that was synced. If every write up to that one is readable, what is behind
//! was written at most [`INTERVAL`](crate::guard::INTERVAL) before the end and is dropped; if not,
//! the folder is refused.
//!
//! **Invariant:** the verdict is made on a copy. A refused folder is left as it was found.
//!
//! **Invariant:** only the newest log is cut. Tables hold nothing of it, so that what is left is a
//! prefix of what was written, over all column families.
//!
//! **Invariant:** the last write is read from the logs. RocksDB's own number is in the manifest too,
//! and there it may be ahead of what the logs still hold.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{StoreError, check, wal};
use crate::{disk, guard::Guard};

/// A write-ahead log that was cut when the database was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub path: PathBuf,
    /// How many bytes of it were readable, and kept.
    pub readable: u64,
    /// How many bytes behind them were dropped.
    pub dropped: u64,
    /// The number of the last write that was kept.
    pub written: u64,
}

/// Bytes of the empty record that [`open`](super::open) begins a log with.
const BEGIN: usize = 19;

/// What the write-ahead logs of a folder hold.
#[derive(Debug, Default)]
pub(super) struct Logs {
    /// The newest one, if its end cannot be read.
    pub(super) torn: Option<Torn>,
    /// The number of the last write in the newest one, if one is in it.
    pub(super) written: Option<u64>,
}

/// Cuts the newest write-ahead log to what is readable of it, if that is all that the guard saw.
/// Without such a number in the guard (an older version wrote it), nothing is cut.
///
/// # Errors
/// [`StoreError::Damaged`] naming the log, if what the guard saw is not readable.
pub(super) fn mend(folder: &Path, snapshot: &Path, guard: &Guard) -> Result<Logs, StoreError> {
    let copy = copy_of(folder);
    remove(&copy)?;
    let Some(synced) = guard.synced else {
        return Ok(Logs::default());
    };
    let logs = read(folder)?;
    let Some(torn) = &logs.torn else {
        return Ok(logs);
    };
    let verdict = torn.judge(folder, &copy, snapshot, guard);
    remove(&copy)?;
    verdict?;
    disk::cut(&torn.path, torn.readable)?;
    tracing::warn!(
        path = %torn.path.display(),
        readable = torn.readable,
        dropped = torn.dropped,
        synced,
        "the end of the write-ahead log could not be read and was dropped: a power cut leaves \
         that; every write that the guard saw synced is there"
    );
    Ok(logs)
}

fn read(folder: &Path) -> Result<Logs, StoreError> {
    let mut logs = wal::read_all(folder)?;
    for pair in logs.windows(2) {
        let [older, newer] = pair else { continue };
        let torn = older.readable.end < older.length;
        let next = older.readable.last.and_then(|last| last.checked_add(1));
        // RocksDB reads over the gap if it looks like a torn tail.
        if torn && newer.readable.first.is_some() && newer.readable.first != next {
            let (end, length) = (older.readable.end, older.length);
            let reason =
                format!("unreadable from byte {end} of {length} on, and a later log goes on");
            return Err(StoreError::damaged(&older.path, reason));
        }
    }
    let Some(newest) = logs.pop() else {
        return Ok(Logs::default());
    };
    let written = newest.readable.last;
    // If it is torn from its first record on, the log before it tells.
    let whole = logs.iter().all(|log| log.readable.end == log.length);
    let before = logs.last().and_then(|log| log.readable.last);
    let dropped = newest.length.saturating_sub(newest.readable.end);
    let torn = match written.or(before) {
        Some(written) if dropped > 0 && whole => Some(Torn {
            path: newest.path,
            readable: u64::try_from(newest.readable.end).map_err(io::Error::other)?,
            dropped: u64::try_from(dropped).map_err(io::Error::other)?,
            written,
        }),
        // Every log of a start begins with a record that was synced before the guard spoke of it. In
        // shorter ones that start ended before it said anything.
        None if dropped > BEGIN => {
            let reason = "unreadable from its first record on, and there is no log before it";
            return Err(StoreError::damaged(&newest.path, reason));
        }
        Some(_) | None => None,
    };
    Ok(Logs { torn, written })
}

impl Torn {
    /// Opens a copy of the database in which the log is cut, and holds it against the guard.
    fn judge(
        &self,
        folder: &Path,
        copy: &Path,
        snapshot: &Path,
        guard: &Guard,
    ) -> Result<(), StoreError> {
        fs::create_dir(copy).map_err(|error| disk::at(copy, error))?;
        for entry in fs::read_dir(folder).map_err(|error| disk::at(folder, error))? {
            let from = entry?.path();
            let to = copy.join(from.file_name().unwrap_or_default());
            fs::copy(&from, &to).map_err(|error| disk::at(&from, error))?;
            if from == self.path {
                disk::cut(&to, self.readable)?;
            }
        }
        let (database, _snapshot, mut found) =
            super::load(copy, snapshot).map_err(|error| error.told_of(copy, folder))?;
        found.written = Some(self.written);
        let at = match guard.reached {
            Some(reached) => check::id_at(&database, reached.index)?,
            None => None,
        };
        guard
            .check(&super::reach(&found), |_index| at)
            .map_err(|behind| {
                let length = self.readable.saturating_add(self.dropped);
                let reason = format!(
                    "unreadable from byte {} of {length} on; without what is behind, {behind}",
                    self.readable
                );
                StoreError::damaged(&self.path, reason)
            })
    }
}

/// Beside the database. A cut of the power during a verdict leaves it; nobody reads it.
fn copy_of(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push(".judged");
    folder.with_file_name(name)
}

fn remove(copy: &Path) -> io::Result<()> {
    match fs::remove_dir_all(copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk::at(copy, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
