//! A disk in memory with an explicit boundary between what was written and what was synced, for
//! simulation and tests: the same state machine, codec, ledger and guard run over it as over a data
//! folder.
//!
//! Like a real disk it keeps frames of the codec, never values; it is opened, crashes and loses
//! power. What is in its [`DiskImage`] is all that a start can see.
//!
//! Log, vote and state share one write-ahead log, as in RocksDB: what a power cut leaves of what was
//! not synced is a prefix of its batches. (A torn batch fails its checksum and is cut off when the
//! log is opened, so it is one batch less; `tests/wal_matrix.rs` shows that RocksDB does so.) The
//! small files beside it, which are replaced and synced in one call, are durable at once.
//!
//! **Invariant:** no configuration leads here. A node opens [`crate::folder::Folder`] and nothing
//! else (R7).

mod driver;
mod folder;
mod image;
mod log;
mod state;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub use self::driver::{Driver, Synced};
pub use self::folder::MemoryFolder;
pub use self::image::DiskImage;
use self::image::{Image, Write};
pub use self::log::MemoryLog;
pub use self::state::MemoryState;
use crate::mutant::{self, Mutant};
use crate::rocks::check::Found;
use crate::rocks::sync::{Job, Progress};
use crate::types::{LogId, Vote};

/// Linux' numbers of what a disk says when it fails and when it is full.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A disk that forgets on demand. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    medium: Arc<Mutex<Medium>>,
}

/// A sync that has begun: what was written until then, and who waited for it.
#[derive(Debug, Clone, Copy)]
#[must_use = "a sync that does not finish answers nobody"]
pub struct SyncMark {
    epoch: u64,
    batches: u64,
    jobs: u64,
    began: Instant,
}

#[derive(Default)]
struct Medium {
    live: Image,
    durable: Image,
    /// Batches in `live` that are not in `durable`, in order. A batch is atomic.
    pending: Vec<Vec<Write>>,
    /// How many batches ever left `pending`.
    settled: u64,
    jobs: Vec<Job>,
    /// How many jobs ever left `jobs`.
    answered: u64,
    progress: Option<Arc<Progress>>,
    held: bool,
    full: bool,
    /// Why the last process was ended by its disk, if it was.
    failed: Option<String>,
    driver: Option<Arc<dyn Driver>>,
    /// Counts opens and crashes: a handle of another epoch is a process that is gone.
    epoch: u64,
    /// Whether a process has the folder on this disk open, as a lock on it would say.
    locked: bool,
}

impl std::fmt::Debug for Medium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Medium")
            .field("epoch", &self.epoch)
            .field("last", &self.live.last)
            .field("unsynced", &self.pending.len())
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl MemoryDisk {
    /// An empty disk that syncs at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another disk with what `image` holds, all of it durable.
    #[must_use]
    pub fn of(image: DiskImage) -> Self {
        let disk = Self::new();
        disk.put(image);
        disk
    }

    /// Opens log and state without the folder around them. All of it is synced first, as the real
    /// store does it; the handles of an earlier start fail from here on.
    #[must_use]
    pub fn open(&self) -> (MemoryLog, MemoryState) {
        let epoch = self.next_epoch();
        let (log, state, _found) = self.open_in(epoch);
        (log, state)
    }

    /// The process is killed: what it wrote stays in the cache, synced or not. Nobody who waits is
    /// answered.
    pub fn crash(&self) {
        self.lock().end();
    }

    /// The power goes: what was not synced is gone.
    pub fn power_cut(&self) {
        self.power_cut_after(0);
    }

    /// The power goes while the first `batches` unsynced batches had reached the disk by themselves.
    /// There is one write-ahead log, so what survives is a prefix.
    pub fn power_cut_after(&self, batches: usize) {
        let mut medium = self.lock();
        medium.end();
        let survivors = medium.settle(batches);
        medium.pending.clear();
        medium.live = medium.durable.clone();
        let driver = medium.driver.clone();
        drop(medium);
        tell(driver.as_ref(), &survivors);
    }

    /// Gives the syncs of this disk into the hands of a simulation: from here on none happens but
    /// by [`Self::begin_sync`] and [`Self::finish_sync`].
    pub fn set_driver(&self, driver: Arc<dyn Driver>) {
        let mut medium = self.lock();
        medium.held = true;
        medium.driver = Some(driver);
    }

    /// A sync begins: it covers what was written until now.
    pub fn begin_sync(&self) -> SyncMark {
        let medium = self.lock();
        SyncMark {
            epoch: medium.epoch,
            batches: medium.settled.saturating_add(length(&medium.pending)),
            jobs: medium.answered.saturating_add(length(&medium.jobs)),
            began: Instant::now(),
        }
    }

    /// A sync is through: what it covers is durable, and who waited for it is answered, in order.
    /// Nothing happens, and `false` is returned, if the process that asked for it is gone.
    pub fn finish_sync(&self, mark: SyncMark) -> bool {
        let mut medium = self.lock();
        if medium.epoch != mark.epoch {
            return false;
        }
        let batches = mark.batches.saturating_sub(medium.settled);
        let synced = medium.settle(usize::try_from(batches).unwrap_or(usize::MAX));
        let jobs = mark.jobs.saturating_sub(medium.answered);
        let jobs = usize::try_from(jobs).unwrap_or(usize::MAX);
        let jobs = jobs.min(medium.jobs.len());
        let jobs: Vec<Job> = medium.jobs.drain(..jobs).collect();
        medium.answered = medium.answered.saturating_add(length(&jobs));
        let (driver, progress) = (medium.driver.clone(), medium.progress.clone());
        drop(medium);
        // The disk first, then those who are told of it.
        tell(driver.as_ref(), &synced);
        if let Some(progress) = progress {
            progress.took(mark.began.elapsed());
            progress.complete(jobs);
        }
        true
    }

    /// A sync fails, and what it covers is gone, as Linux has it. The real node ends then: so this
    /// ends the process, nobody is answered, and the driver is told why.
    pub fn fail_sync(&self, mark: SyncMark) -> bool {
        let mut medium = self.lock();
        if medium.epoch != mark.epoch {
            return false;
        }
        medium.pending.clear();
        medium.live = medium.durable.clone();
        fail(medium, "fsync of the write-ahead log", EIO);
        true
    }

    /// Whether the disk is full: the next write then fails, which ends the process as the real node
    /// ends.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// Holds syncs back until [`Self::sync`] or the end of holding: a slow disk.
    pub fn hold_syncs(&self, held: bool) {
        self.lock().held = held;
        if !held {
            self.sync();
        }
    }

    /// Syncs now, and answers who waited, in order.
    pub fn sync(&self) {
        let mark = self.begin_sync();
        self.finish_sync(mark);
    }

    /// How many batches are written and not synced.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.lock().pending.len()
    }

    /// The vote on the disk itself.
    #[must_use]
    pub fn durable_vote(&self) -> Option<Vote> {
        self.lock().durable.vote
    }

    /// The entries in the log on the disk itself, those that were purged aside.
    #[must_use]
    pub fn durable_log(&self) -> Vec<LogId> {
        let medium = self.lock();
        medium
            .durable
            .log
            .values()
            .map(|(id, _frame)| *id)
            .collect()
    }

    /// Everything that a process would read from this disk now, as a copy of its files has it.
    #[must_use]
    pub fn image(&self) -> DiskImage {
        DiskImage(self.lock().live.clone())
    }

    /// Replaces what is on the disk, durably. A process that runs on it is gone.
    pub fn put(&self, image: DiskImage) {
        let DiskImage(image) = image;
        let mut medium = self.lock();
        medium.end();
        medium.pending.clear();
        medium.durable.clone_from(&image);
        medium.live = image;
    }

    /// Empties the disk. A process that runs on it is gone.
    pub fn wipe(&self) {
        self.put(DiskImage(Image::default()));
    }

    fn next_epoch(&self) -> u64 {
        let mut medium = self.lock();
        medium.end();
        medium.failed = None;
        medium.epoch
    }

    /// Log and state for the process of `epoch`, all of them synced.
    fn open_in(&self, epoch: u64) -> (MemoryLog, MemoryState, Found) {
        let mut medium = self.lock();
        let synced = match mutant::active(Mutant::RestartTrustsPageCache) {
            true => Vec::new(),
            false => medium.settle(usize::MAX),
        };
        let found = medium.live.found();
        let progress = Progress::new(found.vote, found.last, found.committed);
        medium.progress = Some(Arc::clone(&progress));
        let driver = medium.driver.clone();
        drop(medium);
        tell(driver.as_ref(), &synced);
        let log = MemoryLog::new(self.clone(), epoch, progress, found.committed);
        (log, MemoryState::new(self.clone(), epoch), found)
    }

    /// Writes one atomic batch into the cache, and queues `job` for the sync of it.
    fn write(&self, epoch: u64, batch: Vec<Write>, job: Option<Job>) -> io::Result<()> {
        let mut medium = self.medium(epoch)?;
        if medium.full {
            return Err(fail(medium, "write", ENOSPC));
        }
        for write in &batch {
            medium.live.apply(write);
        }
        if job.is_none() && mutant::active(Mutant::PurgeBeforeSnapshotDurable) {
            return Ok(()); // the state stays in the cache
        }
        medium.pending.push(batch);
        let Some(job) = job else {
            return Ok(());
        };
        if job.is_hasty() {
            let progress = medium.progress.clone();
            drop(medium);
            if let Some(progress) = progress {
                progress.complete([job]);
            }
            return Ok(());
        }
        medium.jobs.push(job);
        let (held, driver) = (medium.held, medium.driver.clone());
        drop(medium);
        match driver {
            Some(driver) => driver.wanted(),
            None if held => {}
            None => self.sync(),
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The medium, for the process that opened it at `epoch`.
    fn medium(&self, epoch: u64) -> io::Result<MutexGuard<'_, Medium>> {
        let medium = self.lock();
        if medium.epoch == epoch {
            return Ok(medium);
        }
        let failed = medium.failed.clone();
        let crashed = || "this process has crashed: its disk belongs to the next one".to_owned();
        Err(io::Error::other(failed.unwrap_or_else(crashed)))
    }
}

impl Medium {
    /// Makes the first `batches` unsynced batches durable, and says what they held.
    fn settle(&mut self, batches: usize) -> Vec<Synced> {
        let batches = batches.min(self.pending.len());
        let settled: Vec<Vec<Write>> = self.pending.drain(..batches).collect();
        self.settled = self.settled.saturating_add(length(&settled));
        for write in settled.iter().flatten() {
            self.durable.apply(write);
        }
        if self.driver.is_none() {
            return Vec::new();
        }
        settled.iter().flatten().map(Synced::of).collect()
    }

    fn end(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        self.answered = self.answered.saturating_add(length(&self.jobs));
        self.jobs.clear();
        self.progress = None;
        self.locked = false;
    }
}

/// Ends the process as the real node ends itself when its disk fails.
fn fail(mut medium: MutexGuard<'_, Medium>, what: &str, code: i32) -> io::Error {
    let reason = format!("{what}: {}", io::Error::from_raw_os_error(code));
    medium.end();
    medium.failed = Some(reason.clone());
    let driver = medium.driver.clone();
    drop(medium);
    if let Some(driver) = driver {
        driver.stopped(&reason);
    }
    io::Error::other(reason)
}

fn tell(driver: Option<&Arc<dyn Driver>>, synced: &[Synced]) {
    if let Some(driver) = driver.filter(|_| !synced.is_empty()) {
        driver.durable(synced);
    }
}

fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
