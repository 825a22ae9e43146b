//! The hand on the switch.

use std::{sync::Arc, time::Duration};

use crate::{
    fault::{AfterEio, Cut, Slow, Trigger, When},
    power::Power,
    stats::{Reboot, Stats},
    survival::Survival,
};

/// Controls one mount, from any thread. Numbers of fsyncs and operations count from the call: 1 is
/// the next one, and 0 means the same.
///
/// An *fsync* is an fsync or fdatasync of a file, or an fsync of a directory. An *operation* is an
/// fsync or a change: a write (the kernel divides one at pages it has not cached, and at 1 MiB), a
/// truncation, an allocation, a name made, moved or removed, a change of mode or owner.
#[derive(Clone, Debug)]
pub struct Control {
    power: Arc<Power>,
}

/// What was waited for did not happen.
#[derive(Debug, thiserror::Error)]
#[error("{what} did not happen within {limit:?}: {stats:?}")]
pub struct Late {
    what: String,
    limit: Duration,
    stats: Box<Stats>,
}

impl Control {
    pub(crate) fn new(power: Arc<Power>) -> Self {
        Self { power }
    }

    /// Cuts the power now: when this returns, every request is answered with EIO, and no fsync that
    /// was under way can succeed any more. Without effect when it is cut already.
    pub fn cut(&self) -> Cut {
        let cut = self.power.lock().disk.power_off(Trigger::Command);
        self.power.tell();
        cut
    }

    /// Plans a cut at the `n`-th fsync from now, which fails with EIO on either side.
    pub fn cut_at_fsync(&self, n: u64, when: When) {
        let mut state = self.power.lock();
        let number = state.disk.stats().fsyncs.saturating_add(n.max(1));
        state.disk.faults.cut_at_fsync = Some((number, when));
    }

    /// Plans a cut instead of the `n`-th operation from now.
    pub fn cut_at_op(&self, n: u64) {
        let mut state = self.power.lock();
        let number = state.disk.stats().ops.saturating_add(n.max(1));
        state.disk.faults.cut_at_op = Some(number);
    }

    /// The cut that has not been ended by a reboot.
    #[must_use]
    pub fn is_cut(&self) -> Option<Cut> {
        self.power.lock().disk.cut()
    }

    /// Waits for a planned cut.
    ///
    /// # Errors
    /// If it does not happen within `limit`.
    pub fn wait_cut(&self, limit: Duration) -> Result<Cut, Late> {
        self.power
            .wait_until(limit, |disk| disk.cut())
            .map_err(|stats| late("a power cut", limit, stats))
    }

    /// Waits until the counts say that something happened, as `|stats| stats.eios > 0`. They are
    /// looked at after each fsync and each fault, with the disk locked: `happened` must not touch
    /// the mount.
    ///
    /// # Errors
    /// If that is not so within `limit`; the error says `what` was waited for.
    pub fn wait(
        &self,
        what: &str,
        limit: Duration,
        happened: impl Fn(&Stats) -> bool,
    ) -> Result<Stats, Late> {
        self.power
            .wait_until(limit, |disk| Some(disk.stats()).filter(&happened))
            .map_err(|stats| late(what, limit, stats))
    }

    /// Gives the power back, with what survived; cuts it first if nobody did. The processes of
    /// the old life must be dead by now: what they hold open is an error for ever.
    ///
    /// Plans that wait (cuts, EIO) are forgotten; what the disk is like (slow, lying, small) stays.
    pub fn reboot(&self, survival: Survival, seed: u64) -> Reboot {
        let mut state = self.power.lock();
        let report = state.disk.reboot(survival, seed);
        drop(state);
        self.power.tell();
        report
    }

    /// Makes the `n`-th fsync from now fail with EIO. What it should have saved is lost: the next
    /// fsync succeeds without it, as on Linux.
    pub fn eio_at_fsync(&self, n: u64) {
        self.eio_at_fsyncs(n, 1);
    }

    /// Makes `count` fsyncs fail, beginning with the `n`-th from now; `u64::MAX` is all of them.
    pub fn eio_at_fsyncs(&self, n: u64, count: u64) {
        let mut state = self.power.lock();
        let first = state.disk.stats().fsyncs.saturating_add(n.max(1));
        let last = first.saturating_add(count.saturating_sub(1));
        state.disk.faults.eio_at_fsync = Some((first, last)).filter(|_| count > 0);
    }

    /// Says what is read back after an fsync that failed.
    pub fn after_eio(&self, after: AfterEio) {
        self.power.lock().disk.faults.after_eio = after;
    }

    /// Lets this many more bytes be allocated, whole pages of 4096; then ENOSPC, until something
    /// is deleted or [`Control::space`] is called. A write finds as much space as there is.
    pub fn enospc_after(&self, bytes: u64) {
        self.power.lock().disk.limit_space(Some(bytes));
    }

    /// Gives the space back.
    pub fn space(&self) {
        self.power.lock().disk.limit_space(None);
    }

    /// Delays each fsync that begins from now on.
    pub fn slow(&self, slow: Slow) {
        self.power.lock().disk.faults.slow = slow;
    }

    /// Makes the disk lie, or stop to: its fsyncs succeed and save nothing. What it claimed to
    /// have saved waits in its cache, and the first honest fsync saves it.
    pub fn lie(&self, lying: bool) {
        self.power.lock().disk.faults.lying = lying;
    }

    /// Ends all faults and forgets all plans. Does not end a power cut.
    pub fn heal(&self) {
        self.power.lock().disk.faults.heal();
    }

    /// The counts, now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.power.lock().disk.stats()
    }
}

fn late(what: &str, limit: Duration, stats: Box<Stats>) -> Late {
    Late {
        what: what.to_owned(),
        limit,
        stats,
    }
}
