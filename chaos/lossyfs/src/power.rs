//! The disk behind its lock, and those who wait for something to happen to it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use fuser::ReplyEmpty;

use crate::{
    disk::{Disk, Ticket},
    stats::Stats,
};

/// What the server, the controls and the slow thread share.
pub(crate) struct Power {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the lock guards.
pub(crate) struct State {
    pub(crate) disk: Disk,
    slow: BTreeMap<(Instant, u64), (Ticket, ReplyEmpty)>,
    slow_next: u64,
    ended: bool,
}

impl fmt::Debug for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Power").finish_non_exhaustive()
    }
}

impl State {
    /// A delayed fsync whose time has come, or that the power went away from.
    fn take_due(&mut self, now: Instant) -> Option<(Ticket, ReplyEmpty)> {
        let disk = &self.disk;
        let is_due = |due: Instant, ticket: &Ticket| due <= now || !disk.is_lit_since(ticket);
        let key = self
            .slow
            .iter()
            .find(|((due, _), (ticket, _))| is_due(*due, ticket))
            .map(|(key, _)| *key)?;
        self.slow.remove(&key)
    }
}

impl Power {
    pub(crate) fn new(disk: Disk) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                disk,
                slow: BTreeMap::new(),
                slow_next: 0,
                ended: false,
            }),
            changed: Condvar::new(),
        })
    }

    /// The disk. A thread that panicked does not take it along: processes of other people hang
    /// in the kernel if this file system stops to answer.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait for what may just have happened.
    pub(crate) fn tell(&self) {
        self.changed.notify_all();
    }

    /// Keeps an fsync until its time has come.
    pub(crate) fn delay(&self, state: &mut State, due: Instant, ticket: Ticket, reply: ReplyEmpty) {
        state.slow_next += 1;
        state.slow.insert((due, state.slow_next), (ticket, reply));
        self.tell();
    }

    /// Answers delayed fsyncs: each at its time, all of them at once when the power goes.
    pub(crate) fn answer_slow_fsyncs(&self) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if let Some((ticket, reply)) = state.take_due(now) {
                match state.disk.finish_sync(&ticket) {
                    Ok(()) => reply.ok(),
                    Err(error) => reply.error(error),
                }
                self.tell();
                continue;
            }
            match state.slow.first_key_value().map(|((due, _), _)| *due) {
                Some(due) => state = self.wait(state, due.saturating_duration_since(now)),
                None if state.ended => return,
                None => {
                    state = self
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Waits until `happened` is some, at most this long.
    pub(crate) fn wait_until<T>(
        &self,
        limit: Duration,
        mut happened: impl FnMut(&Disk) -> Option<T>,
    ) -> Result<T, Box<Stats>> {
        let end = later(limit);
        let mut state = self.lock();
        loop {
            if let Some(found) = happened(&state.disk) {
                return Ok(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Box::new(state.disk.stats()));
            }
            state = self.wait(state, left);
        }
    }

    /// The mount has ended: everything is an error from now on, and nothing is held in memory.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.disk.discard();
        state.ended = true;
        self.tell();
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        self.changed
            .wait_timeout(state, limit)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}

/// So much later than now. A time that the clock cannot hold is as good as never.
pub(crate) fn later(delay: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);
    let now = Instant::now();
    now.checked_add(delay).unwrap_or_else(|| now + NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_the_clock_cannot_hold_is_far_away_and_no_panic() {
        let year = Duration::from_secs(365 * 86_400);
        for delay in [Duration::from_secs(u64::MAX), Duration::MAX] {
            assert!(later(delay) > Instant::now() + year);
        }
        assert!(later(Duration::ZERO) <= Instant::now());
    }
}
