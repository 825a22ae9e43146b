//! Who decides when a disk in memory syncs, and sees what it holds.

use std::fmt::Debug;

use super::image::Write;
use crate::codec;
use crate::types::{Entry, LogId, Vote};

/// A simulation, as a [`MemoryDisk`](super::MemoryDisk) sees it. It is called while nothing is
/// locked, so it may do to the disk what it likes.
pub trait Driver: Debug + Send + Sync {
    /// Somebody waits for a sync from now on.
    fn wanted(&self);

    /// This has become durable, in this order: by a sync, at an open, or by surviving a power cut.
    fn durable(&self, synced: &[Synced]);

    /// The disk failed, and a real node would have ended at this point with the exit code for I/O.
    /// The disk takes nothing more of this start.
    fn stopped(&self, reason: &str);
}

/// What has become durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Synced {
    /// A vote.
    Vote(Vote),
    /// An entry of the log.
    Entry(Box<Entry>),
    /// The log ends here.
    Truncated(Option<LogId>),
    /// The log begins behind this.
    Purged(LogId),
    /// What a start can do without: applied state, and how far the log is committed.
    Other,
}

impl Synced {
    pub(super) fn of(write: &Write) -> Self {
        match write {
            Write::Vote(vote) => Self::Vote(*vote),
            // A frame that this very process encoded can be decoded.
            Write::Entry(_, frame) => {
                codec::decode_wire(frame).map_or(Self::Other, |entry| Self::Entry(Box::new(entry)))
            }
            Write::Truncate(last) => Self::Truncated(*last),
            Write::Purge(id) => Self::Purged(*id),
            Write::Committed(_)
            | Write::Row(..)
            | Write::Applied(_)
            | Write::Membership(_)
            | Write::ClearRows => Self::Other,
        }
    }
}
