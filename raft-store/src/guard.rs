//! The guard: a small file beside the database that says what the database must still contain.
//!
//! RocksDB cannot tell a write-ahead log that lost its tail cleanly from one that was never longer.
//! A database whose vote, log or writes do not reach the guard is refused. The guard is written off
//! the sign path, so a cut of what is younger than the last guard ([`INTERVAL`]) remains.

use std::{
    io,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, CodecError, as_wire},
    disk,
    hello::{covers, holds},
    types::{Fingerprint, LogId, Vote},
};

/// How often the guard is written while something moves.
pub const INTERVAL: Duration = Duration::from_millis(250);

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Whose guard it is, since a mirror lies where other nodes' mirrors may lie.
    pub incarnation: Fingerprint,
    /// The boot counter of the process that wrote it.
    pub boot: u64,
    /// The vote, durable in the database before it came here.
    #[serde(with = "as_wire")]
    pub vote: Option<Vote>,
    /// The last entry that was both committed and durable in the database. (Not the last durable
    /// one: an uncommitted tail may be truncated.)
    #[serde(with = "as_wire")]
    pub reached: Option<LogId>,
    /// Whether a mirror on a second volume existed when this was written.
    pub mirrored: bool,
    /// The number of the last write that was durable: of every vote, entry, truncation and purge,
    /// committed or not. A store that does not count its writes has none.
    pub synced: Option<u64>,
}

/// A [`Guard`] as it was written before there were numbers of writes.
#[derive(Deserialize)]
struct Unnumbered {
    incarnation: Fingerprint,
    boot: u64,
    #[serde(with = "as_wire")]
    vote: Option<Vote>,
    #[serde(with = "as_wire")]
    reached: Option<LogId>,
    mirrored: bool,
}

/// What a guard says against a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Behind {
    /// The vote fell.
    #[error("its vote is {now}, the guard saw {guard}")]
    Vote {
        /// The guard's.
        guard: String,
        /// The database's.
        now: String,
    },
    /// Writes are missing.
    #[error("its last write is number {now}, the guard saw number {guard} synced")]
    Writes {
        /// The guard's.
        guard: u64,
        /// The database's.
        now: u64,
    },
    /// The log ends too early.
    #[error("its log ends at {now}, the guard saw {guard} committed")]
    Log {
        /// The guard's.
        guard: String,
        /// Where the database ends.
        now: String,
    },
    /// The log has another entry there.
    #[error("its log has {now} where the guard saw {guard} committed")]
    Other {
        /// The guard's.
        guard: String,
        /// The entry the database has at that index.
        now: String,
    },
}

/// What a guard is held against.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// The database's vote.
    pub vote: Option<Vote>,
    /// The last entry of its log, or the last one that its state covers.
    pub last: Option<LogId>,
    /// The number of its last write.
    pub written: Option<u64>,
}

impl Guard {
    /// Reads a guard, also one that an older version wrote: it ends before the number.
    ///
    /// # Errors
    /// As [`codec::decode`].
    pub(crate) fn decode(frame: &[u8]) -> Result<Self, CodecError> {
        codec::decode(frame).or_else(|error| {
            let older: Unnumbered = codec::decode(frame).or(Err(error))?;
            Ok(Self {
                incarnation: older.incarnation,
                boot: older.boot,
                vote: older.vote,
                reached: older.reached,
                mirrored: older.mirrored,
                synced: None,
            })
        })
    }

    /// Compares the guard with a database. `entry_at` gives the id of the entry the log holds at an
    /// index, if it was not purged.
    ///
    /// # Errors
    /// What the database lost.
    pub fn check(
        &self,
        database: &Reach,
        entry_at: impl FnOnce(u64) -> Option<LogId>,
    ) -> Result<(), Behind> {
        if let Some(guard) = self.vote.filter(|&guard| !covers(database.vote, guard)) {
            let now = database
                .vote
                .map_or_else(|| "none".to_owned(), |vote| vote.to_string());
            return Err(Behind::Vote {
                guard: guard.to_string(),
                now,
            });
        }
        self.check_log(database.last, entry_at)?;
        match (self.synced, database.written.unwrap_or_default()) {
            (Some(guard), now) if now < guard => Err(Behind::Writes { guard, now }),
            (Some(_) | None, _) => Ok(()),
        }
    }

    fn check_log(
        &self,
        last: Option<LogId>,
        entry_at: impl FnOnce(u64) -> Option<LogId>,
    ) -> Result<(), Behind> {
        let or_none =
            |id: Option<LogId>| id.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
        let Some(reached) = self.reached else {
            return Ok(());
        };
        if !holds(last, reached) {
            return Err(Behind::Log {
                guard: reached.to_string(),
                now: or_none(last),
            });
        }
        match entry_at(reached.index) {
            Some(other) if other != reached => Err(Behind::Other {
                guard: reached.to_string(),
                now: other.to_string(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes over what a log says of itself, and tells whether anything moved. What was once reached
    /// stays so.
    pub(crate) fn follow(
        &mut self,
        vote: Option<Vote>,
        reached: Option<LogId>,
        synced: Option<u64>,
    ) -> bool {
        let (reached, synced) = (reached.max(self.reached), synced.max(self.synced));
        let moved = (vote, reached, synced) != (self.vote, self.reached, self.synced);
        (self.vote, self.reached, self.synced) = (vote, reached, synced);
        moved
    }

    /// Writes the guard, durably. A failed fsync ends the process.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        disk::replace(path, &[&codec::encode(self).map_err(io::Error::other)?])
    }
}

/// Whether a [`Keeper`] will call again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// After [`INTERVAL`].
    Again,
    /// No: what is guarded is put away in order.
    Last,
}

/// One thread that keeps small files near the state they describe, off the sign path.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Keeper {
    /// Calls `keep` every [`INTERVAL`], and once more when this is dropped, which it is told. An error
    /// of `keep` ends the process: a guard that is no longer written guards nothing.
    pub(crate) fn start(
        path: PathBuf,
        mut keep: impl FnMut(When) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let run = move || loop {
            let when = match stopped.recv_timeout(INTERVAL) {
                Err(RecvTimeoutError::Timeout) => When::Again,
                Ok(()) | Err(RecvTimeoutError::Disconnected) => When::Last,
            };
            if let Err(error) = keep(when) {
                disk::stop("writing the guard", &path, &error);
            }
            if when == When::Last {
                break;
            }
        };
        let thread = thread::Builder::new().name("guard".to_owned()).spawn(run)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
