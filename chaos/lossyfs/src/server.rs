//! The kernel's questions, answered by the disk.
//!
//! Caching: reads and `mmap` go through the kernel's page cache, writes go through it to the disk
//! at once (no write-back cache), and no name or attribute is valid longer than the answer. With
//! `AUTO_INVAL_DATA` each cached read first asks for the attributes: so it fails when the power is
//! gone. `FOPEN_DIRECT_IO` would hide less, but `mmap` would not work. What a process writes into a
//! shared mapping is in the kernel until `msync`, as on any file system: a cut loses it.
//!
//! Locks are the kernel's own (no `POSIX_LOCKS`, no `FLOCK_LOCKS`): they end with their process.

use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    sync::{Arc, MutexGuard},
    time::{Duration, SystemTime},
};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request,
    TimeOrNow, WriteFlags,
};

use crate::{
    content::PAGE,
    disk::{Allocation, Disk, INODES_MAX, NAME_BYTES_MAX, Wanted, now},
    inode::{Access, Ino, Inode, Kind, Times},
    pending::Scope,
    power::{Power, State, later},
    width::index,
};

/// No answer is valid for longer than itself.
const TTL: Duration = Duration::ZERO;

/// Bytes of the largest write that the kernel sends in one request.
const WRITE_BYTES_MAX: u32 = 1 << 20;

/// The session's end of the disk.
pub(crate) struct Server {
    power: Arc<Power>,
}

impl Server {
    pub(crate) fn new(power: Arc<Power>) -> Self {
        Self { power }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.power.lock()
    }

    /// Asks the disk for something, and tells those who wait if that took the power away.
    fn ask<T>(&self, question: impl FnOnce(&mut Disk) -> Result<T, Errno>) -> Result<T, Errno> {
        let answer = question(&mut self.state().disk);
        if answer.is_err() {
            self.power.tell();
        }
        answer
    }

    /// Asks for something that leads to an inode, and gives what the kernel wants to know of it.
    fn ask_inode(
        &self,
        question: impl FnOnce(&mut Disk) -> Result<Ino, Errno>,
    ) -> Result<(FileAttr, Generation), Errno> {
        self.ask(|disk| {
            let ino = question(disk)?;
            let attributes = attributes(ino, disk.inode(ino)?);
            Ok((attributes, generation(ino, disk.life())))
        })
    }

    fn enter(&self, reply: ReplyEntry, question: impl FnOnce(&mut Disk) -> Result<Ino, Errno>) {
        match self.ask_inode(question) {
            Ok((attributes, generation)) => reply.entry(&TTL, &attributes, generation),
            Err(error) => reply.error(error),
        }
    }

    fn done(&self, reply: ReplyEmpty, question: impl FnOnce(&mut Disk) -> Result<(), Errno>) {
        match self.ask(question) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn sync(&self, handle: FileHandle, scope: Scope, reply: ReplyEmpty) {
        let mut state = self.state();
        match state.disk.begin_sync(handle.0, scope) {
            Ok((ticket, delay)) if delay.is_zero() => match state.disk.finish_sync(&ticket) {
                Ok(()) => reply.ok(),
                Err(error) => reply.error(error),
            },
            Ok((ticket, delay)) => {
                self.power.delay(&mut state, later(delay), ticket, reply);
            }
            Err(error) => reply.error(error),
        }
        drop(state);
        self.power.tell();
    }
}

impl Filesystem for Server {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        config
            .add_capabilities(InitFlags::FUSE_AUTO_INVAL_DATA)
            .map_err(|missing| io::Error::other(format!("this kernel's FUSE lacks {missing:?}")))?;
        config
            .set_max_write(WRITE_BYTES_MAX)
            .map_err(|most| io::Error::other(format!("the largest write is {most} bytes")))?;
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.enter(reply, |disk| disk.lookup(Ino(parent.0), name));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, handle: Option<FileHandle>, reply: ReplyAttr) {
        let answer = self.ask_inode(|disk| {
            if let Some(handle) = handle {
                disk.check(handle.0)?;
            }
            Ok(Ino(ino.0))
        });
        attribute(reply, answer);
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        handle: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let ino = Ino(ino.0);
        let answer = self.ask_inode(|disk| {
            if let Some(handle) = handle {
                disk.check(handle.0)?;
            }
            if mode.is_some() || uid.is_some() || gid.is_some() {
                let before = disk.inode(ino)?.access;
                let access = Access {
                    mode: mode.map_or(before.mode, permissions),
                    uid: uid.unwrap_or(before.uid),
                    gid: gid.unwrap_or(before.gid),
                };
                disk.set_access(ino, access)?;
            }
            if let Some(size) = size {
                disk.truncate(ino, size)?;
            }
            if accessed.is_some() || modified.is_some() {
                let before = disk.inode(ino)?.times;
                let times = Times {
                    accessed: accessed.map_or(before.accessed, time),
                    modified: modified.map_or(before.modified, time),
                    changed: now(),
                };
                disk.set_times(ino, times)?;
            }
            Ok(ino)
        });
        attribute(reply, answer);
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        data(reply, self.ask(|disk| disk.target(Ino(ino.0))));
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let kind = match mode & 0o170_000 {
            0o100_000 | 0 => Kind::File,
            0o140_000 => Kind::Socket,
            0o010_000 => Kind::Fifo,
            // A device file would be a door to the real machine.
            _ => return reply.error(Errno::EPERM),
        };
        let access = access(request, mode, umask);
        self.enter(reply, |disk| disk.create(Ino(parent.0), name, kind, access));
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let access = access(request, mode, umask);
        self.enter(reply, |disk| {
            disk.create(Ino(parent.0), name, Kind::Directory, access)
        });
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.done(reply, |disk| disk.remove(Ino(parent.0), name, Wanted::File));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.done(reply, |disk| {
            disk.remove(Ino(parent.0), name, Wanted::Directory)
        });
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let kind = Kind::Symlink(target.as_os_str().as_bytes().into());
        let access = access(request, 0o777, 0);
        self.enter(reply, |disk| disk.create(Ino(parent.0), name, kind, access));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let may_replace = match flags {
            RenameFlags::RENAME_NOREPLACE => false,
            none if none.is_empty() => true,
            _ => return reply.error(Errno::EINVAL),
        };
        let (from, to) = ((Ino(parent.0), name), (Ino(new_parent.0), new_name));
        self.done(reply, |disk| disk.rename(from, to, may_replace));
    }

    fn link(&self, _: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let ino = Ino(ino.0);
        self.enter(reply, |disk| {
            disk.link(ino, Ino(parent.0), name).map(|()| ino)
        });
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        opened(reply, self.ask(|disk| disk.open(Ino(ino.0))));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let access = access(request, mode, umask);
        let mut handle = FileHandle(0);
        let answer = self.ask_inode(|disk| {
            let ino = disk.create(Ino(parent.0), name, Kind::File, access)?;
            handle = FileHandle(disk.open(ino)?);
            Ok(ino)
        });
        match answer {
            Ok((attributes, generation)) => {
                reply.created(&TTL, &attributes, generation, handle, FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let answer = self.ask(|disk| disk.read(handle.0, offset, u64::from(size)));
        data(reply, answer);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.ask(|disk| disk.write(handle.0, offset, bytes)) {
            Ok(length) => reply.written(u32::try_from(length).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, handle: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        self.done(reply, |disk| disk.check(handle.0));
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.state().disk.close(handle.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, handle: FileHandle, data: bool, reply: ReplyEmpty) {
        let scope = if data { Scope::Data } else { Scope::File };
        self.sync(handle, scope, reply);
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        opened(reply, self.ask(|disk| disk.open_directory(Ino(ino.0))));
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let answer = self.ask(|disk| {
            for (entry, next) in disk.list(handle.0, index(offset))?.iter().zip(offset + 1..) {
                if reply.add(
                    INodeNo(entry.ino.0),
                    next,
                    file_type(&entry.kind),
                    &entry.name,
                ) {
                    break;
                }
            }
            Ok(())
        });
        match answer {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn releasedir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.state().disk.close(handle.0);
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(handle, Scope::Directory, reply);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let page = u32::try_from(PAGE).unwrap_or(u32::MAX);
        let name = u32::try_from(NAME_BYTES_MAX).unwrap_or(u32::MAX);
        match self.ask(Disk::space) {
            Ok((total, free, inodes)) => {
                reply.statfs(total, free, free, INODES_MAX, inodes, page, name, page);
            }
            Err(error) => reply.error(error),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        // The bits of linux/falloc.h: 1 keeps the size, 2 punches a hole.
        let allocation = match mode {
            0 => Allocation::Extend,
            1 => Allocation::KeepSize,
            3 => Allocation::Punch,
            _ => return reply.error(Errno::EOPNOTSUPP),
        };
        self.done(reply, |disk| {
            disk.allocate(handle.0, offset, length, allocation)
        });
    }
}

fn attribute(reply: ReplyAttr, answer: Result<(FileAttr, Generation), Errno>) {
    match answer {
        Ok((attributes, _)) => reply.attr(&TTL, &attributes),
        Err(error) => reply.error(error),
    }
}

fn data(reply: ReplyData, answer: Result<Vec<u8>, Errno>) {
    match answer {
        Ok(bytes) => reply.data(&bytes),
        Err(error) => reply.error(error),
    }
}

fn opened(reply: ReplyOpen, answer: Result<u64, Errno>) {
    match answer {
        // No KEEP_CACHE: the kernel drops the file's pages when it is opened.
        Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
        Err(error) => reply.error(error),
    }
}

fn access(request: &Request, mode: u32, umask: u32) -> Access {
    Access {
        mode: permissions(mode & !umask),
        uid: request.uid(),
        gid: request.gid(),
    }
}

fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).unwrap_or(0)
}

fn time(time: TimeOrNow) -> SystemTime {
    match time {
        TimeOrNow::SpecificTime(time) => time,
        TimeOrNow::Now => now(),
    }
}

/// The kernel tells the inodes of different lives apart by this, so that what was open or mapped
/// before a power cut is never taken for what survived it. The root is one for ever.
fn generation(ino: Ino, life: u64) -> Generation {
    Generation(if ino == Ino::ROOT { 0 } else { life })
}

fn attributes(ino: Ino, inode: &Inode) -> FileAttr {
    FileAttr {
        ino: INodeNo(ino.0),
        size: inode.size(),
        blocks: inode.content.pages() * (PAGE / 512),
        atime: inode.times.accessed,
        mtime: inode.times.modified,
        ctime: inode.times.changed,
        crtime: inode.times.changed,
        kind: file_type(&inode.kind),
        perm: inode.access.mode,
        nlink: if inode.is_directory() {
            inode.links + 1
        } else {
            inode.links
        },
        uid: inode.access.uid,
        gid: inode.access.gid,
        rdev: 0,
        blksize: u32::try_from(PAGE).unwrap_or(u32::MAX),
        flags: 0,
    }
}

fn file_type(kind: &Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Directory => FileType::Directory,
        Kind::Symlink(_) => FileType::Symlink,
        Kind::Socket => FileType::Socket,
        Kind::Fifo => FileType::NamedPipe,
    }
}
