//! What a disk in memory holds, and how a write changes it.

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;

use crate::codec;
use crate::rocks::check::Found;
use crate::types::{Entry, LogId, Vote};

/// Everything on a disk at one moment: a copy of all its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskImage(pub(super) Image);

impl DiskImage {
    /// This image's database beside the small files of another: only a part of the folder went back.
    #[must_use]
    pub fn with_files_of(self, other: &Self) -> Self {
        let Self(database) = self;
        Self(Image {
            files: other.0.files.clone(),
            ..database
        })
    }
}

/// What a disk holds: frames of the codec, but for what openraft asks for at every step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) vote: Option<Vote>,
    pub(super) purged: Option<LogId>,
    pub(super) committed: Option<LogId>,
    pub(super) log: BTreeMap<u64, (LogId, Arc<[u8]>)>,
    pub(super) last: Option<LogId>,
    pub(super) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) applied: Option<Vec<u8>>,
    pub(super) membership: Option<Vec<u8>>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) files: BTreeMap<&'static str, Vec<u8>>,
}

/// The published snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The last entry that it covers.
    pub(super) last: Option<LogId>,
    /// The frame of its metadata.
    pub(super) meta: Vec<u8>,
    pub(super) bytes: Arc<[u8]>,
}

/// One write, as the one write-ahead log would hold it.
#[derive(Debug, Clone)]
pub(super) enum Write {
    Vote(Vote),
    Committed(LogId),
    Entry(LogId, Arc<[u8]>),
    Truncate(Option<LogId>),
    Purge(LogId),
    Row(Vec<u8>, Option<Vec<u8>>),
    Applied(Option<Vec<u8>>),
    Membership(Vec<u8>),
    ClearRows,
}

impl Image {
    pub(super) fn apply(&mut self, write: &Write) {
        match write {
            Write::Vote(vote) => self.vote = Some(*vote),
            Write::Committed(id) => self.committed = Some(*id),
            Write::Entry(id, frame) => {
                self.log.insert(id.index, (*id, Arc::clone(frame)));
                self.last = self.last.max(Some(*id));
            }
            Write::Truncate(last) => {
                let first_gone = last.map_or(0, |last| last.index.saturating_add(1));
                drop(self.log.split_off(&first_gone));
                self.last = self.last.min(*last);
            }
            Write::Purge(id) => {
                self.log = self.log.split_off(&id.index.saturating_add(1));
                self.purged = Some(*id);
                self.last = self.last.max(Some(*id));
            }
            Write::Row(key, Some(value)) => {
                self.rows.insert(key.clone(), value.clone());
            }
            Write::Row(key, None) => {
                self.rows.remove(key);
            }
            Write::Applied(applied) => self.applied.clone_from(applied),
            Write::Membership(membership) => self.membership = Some(membership.clone()),
            Write::ClearRows => self.rows.clear(),
        }
    }

    /// The entries in a range of indexes.
    pub(super) fn entries(&self, range: impl RangeBounds<u64>) -> io::Result<Vec<Entry>> {
        // Not `range()`, which panics at an empty one; logs here are short.
        let wanted = self.log.iter().filter(|(index, _)| range.contains(index));
        wanted
            .map(|(_index, (_id, frame))| codec::decode_wire(frame).map_err(io::Error::other))
            .collect()
    }

    /// What a start finds, in the form in which the database's own start is judged.
    pub(super) fn found(&self) -> Found {
        let applied = self.applied.as_deref();
        let next = self
            .purged
            .map_or(0, |purged| purged.index.saturating_add(1));
        Found {
            vote: self.vote,
            purged: self.purged,
            last: self.last,
            committed: self.committed,
            applied: applied.and_then(|frame| codec::decode_wire(frame).ok()),
            written: None,
            first_row: self.log.keys().next().copied().unwrap_or(next),
        }
    }
}
