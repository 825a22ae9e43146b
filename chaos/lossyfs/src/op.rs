//! One change of the file system, as small as a power cut can take it or leave it.

use std::ffi::OsString;

use crate::{
    inode::{Access, Ino},
    width::wide,
};

/// A change. It names inodes by number, so that it means the same when changes before it are lost.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Write {
        ino: Ino,
        offset: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        ino: Ino,
        size: u64,
    },
    Reserve {
        ino: Ino,
        offset: u64,
        length: u64,
    },
    Punch {
        ino: Ino,
        offset: u64,
        length: u64,
    },
    Access {
        ino: Ino,
        access: Access,
    },
    Add {
        place: Place,
        ino: Ino,
    },
    Remove {
        place: Place,
        ino: Ino,
    },
    Move {
        from: Place,
        to: Place,
        ino: Ino,
        replaced: Option<Ino>,
    },
}

/// A name in a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) directory: Ino,
    pub(crate) name: OsString,
}

/// What makes a change durable.
pub(crate) enum Owner {
    /// fsync or fdatasync of this file.
    Content(Ino),
    /// fsync, not fdatasync, of this inode; or, in a journal, any fsync.
    Attributes(Ino),
    /// fsync of this directory; or, in a journal, any fsync.
    Entry(Ino),
    /// The same for a name that moves: it goes whole, with whichever directory goes first.
    Entries(Ino, Ino),
}

impl Op {
    pub(crate) fn owner(&self) -> Owner {
        match self {
            Self::Write { ino, .. }
            | Self::Truncate { ino, .. }
            | Self::Reserve { ino, .. }
            | Self::Punch { ino, .. } => Owner::Content(*ino),
            Self::Access { ino, .. } => Owner::Attributes(*ino),
            Self::Add { place, .. } | Self::Remove { place, .. } => Owner::Entry(place.directory),
            Self::Move { from, to, .. } if from.directory == to.directory => {
                Owner::Entry(to.directory)
            }
            Self::Move { from, to, .. } => Owner::Entries(from.directory, to.directory),
        }
    }

    /// The inodes whose names this changes.
    pub(crate) fn named(&self) -> impl Iterator<Item = Ino> {
        let (first, second) = match self {
            Self::Add { ino, .. } | Self::Remove { ino, .. } => (Some(*ino), None),
            Self::Move { ino, replaced, .. } => (Some(*ino), *replaced),
            Self::Write { .. }
            | Self::Truncate { .. }
            | Self::Reserve { .. }
            | Self::Punch { .. }
            | Self::Access { .. } => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// The bytes of data that are lost with it.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Write { bytes, .. } => wide(bytes.len()),
            Self::Truncate { .. }
            | Self::Reserve { .. }
            | Self::Punch { .. }
            | Self::Access { .. }
            | Self::Add { .. }
            | Self::Remove { .. }
            | Self::Move { .. } => 0,
        }
    }
}
