//! Data: what files hold, and who may read it.

use fuser::Errno;

use super::{Disk, now};
use crate::{
    content::{FILE_BYTES_MAX, PAGE},
    inode::{Access, Ino, Kind, Times},
    op::Op,
    width::{index, wide},
};

/// What `fallocate` was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Allocation {
    /// Space, and a file at least as long.
    Extend,
    /// Space only (`FALLOC_FL_KEEP_SIZE`).
    KeepSize,
    /// No space: zeroes (`FALLOC_FL_PUNCH_HOLE`, with `FALLOC_FL_KEEP_SIZE`).
    Punch,
}

impl Disk {
    pub(crate) fn open(&mut self, ino: Ino) -> Result<u64, Errno> {
        match self.inode(ino)?.kind {
            Kind::Directory => Err(Errno::EISDIR),
            Kind::File | Kind::Symlink(_) | Kind::Socket | Kind::Fifo => {
                Ok(self.open_handle(ino, Vec::new()))
            }
        }
    }

    /// Closes a file or directory; its inode goes if that was the last use of it.
    pub(crate) fn close(&mut self, handle: u64) {
        if let Some(open) = self.handles.remove(&handle) {
            self.release_inode(open.ino);
        }
    }

    /// Refuses if the power is gone, or was since the file was opened.
    pub(crate) fn check(&mut self, handle: u64) -> Result<(), Errno> {
        self.opened(handle).map(|_| ())
    }

    pub(crate) fn read(&mut self, handle: u64, offset: u64, length: u64) -> Result<Vec<u8>, Errno> {
        let ino = self.opened(handle)?;
        let inode = self.live.get(ino).ok_or(Errno::EIO)?;
        Ok(inode.content.read(offset, length))
    }

    pub(crate) fn target(&mut self, ino: Ino) -> Result<Vec<u8>, Errno> {
        match &self.inode(ino)?.kind {
            Kind::Symlink(target) => Ok(target.to_vec()),
            Kind::File | Kind::Directory | Kind::Socket | Kind::Fifo => Err(Errno::EINVAL),
        }
    }

    /// Writes, and says how much found space.
    pub(crate) fn write(&mut self, handle: u64, offset: u64, bytes: &[u8]) -> Result<u64, Errno> {
        let ino = self.opened(handle)?;
        let end = offset.saturating_add(wide(bytes.len()));
        if end > FILE_BYTES_MAX {
            return Err(Errno::EFBIG);
        }
        let length = self.fitting(ino, offset, wide(bytes.len()));
        if length == 0 && !bytes.is_empty() {
            self.stats.enospcs += 1;
            return Err(Errno::ENOSPC);
        }
        let fitting = bytes.get(..index(length)).unwrap_or(bytes);
        self.change(Op::Write {
            ino,
            offset,
            bytes: fitting.to_vec(),
        })?;
        self.stats.written_bytes += length;
        self.modified(ino);
        Ok(length)
    }

    pub(crate) fn truncate(&mut self, ino: Ino, size: u64) -> Result<(), Errno> {
        if self.inode(ino)?.is_directory() {
            return Err(Errno::EISDIR);
        }
        if size > FILE_BYTES_MAX {
            return Err(Errno::EFBIG);
        }
        self.change(Op::Truncate { ino, size })?;
        self.modified(ino);
        Ok(())
    }

    pub(crate) fn allocate(
        &mut self,
        handle: u64,
        offset: u64,
        length: u64,
        allocation: Allocation,
    ) -> Result<(), Errno> {
        let ino = self.opened(handle)?;
        let end = offset.saturating_add(length);
        if length == 0 {
            return Err(Errno::EINVAL);
        }
        if end > FILE_BYTES_MAX {
            return Err(Errno::EFBIG);
        }
        if allocation == Allocation::Punch {
            self.change(Op::Punch {
                ino,
                offset,
                length,
            })?;
            self.modified(ino);
            return Ok(());
        }
        let inode = self.live.get(ino).ok_or(Errno::EIO)?;
        let size = inode.content.size();
        if inode.content.missing(offset, length) > self.pages_free() {
            self.stats.enospcs += 1;
            return Err(Errno::ENOSPC);
        }
        self.change(Op::Reserve {
            ino,
            offset,
            length,
        })?;
        if allocation == Allocation::Extend && end > size {
            // Truncation to a greater length frees nothing: what was reserved stays.
            self.change(Op::Truncate { ino, size: end })?;
            self.modified(ino);
        }
        Ok(())
    }

    pub(crate) fn set_access(&mut self, ino: Ino, access: Access) -> Result<(), Errno> {
        self.inode(ino)?;
        self.change(Op::Access { ino, access })?;
        self.stamp(ino, |inode| inode.times.changed = now());
        Ok(())
    }

    pub(crate) fn set_times(&mut self, ino: Ino, times: Times) -> Result<(), Errno> {
        self.inode(ino)?;
        self.stamp(ino, |inode| inode.times = times);
        Ok(())
    }

    /// How many bytes of a write find space: all, or as many as the last free page holds.
    fn fitting(&self, ino: Ino, offset: u64, length: u64) -> u64 {
        let Some(inode) = self.live.get(ino) else {
            return 0;
        };
        let free = self.pages_free();
        let fits = |length| inode.content.missing(offset, length) <= free;
        if fits(length) {
            return length;
        }
        let mut end = offset;
        loop {
            let next = (end / PAGE + 1) * PAGE;
            if next >= offset + length || !fits(next - offset) {
                return end - offset;
            }
            end = next;
        }
    }

    fn modified(&mut self, ino: Ino) {
        self.stamp(ino, |inode| {
            inode.times.modified = now();
            inode.times.changed = inode.times.modified;
        });
    }
}
