//! Entries to write into a log, and a log opened and closed as a process would.
#![allow(dead_code, reason = "each test program uses its part of this")]

use std::path::{Path, PathBuf};

use openraft::{RaftLogReader as _, entry::RaftEntry as _, storage::RaftLogStorageExt as _};
use raft_store::{
    command::{Act, Command, Proposal},
    rocks::{self, RocksLog, RocksState, StoreError},
    types::{Entry, EntryPayload, LogId, Vote},
};

pub(crate) fn id(term: u64, index: u64) -> LogId {
    LogId {
        leader_id: term.into(),
        index,
    }
}

pub(crate) fn vote(term: u64, node: u64) -> Vote {
    Vote::new_committed(term, node)
}

/// An entry that is recognised by its index.
pub(crate) fn entry(term: u64, index: u64) -> Entry {
    let act = Act::Command(Command::Format { format: 1 });
    Entry::new(
        id(term, index),
        EntryPayload::Normal(Proposal { at_s: index, act }),
    )
}

/// A folder with an empty database in it.
pub(crate) struct Place {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        rocks::create(&root.join("db")).unwrap();
        Self {
            _folder: folder,
            root,
        }
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.root.join("db")
    }

    pub(crate) fn snapshot(&self) -> PathBuf {
        self.root.join("snapshot")
    }

    pub(crate) fn open(&self) -> Result<(RocksLog, RocksState), StoreError> {
        open(&self.root)
    }
}

pub(crate) fn open(root: &Path) -> Result<(RocksLog, RocksState), StoreError> {
    rocks::open(&root.join("db"), &root.join("snapshot"))
}

/// Appends entries `from..to` of a term, one durable append each.
pub(crate) async fn append(log: &mut RocksLog, term: u64, from: u64, to: u64) {
    for index in from..to {
        log.blocking_append([entry(term, index)]).await.unwrap();
    }
}

/// The indexes in the log, after verifying that each entry is the one that was written.
pub(crate) async fn indexes(log: &mut RocksLog) -> Vec<u64> {
    let entries = log.try_get_log_entries(0..).await.unwrap();
    for found in &entries {
        let term = found.log_id.leader_id.term;
        assert_eq!(found.payload, entry(term, found.log_id.index).payload);
    }
    entries.iter().map(|entry| entry.log_id.index).collect()
}
