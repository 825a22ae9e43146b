//! What lies where in the database.

use openraft::entry::RaftEntry as _;

use crate::{
    codec::{self, CodecError},
    types::Entry,
};

/// The column families. `default` exists because RocksDB insists; nothing is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// [`VOTE`], [`PURGED`] and [`COMMITTED`].
    Meta,
    /// Entries: the index, big-endian, to the entry.
    Log,
    /// [`APPLIED`] and [`MEMBERSHIP`] beside the rows of the state machine (their key behind
    /// [`ROW`]), in one family so that no partly written set of tables can part them.
    State,
}

pub(super) const VOTE: &[u8] = b"vote";
pub(super) const PURGED: &[u8] = b"purged";
pub(super) const COMMITTED: &[u8] = b"committed";
pub(super) const APPLIED: &[u8] = b"applied";
pub(super) const MEMBERSHIP: &[u8] = b"membership";
pub(super) const ROW: &[u8] = b"row/";
/// The first key behind all that start with [`ROW`].
pub(super) const ROW_END: &[u8] = b"row0";

impl Family {
    pub(super) const ALL: [Self; 3] = [Self::Meta, Self::Log, Self::State];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Log => "log",
            Self::State => "state",
        }
    }
}

pub(super) fn row_key(key: &[u8]) -> Vec<u8> {
    [ROW, key].concat()
}

pub(super) const fn log_key(index: u64) -> [u8; 8] {
    index.to_be_bytes()
}

/// The entry in a row of the log, if key and entry agree.
pub(super) fn log_row(key: &[u8], value: &[u8]) -> Result<Entry, LogRowError> {
    let index = key
        .try_into()
        .map(u64::from_be_bytes)
        .or(Err(LogRowError::Key))?;
    let entry: Entry = codec::decode_wire(value)?;
    if entry.index() != index {
        return Err(LogRowError::Index {
            found: entry.index(),
        });
    }
    Ok(entry)
}

/// Why a row of the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogRowError {
    #[error("its key is not an index")]
    Key,
    #[error("it holds entry {found}")]
    Index { found: u64 },
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A row of the log in words.
pub(super) fn name(key: &[u8]) -> String {
    match <[u8; 8]>::try_from(key) {
        Ok(index) => format!("log entry {}", u64::from_be_bytes(index)),
        Err(_) => format!("log row {}", hex::encode(key)),
    }
}
