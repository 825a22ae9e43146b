//! Names: what directories hold.

use std::ffi::OsStr;

use fuser::Errno;

use super::{Disk, INODES_MAX, Listed, NAME_BYTES_MAX, now};
use crate::{
    inode::{Access, Birth, Ino, Inode, Kind},
    op::{Op, Place},
    width::wide,
};

/// What a name that is removed must lead to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wanted {
    File,
    Directory,
}

impl Disk {
    pub(crate) fn lookup(&mut self, directory: Ino, name: &OsStr) -> Result<Ino, Errno> {
        self.lit()?;
        self.entry(directory, name)?.ok_or(Errno::ENOENT)
    }

    /// Makes an inode and its first name.
    pub(crate) fn create(
        &mut self,
        directory: Ino,
        name: &OsStr,
        kind: Kind,
        access: Access,
    ) -> Result<Ino, Errno> {
        self.vacant(directory, name)?;
        if wide(self.live.inodes()) >= INODES_MAX {
            self.stats.enospcs += 1;
            return Err(Errno::ENOSPC);
        }
        let ino = Ino(self.ino_next);
        let birth = Birth {
            kind,
            access,
            at: now(),
        };
        self.births.insert(ino, birth);
        self.rename_at(directory, |place| Op::Add { place, ino }, name)
            .inspect_err(|_| {
                self.births.remove(&ino);
            })?;
        self.ino_next += 1;
        Ok(ino)
    }

    pub(crate) fn link(&mut self, ino: Ino, directory: Ino, name: &OsStr) -> Result<(), Errno> {
        self.vacant(directory, name)?;
        let inode = self.inode(ino)?;
        if inode.is_directory() {
            return Err(Errno::EPERM);
        }
        if inode.links == 0 {
            return Err(Errno::ENOENT);
        }
        self.rename_at(directory, |place| Op::Add { place, ino }, name)?;
        self.touch(ino);
        Ok(())
    }

    pub(crate) fn remove(
        &mut self,
        directory: Ino,
        name: &OsStr,
        wanted: Wanted,
    ) -> Result<(), Errno> {
        let ino = self.lookup(directory, name)?;
        let inode = self.inode(ino)?;
        match (wanted, inode.is_directory()) {
            (Wanted::File, true) => return Err(Errno::EISDIR),
            (Wanted::Directory, false) => return Err(Errno::ENOTDIR),
            (Wanted::Directory, true) if !inode.entries.is_empty() => {
                return Err(Errno::ENOTEMPTY);
            }
            (Wanted::File, false) | (Wanted::Directory, true) => {}
        }
        self.rename_at(directory, |place| Op::Remove { place, ino }, name)?;
        self.touch(ino);
        self.release_inode(ino);
        Ok(())
    }

    /// Moves a name, over another one unless that is forbidden.
    pub(crate) fn rename(
        &mut self,
        from: (Ino, &OsStr),
        to: (Ino, &OsStr),
        may_replace: bool,
    ) -> Result<(), Errno> {
        let ino = self.lookup(from.0, from.1)?;
        let replaced = self.entry(to.0, to.1)?;
        if let Some(other) = replaced {
            if !may_replace {
                return Err(Errno::EEXIST);
            }
            // POSIX: two names of one file stay two names.
            if other == ino {
                return Ok(());
            }
            let moves_directory = self.inode(ino)?.is_directory();
            let other = self.inode(other)?;
            match (moves_directory, other.is_directory()) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                (true, true) if !other.entries.is_empty() => return Err(Errno::ENOTEMPTY),
                (true, true) | (false, false) => {}
            }
        }
        let from = place(from.0, from.1);
        let source = from.directory;
        let moved = |to| Op::Move {
            from,
            to,
            ino,
            replaced,
        };
        self.rename_at(to.0, moved, to.1)?;
        self.touch_names(source);
        self.touch(ino);
        if let Some(other) = replaced {
            self.release_inode(other);
        }
        Ok(())
    }

    /// Opens a directory for reading: its names as they are now.
    pub(crate) fn open_directory(&mut self, ino: Ino) -> Result<u64, Errno> {
        let inode = self.inode(ino)?;
        if !inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        let names = inode.entries.clone();
        let here = |name: &str| Listed {
            name: name.into(),
            ino,
            kind: Kind::Directory,
        };
        let mut listing = vec![here("."), here("..")];
        for (name, ino) in names {
            let kind = self.inode(ino)?.kind.clone();
            listing.push(Listed { name, ino, kind });
        }
        Ok(self.open_handle(ino, listing))
    }

    /// The names of an open directory from a position on.
    pub(crate) fn list(&mut self, handle: u64, from: usize) -> Result<&[Listed], Errno> {
        self.opened(handle)?;
        let open = self.handles.get(&handle).ok_or(Errno::EIO)?;
        Ok(open.listing.get(from..).unwrap_or_default())
    }

    fn entry(&self, directory: Ino, name: &OsStr) -> Result<Option<Ino>, Errno> {
        if name.len() > NAME_BYTES_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let inode = self.live.get(directory).ok_or(Errno::ENOENT)?;
        if !inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Ok(inode.entries.get(name).copied())
    }

    fn vacant(&mut self, directory: Ino, name: &OsStr) -> Result<(), Errno> {
        self.lit()?;
        match self.entry(directory, name)? {
            Some(_) => Err(Errno::EEXIST),
            None => Ok(()),
        }
    }

    /// Changes a name in a directory that still has one itself.
    fn rename_at(
        &mut self,
        directory: Ino,
        op: impl FnOnce(Place) -> Op,
        name: &OsStr,
    ) -> Result<(), Errno> {
        if self.inode(directory)?.links == 0 {
            return Err(Errno::ENOENT);
        }
        self.change(op(place(directory, name)))?;
        self.touch_names(directory);
        Ok(())
    }

    fn touch_names(&mut self, directory: Ino) {
        self.stamp(directory, |inode| {
            inode.times.modified = now();
            inode.times.changed = inode.times.modified;
        });
    }

    fn touch(&mut self, ino: Ino) {
        self.stamp(ino, |inode| inode.times.changed = now());
    }

    pub(super) fn stamp(&mut self, ino: Ino, stamp: impl FnOnce(&mut Inode)) {
        if let Some(inode) = self.live.get_mut(ino) {
            stamp(inode);
        }
    }
}

fn place(directory: Ino, name: &OsStr) -> Place {
    Place {
        directory,
        name: name.to_owned(),
    }
}
