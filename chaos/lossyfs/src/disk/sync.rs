//! From seen to durable: fsync, and the faults of it.

use std::time::Duration;

use fuser::Errno;

use super::{Disk, now};
use crate::{
    fault::{AfterEio, Fate, Trigger, When},
    inode::Ino,
    op::Op,
    pending::{Scope, Sequence},
};

/// An fsync that has begun. It saves what was done before it began.
#[derive(Debug)]
pub(crate) struct Ticket {
    ino: Ino,
    scope: Scope,
    before: Sequence,
    number: u64,
    life: u64,
    cut_after: bool,
    lie: bool,
}

impl Disk {
    /// Begins an fsync, and says how long it takes. A failure that was planned happens here.
    pub(crate) fn begin_sync(
        &mut self,
        handle: u64,
        scope: Scope,
    ) -> Result<(Ticket, Duration), Errno> {
        let ino = self.opened(handle)?;
        self.step()?;
        self.stats.fsyncs += 1;
        let number = self.stats.fsyncs;
        let fate = self.faults.fate(number);
        match fate {
            Fate::Fail => {
                self.fail(ino, scope);
                return Err(Errno::EIO);
            }
            Fate::Cut(When::Before) => {
                self.power_off(Trigger::Fsync {
                    number,
                    when: When::Before,
                });
                return Err(Errno::EIO);
            }
            Fate::Cut(When::After) | Fate::Sync => {}
        }
        let delay = self.faults.delay();
        if !delay.is_zero() {
            self.stats.slowed += 1;
            self.stats.slowed_us = self
                .stats
                .slowed_us
                .saturating_add(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX));
        }
        let ticket = Ticket {
            ino,
            scope,
            before: self.pending.next(),
            number,
            life: self.life,
            cut_after: fate == Fate::Cut(When::After),
            lie: self.faults.lying,
        };
        Ok((ticket, delay))
    }

    /// Whether the power has been there since this fsync began.
    pub(crate) fn is_lit_since(&self, ticket: &Ticket) -> bool {
        self.cut.is_none() && ticket.life == self.life
    }

    /// Ends an fsync. If the power went in the meantime, nothing of it is durable.
    pub(crate) fn finish_sync(&mut self, ticket: &Ticket) -> Result<(), Errno> {
        self.lit()?;
        if ticket.life != self.life {
            self.stats.dark += 1;
            return Err(Errno::EIO);
        }
        if ticket.lie {
            self.stats.lies += 1;
        } else {
            let owed =
                self.pending
                    .owed(ticket.ino, ticket.scope, ticket.before, self.options.order);
            self.save(owed);
            self.stats.synced += 1;
        }
        if ticket.cut_after {
            self.power_off(Trigger::Fsync {
                number: ticket.number,
                when: When::After,
            });
            return Err(Errno::EIO);
        }
        Ok(())
    }

    /// Makes the oldest changes durable unasked.
    pub(super) fn write_back(&mut self) {
        // A quarter at once, so that the next write does not find the limit again.
        let target = self.options.pending_bytes_max / 4 * 3;
        let oldest = self.pending.oldest_above(target, self.options.order);
        self.stats.written_back_bytes += oldest.iter().map(Op::bytes).sum::<u64>();
        self.save(oldest);
    }

    /// What Linux does when a write-back fails: fsync says so once, and the pages are clean from
    /// then on, so that the next fsync has nothing to do and succeeds.
    fn fail(&mut self, ino: Ino, scope: Scope) {
        self.stats.eios += 1;
        let dropped = self.pending.doomed(ino, scope);
        self.stats.eio_dropped_bytes += dropped.iter().map(Op::bytes).sum::<u64>();
        if self.faults.after_eio == AfterEio::Evicted && scope != Scope::Directory {
            let old = self.durable.get(ino).map(|inode| inode.content.clone());
            self.live
                .set_content(ino, old.unwrap_or_default(), &self.births);
            // The kernel drops its own pages when it sees another time.
            self.stamp(ino, |inode| inode.times.modified = now());
        }
        self.reconsider(&dropped);
    }

    fn save(&mut self, ops: Vec<Op>) {
        for op in &ops {
            self.durable.apply(op, &self.births);
        }
        self.reconsider(&ops);
    }

    /// Frees the inodes whose last pending name was among these.
    fn reconsider(&mut self, ops: &[Op]) {
        for ino in ops.iter().flat_map(Op::named) {
            self.release_inode(ino);
        }
    }
}
