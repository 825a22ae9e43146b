//! The disk: what processes see, what a power cut would leave, and the changes between the two.
//!
//! **Invariant:** nothing here reads the page cache of the kernel or is cached by it beyond an
//! answer: the live image is the truth, and with the power gone every request is an error.

mod data;
mod names;
mod sync;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    time::{Instant, SystemTime},
};

use fuser::Errno;

pub(crate) use self::{data::Allocation, names::Wanted, sync::Ticket};
use crate::{
    content::PAGE,
    fault::{Cut, Faults, Trigger},
    image::{Births, Image},
    inode::{Access, Birth, Ino, Inode, Kind},
    op::Op,
    options::Options,
    pending::Pending,
    stats::{Reboot, Stats},
    survival::{Loss, Survival},
    width::wide,
};

/// Inodes at most, as `statfs` shows them.
pub(crate) const INODES_MAX: u64 = 1 << 20;

/// The longest name, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// An open file or directory.
#[derive(Debug)]
struct Handle {
    ino: Ino,
    /// The names of a directory as they were when it was opened.
    listing: Vec<Listed>,
}

/// One name of a directory that is being read.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: OsString,
    pub(crate) ino: Ino,
    pub(crate) kind: Kind,
}

/// A disk with its power supply.
#[derive(Debug)]
pub(crate) struct Disk {
    options: Options,
    live: Image,
    durable: Image,
    pending: Pending,
    births: Births,
    pub(crate) faults: Faults,
    handles: BTreeMap<u64, Handle>,
    handle_next: u64,
    ino_next: u64,
    /// How often the power returned: inodes of different lives are different to the kernel.
    life: u64,
    cut: Option<Cut>,
    stats: Stats,
}

impl Disk {
    pub(crate) fn new(options: Options, access: Access) -> Self {
        let root = Birth {
            kind: Kind::Directory,
            access,
            at: now(),
        };
        let image = Image::new(&root);
        Self {
            options,
            durable: image.clone(),
            live: image,
            pending: Pending::default(),
            births: BTreeMap::from([(Ino::ROOT, root)]),
            faults: Faults::new(options.seed),
            handles: BTreeMap::new(),
            handle_next: 1,
            ino_next: 2,
            life: 0,
            cut: None,
            stats: Stats::default(),
        }
    }

    /// The power cut that has not ended yet.
    pub(crate) fn cut(&self) -> Option<Cut> {
        self.cut
    }

    pub(crate) fn life(&self) -> u64 {
        self.life
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            pending_ops: wide(self.pending.len()),
            pending_bytes: self.pending.bytes(),
            used_bytes: self.live.pages() * PAGE,
            free_bytes: self.pages_free() * PAGE,
            is_cut: self.cut.is_some(),
            ..self.stats
        }
    }

    /// Takes the power away. Without effect when it is gone already.
    pub(crate) fn power_off(&mut self, trigger: Trigger) -> Cut {
        if let Some(cut) = self.cut {
            return cut;
        }
        let cut = Cut {
            trigger,
            at: Instant::now(),
            ops: self.stats.ops,
            fsyncs: self.stats.fsyncs,
        };
        self.stats.cuts += 1;
        self.faults.disarm();
        *self.cut.insert(cut)
    }

    /// Gives the power back, with what survived. Takes it away first if nobody did.
    pub(crate) fn reboot(&mut self, survival: Survival, seed: u64) -> Reboot {
        self.power_off(Trigger::Command);
        let loss = Loss {
            durable: &self.durable,
            pending: self.pending.ops().collect(),
            births: &self.births,
            order: self.options.order,
        };
        let (mut image, report) = loss.survivors(survival, seed);
        for (ino, inode) in image.iter_mut() {
            if let Some(before) = self.live.get(ino) {
                inode.times = before.times;
            }
        }
        self.pending = Pending::default();
        self.births.retain(|ino, _| image.get(*ino).is_some());
        self.durable = image.clone();
        self.live = image;
        self.handles.clear();
        self.life += 1;
        self.cut = None;
        self.stats.reboots += 1;
        self.stats.dropped_bytes += report.dropped_bytes;
        self.stats.dropped_ops += report.dropped_ops + report.torn_ops;
        report
    }

    /// Forgets all files: the mount has ended, and whoever still holds one gets errors only.
    pub(crate) fn discard(&mut self) {
        self.power_off(Trigger::Command);
        self.live = Image::default();
        self.durable = Image::default();
        self.pending = Pending::default();
        self.births.clear();
        self.handles.clear();
    }

    /// The inode as processes see it.
    pub(crate) fn inode(&mut self, ino: Ino) -> Result<&Inode, Errno> {
        self.lit()?;
        self.live.get(ino).ok_or(Errno::ENOENT)
    }

    /// Pages in all, pages free, inodes free.
    pub(crate) fn space(&mut self) -> Result<(u64, u64, u64), Errno> {
        self.lit()?;
        let inodes = INODES_MAX.saturating_sub(wide(self.live.inodes()));
        Ok((self.pages_total(), self.pages_free(), inodes))
    }

    /// Limits what may still be allocated to this much, or lifts the limit.
    pub(crate) fn limit_space(&mut self, bytes: Option<u64>) {
        self.faults.pages_max = bytes.map(|bytes| self.live.pages().saturating_add(bytes / PAGE));
    }

    fn pages_total(&self) -> u64 {
        self.options.capacity_bytes / PAGE
    }

    fn pages_free(&self) -> u64 {
        let limit = self.faults.pages_max.unwrap_or(u64::MAX);
        self.pages_total()
            .min(limit)
            .saturating_sub(self.live.pages())
    }

    /// Refuses everything while the power is gone.
    fn lit(&mut self) -> Result<(), Errno> {
        if self.cut.is_some() {
            self.stats.dark += 1;
            return Err(Errno::EIO);
        }
        Ok(())
    }

    /// Counts an operation that is about to be done, and cuts the power in its stead if that was
    /// planned.
    fn step(&mut self) -> Result<(), Errno> {
        self.lit()?;
        self.stats.ops += 1;
        if self.faults.cut_at_op == Some(self.stats.ops) {
            self.power_off(Trigger::Op {
                number: self.stats.ops,
            });
            return Err(Errno::EIO);
        }
        Ok(())
    }

    /// Does a change: processes see it from now on, and a power cut may take it.
    fn change(&mut self, op: Op) -> Result<(), Errno> {
        self.step()?;
        self.live.apply(&op, &self.births);
        self.pending.push(op);
        if self.pending.bytes() > self.options.pending_bytes_max {
            self.write_back();
        }
        Ok(())
    }

    /// Frees an inode that lost its last name, or its last user, or its last pending name.
    fn release_inode(&mut self, ino: Ino) {
        if self.live.get(ino).is_some_and(|inode| inode.links == 0)
            && ino != Ino::ROOT
            && !self.handles.values().any(|handle| handle.ino == ino)
        {
            self.live.remove(ino);
        }
        if self.live.get(ino).is_none()
            && self.durable.get(ino).is_none_or(|inode| inode.links == 0)
            && !self.pending.names(ino)
        {
            self.durable.remove(ino);
            self.births.remove(&ino);
            let dropped = self.pending.forget(ino);
            for ino in dropped.iter().flat_map(Op::named) {
                self.release_inode(ino);
            }
        }
    }

    /// The inode of an open file. A handle of an earlier life is as dead as its process should be.
    fn opened(&mut self, handle: u64) -> Result<Ino, Errno> {
        self.lit()?;
        if let Some(open) = self.handles.get(&handle) {
            return Ok(open.ino);
        }
        self.stats.dark += 1;
        Err(Errno::EIO)
    }

    fn open_handle(&mut self, ino: Ino, listing: Vec<Listed>) -> u64 {
        let number = self.handle_next;
        self.handle_next += 1;
        self.handles.insert(number, Handle { ino, listing });
        number
    }
}

/// The time for `stat`.
#[expect(
    clippy::disallowed_methods,
    reason = "the times of files are for the eye: no promise hangs on them"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
