//! The thread that syncs, and what is durable because of it.

use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use openraft::storage::IOFlushed;
use tokio::sync::{oneshot, watch};

use super::Database;
use crate::{
    mutant::{self, Mutant},
    types::{LogId, Types, Vote},
    witness::{Logged, Witnessed},
};

/// What is durable, as the sync thread learns it.
#[derive(Debug)]
pub(crate) struct Progress {
    durable: watch::Sender<Option<LogId>>,
    vote: Mutex<Option<Vote>>,
    committed: Mutex<Option<LogId>>,
    synced: Mutex<Option<u64>>,
    last_fsync_ns: AtomicU64,
    witness: OnceLock<Witnessed>,
}

/// What a sync makes true.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The log has these entries more, as far as a witness wants to know them, and ends here.
    Appended(Vec<Logged>, Option<LogId>),
    /// The log ends here, further back.
    Truncated(Option<LogId>),
    /// The log up to here is covered by the state.
    Purged(LogId),
    /// The vote.
    Vote(Vote),
}

/// Who waits for a sync.
pub(crate) enum Waiter {
    /// openraft, for an append.
    Append(IOFlushed<Types>),
    /// One of our own calls.
    Call(oneshot::Sender<()>),
}

/// One write that waits for a sync.
pub(crate) struct Job {
    pub(crate) effect: Effect,
    pub(crate) waiter: Waiter,
}

/// The queue to the sync thread, and the thread.
#[derive(Debug)]
pub(super) struct Syncer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Progress {
    pub(crate) fn new(
        vote: Option<Vote>,
        last: Option<LogId>,
        committed: Option<LogId>,
    ) -> Arc<Self> {
        Arc::new(Self {
            durable: watch::Sender::new(last),
            vote: Mutex::new(vote),
            committed: Mutex::new(committed),
            synced: Mutex::new(None),
            last_fsync_ns: AtomicU64::new(0),
            witness: OnceLock::new(),
        })
    }

    pub(crate) fn durable(&self) -> watch::Receiver<Option<LogId>> {
        self.durable.subscribe()
    }

    pub(crate) fn vote(&self) -> Option<Vote> {
        *self.vote.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn committed(&self) -> Option<LogId> {
        *self
            .committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_committed(&self, committed: Option<LogId>) {
        *self
            .committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = committed;
    }

    /// Committed and durable here. (A leader may know an entry committed by its followers' disks
    /// before its own sync is through.)
    pub(crate) fn reached(&self) -> Option<LogId> {
        self.committed().min(*self.durable.borrow())
    }

    /// The number of the last write that is durable, where writes are counted.
    pub(crate) fn synced(&self) -> Option<u64> {
        *self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn synced_up_to(&self, written: Option<u64>) {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        *synced = written.max(*synced);
    }

    pub(crate) fn last_fsync(&self) -> Duration {
        Duration::from_nanos(self.last_fsync_ns.load(Ordering::Relaxed))
    }

    /// Who sees what becomes durable; nobody before it is set, and nobody else after.
    pub(crate) fn set_witness(&self, witness: Witnessed) {
        self.witness.set(witness).ok();
    }

    pub(crate) fn witness(&self) -> Option<&Witnessed> {
        self.witness.get().filter(|witness| witness.is_seen())
    }

    pub(crate) fn took(&self, elapsed: Duration) {
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.last_fsync_ns.store(nanos, Ordering::Relaxed);
    }

    /// These were synced: what they make true is said, and then those who wait are answered, in the
    /// order in which they were queued.
    pub(crate) fn complete(&self, jobs: impl IntoIterator<Item = Job>) {
        for Job { effect, waiter } in jobs {
            self.apply(effect);
            match waiter {
                Waiter::Append(flushed) => flushed.io_completed(Ok(())),
                Waiter::Call(done) => done.send(()).unwrap_or_default(),
            }
        }
    }

    fn apply(&self, effect: Effect) {
        if let Some(witness) = self.witness() {
            match &effect {
                Effect::Appended(entries, _) => witness.synced_entries(entries),
                Effect::Truncated(last) => witness.undone_after(*last),
                Effect::Vote(vote) => witness.synced_vote(vote),
                Effect::Purged(_) => {}
            }
        }
        match effect {
            Effect::Appended(_, last) | Effect::Truncated(last) => {
                self.durable.send_replace(last);
            }
            Effect::Purged(id) => {
                self.durable
                    .send_modify(|durable| *durable = (*durable).max(Some(id)));
            }
            Effect::Vote(vote) => {
                *self.vote.lock().unwrap_or_else(PoisonError::into_inner) = Some(vote);
            }
        }
    }
}

impl Job {
    /// Whether this job does not wait for a sync. Every one does.
    pub(crate) fn is_hasty(&self) -> bool {
        match self.effect {
            Effect::Appended(..) => mutant::active(Mutant::AppendNotSynced),
            Effect::Vote(_) => mutant::active(Mutant::VoteNotSynced),
            Effect::Truncated(_) | Effect::Purged(_) => false,
        }
    }
}

impl Syncer {
    pub(super) fn start(database: Arc<Database>, progress: Arc<Progress>) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel();
        let run = move || serve(&database, &progress, &jobs);
        let thread = thread::Builder::new()
            .name("wal-sync".to_owned())
            .spawn(run)?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Queues a sync of what was already written.
    pub(super) fn sync(&self, effect: Effect, waiter: Waiter) -> io::Result<()> {
        let gone = || io::Error::other("the sync thread has ended");
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Job { effect, waiter }).map_err(|_gone| gone())
    }

    /// Queues a sync and waits for it.
    pub(super) async fn synced(&self, effect: Effect) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        self.sync(effect, Waiter::Call(done))?;
        wait.await
            .map_err(|_gone| io::Error::other("the sync thread has ended"))
    }
}

/// Everything that was queued when a sync starts was written before, so one sync serves it all.
///
/// **Invariant:** completions leave in the order in which they were queued: openraft takes a later
/// one to mean all earlier ones.
fn serve(database: &Database, progress: &Progress, jobs: &mpsc::Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let group: Vec<Job> = std::iter::once(first).chain(jobs.try_iter()).collect();
        let started = Instant::now();
        let written = database.synced();
        progress.took(started.elapsed());
        progress.synced_up_to(Some(written));
        progress.complete(group);
    }
}

impl Drop for Syncer {
    /// Joins the thread, so that the database is closed when the last handle is gone.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
