//! A file, a directory, or another thing with a number, whatever its names.

use std::{collections::BTreeMap, ffi::OsString, sync::Arc, time::SystemTime};

use crate::content::Content;

/// The number of an inode. Never given twice in the life of a mount.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Ino(pub(crate) u64);

impl Ino {
    /// The directory that is mounted.
    pub(crate) const ROOT: Self = Self(1);
}

/// What an inode is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink(Arc<[u8]>),
    Socket,
    Fifo,
}

/// Who may do what with an inode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Access {
    /// The permission bits, without the type.
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// An inode as it was made: what survives of it when only its name does.
#[derive(Clone, Debug)]
pub(crate) struct Birth {
    pub(crate) kind: Kind,
    pub(crate) access: Access,
    pub(crate) at: SystemTime,
}

/// The times of an inode. They are for the eye: no promise about a power cut is made of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) accessed: SystemTime,
    pub(crate) modified: SystemTime,
    pub(crate) changed: SystemTime,
}

/// An inode in one image.
#[derive(Clone, Debug)]
pub(crate) struct Inode {
    pub(crate) kind: Kind,
    pub(crate) access: Access,
    pub(crate) times: Times,
    /// Names that lead here.
    pub(crate) links: u32,
    pub(crate) content: Content,
    pub(crate) entries: BTreeMap<OsString, Ino>,
}

impl Inode {
    /// The inode as it was made: empty, and without a name.
    pub(crate) fn born(birth: &Birth) -> Self {
        Self {
            kind: birth.kind.clone(),
            access: birth.access,
            times: Times {
                accessed: birth.at,
                modified: birth.at,
                changed: birth.at,
            },
            links: 0,
            content: Content::default(),
            entries: BTreeMap::new(),
        }
    }

    /// The length that `stat` shows.
    pub(crate) fn size(&self) -> u64 {
        match &self.kind {
            Kind::Symlink(target) => crate::width::wide(target.len()),
            Kind::File | Kind::Directory | Kind::Socket | Kind::Fifo => self.content.size(),
        }
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}
