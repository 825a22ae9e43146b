//! The audit file: every decision of this node, and what it rests on, one line each (R46).
//!
//! A line is JSON, written with one `write(2)` by the thread that makes it true, at the instant it
//! becomes true: a signature's line is there before the signature has left. What is written
//! survives this process, and is not fsynced: after a power cut the newest lines may be missing,
//! and what was decided then stands in the replicated log.
//!
//! **Invariant:** the file decides nothing. A line that cannot be written is counted, told once, and
//! missing: it neither blocks nor allows a signature.

mod line;

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use raft_store::witness::{Seen, Witness};
use rustix::fs::{Access, access};
use rustix::time::{ClockId, clock_gettime};

use line::Line;

/// The audit file of a node, open.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    end: Mutex<End>,
    lost: Counter,
}

/// Where the next line goes.
#[derive(Debug)]
struct End {
    file: File,
    /// The last write was cut off: what comes next must not continue its line.
    torn: bool,
    /// Lines are being lost, and that was told.
    told: bool,
}

/// The audit file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "audit_file: cannot write {}: {source}; let the user of the node write it, name another file, \
     or remove the line", path.display()
)]
pub struct AuditError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl Audit {
    /// Opens the file for appending; makes it, readable for this user alone, if there is none.
    ///
    /// # Errors
    /// [`AuditError`], so that a node does not start without the trail it was told to leave.
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let file = append_to(path).map_err(|source| AuditError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            end: Mutex::new(End {
                file,
                torn: false,
                told: false,
            }),
            lost: Counter::default(),
        })
    }

    /// Whether [`Self::open`] would succeed. Makes nothing: whoever checks a configuration may be
    /// another user than the node.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn check(path: &Path) -> Result<(), AuditError> {
        let writable = if path.exists() {
            OpenOptions::new().append(true).open(path).map(drop)
        } else {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
        };
        writable.map_err(|source| AuditError {
            path: path.to_owned(),
            source,
        })
    }

    /// Opens the file by its name again, after the old one was moved away. If that fails the old one
    /// goes on.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn reopen(&self) -> Result<(), AuditError> {
        let file = append_to(&self.path).map_err(|source| AuditError {
            path: self.path.clone(),
            source,
        })?;
        let mut end = self.end();
        (end.file, end.torn) = (file, false);
        Ok(())
    }

    /// How many lines could not be written since the start.
    #[must_use]
    pub const fn lost(&self) -> &Counter {
        &self.lost
    }

    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Audit {
    fn saw(&self, node: u64, seen: Seen<'_>) {
        let Some(line) = Line::of(node, seen) else {
            return;
        };
        // One at a time, and the time is read in here: lines stand in the order of their times.
        let mut end = self.end();
        let written = line
            .text(monotonic_us())
            .map_err(io::Error::other)
            .and_then(|text| end.write(text));
        match written {
            Ok(()) => end.told = false,
            Err(error) => {
                self.lost.inc();
                if !std::mem::replace(&mut end.told, true) {
                    let path = self.path.display();
                    tracing::error!(%path, %error, "the audit file takes no lines; signing goes on");
                }
            }
        }
    }
}

impl End {
    fn write(&mut self, mut text: String) -> io::Result<()> {
        if self.torn {
            text.insert(0, '\n');
        }
        loop {
            match self.file.write(text.as_bytes()) {
                Ok(written) if written == text.len() => {
                    self.torn = false;
                    return Ok(());
                }
                Ok(written) => {
                    self.torn |= written > 0;
                    return Err(io::Error::other("a line was cut off"));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).open(path)
}

/// Microseconds on `CLOCK_MONOTONIC`: it never steps back, and all processes of a machine share it.
#[must_use]
pub fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000)
        .saturating_add(nanos / 1_000)
}
