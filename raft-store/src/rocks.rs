//! One RocksDB per node: column families `meta`, `log` and `state` behind ONE write-ahead log, so
//! that what a crash leaves is a prefix of what was written, across vote, log and applied state.
//!
//! Appends and applies are written without a sync; one thread syncs (`sync.rs`) and only then are
//! completions given. A failed write or sync ends the process with exit code 74.
//!
//! **Invariant:** `create` and `open` are different acts. An `open` that finds nothing is an error,
//! never a new database.

pub(crate) mod check;
mod error;
mod log;
mod read;
mod rows;
mod state;
pub(crate) mod sync;
mod torn;
mod wal;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Options,
    WriteBatch,
};

pub use self::{error::StoreError, log::RocksLog, state::RocksState, torn::Torn};
use self::{rows::Family, sync::Progress, torn::Logs};
use crate::{
    disk,
    guard::{Guard, Reach},
    snapshot::SnapshotFile,
};

/// Write-ahead logs are kept until all that is in them is in tables; above this, the oldest are
/// made superfluous by writing tables. Bytes.
const WAL_LIMIT: u64 = 16 << 20;

/// Memory table size per column family. Bytes.
const TABLE_BYTES: usize = 4 << 20;

/// The database, shared by log, state and sync thread.
#[derive(Debug)]
struct Database {
    db: DB,
    path: PathBuf,
}

/// Creates an empty database in a folder that does not exist yet, durably.
///
/// # Errors
/// [`StoreError::Exists`] if there is something, [`StoreError::Io`] from the disk.
pub fn create(path: &Path) -> Result<(), StoreError> {
    if path.exists() {
        return Err(StoreError::Exists(path.to_owned()));
    }
    disk::create_folder(path)?;
    let mut options = options();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let db = DB::open_cf_descriptors(&options, path, families())
        .map_err(|error| StoreError::opening(path, &error))?;
    db.flush_wal(true)
        .map_err(|error| StoreError::opening(path, &error))?;
    drop(db);
    disk::sync_chain(path)?;
    Ok(())
}

/// Opens a database, verifies every row of it, and makes durable what was read.
///
/// `snapshot` is where the published snapshot lies.
///
/// **Invariant:** nothing that was read counts as durable until this process has synced it. A
/// killed process leaves unsynced bytes in the page cache: the next one reads them back, would
/// acknowledge them, and then the power goes. RocksDB writes what it recovered from the write-ahead
/// logs into synced tables; after that the new log and the snapshot are synced here.
///
/// # Errors
/// [`StoreError::Missing`] if there is none, [`StoreError::Damaged`] naming the file or the row,
/// [`StoreError::Io`] from the disk.
pub fn open(path: &Path, snapshot: &Path) -> Result<(RocksLog, RocksState), StoreError> {
    opened(path, snapshot, Logs::default())
}

/// [`open`], after what a power cut left unreadable at the end of the write-ahead log was cut off,
/// as far as the guard allows it.
pub(crate) fn open_guarded(
    path: &Path,
    snapshot: &Path,
    guard: &Guard,
) -> Result<(RocksLog, RocksState), StoreError> {
    exists(path)?;
    let logs = torn::mend(path, snapshot, guard)?;
    opened(path, snapshot, logs)
}

fn opened(path: &Path, snapshot: &Path, logs: Logs) -> Result<(RocksLog, RocksState), StoreError> {
    let (database, snapshot, mut found) = load(path, snapshot)?;
    // The new log begins with the number that the guard will hold: were it torn from its start on,
    // nobody would know any more what was in it.
    database.write(WriteBatch::default());
    let progress = Progress::new(found.vote, found.last, found.committed);
    progress.synced_up_to(Some(database.synced()));
    found.written = logs.written.or(found.written);
    let state = RocksState::new(Arc::clone(&database), snapshot);
    let log = RocksLog::start(database, progress, found, logs.torn)?;
    Ok((log, state))
}

fn load(
    path: &Path,
    snapshot: &Path,
) -> Result<(Arc<Database>, SnapshotFile, check::Found), StoreError> {
    exists(path)?;
    let db = DB::open_cf_descriptors(&options(), path, families())
        .map_err(|error| StoreError::opening(path, &error))?;
    let database = Arc::new(Database {
        db,
        path: path.to_owned(),
    });
    database.sync();
    disk::sync_folder(path)?;
    let snapshot = SnapshotFile::open(snapshot.to_owned())
        .map_err(|error| StoreError::from_read(snapshot, error))?;
    let found = check::verify(&database, snapshot.covers())?;
    Ok((database, snapshot, found))
}

fn exists(path: &Path) -> Result<(), StoreError> {
    if path.join("CURRENT").exists() {
        Ok(())
    } else {
        Err(StoreError::Missing(path.to_owned()))
    }
}

/// What the database holds, for the guard.
pub(crate) fn reach(found: &check::Found) -> Reach {
    Reach {
        vote: found.vote,
        last: found.last.max(found.applied),
        written: found.written,
    }
}

impl Database {
    fn family(&self, family: Family) -> Result<&ColumnFamily, StoreError> {
        self.db.cf_handle(family.name()).ok_or_else(|| {
            StoreError::damaged(
                &self.path,
                format!("column family {} is missing", family.name()),
            )
        })
    }

    fn value(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let family = self.family(family)?;
        self.db
            .get_cf(family, key)
            .map_err(|error| StoreError::opening(&self.path, &error))
    }

    /// Hands a batch to the kernel. It is readable when this returns, and survives a kill; it is
    /// not durable.
    fn write(&self, batch: WriteBatch) {
        if let Err(error) = self.db.write(batch) {
            disk::stop("write", &self.path, &error);
        }
    }

    /// The number of the last write: RocksDB counts them, and a later start goes on counting.
    fn written(&self) -> u64 {
        self.db.latest_sequence_number()
    }

    /// Makes everything written so far durable, and gives the number of the last write that
    /// certainly is: what is written meanwhile, the sync may miss.
    fn synced(&self) -> u64 {
        let written = self.written();
        self.sync();
        written
    }

    /// Makes everything written so far durable.
    fn sync(&self) {
        if let Err(error) = self.db.flush_wal(true) {
            disk::stop("fsync of the write-ahead log", &self.path, &error);
        }
    }
}

/// Every family with the options of the whole: `DB::open_cf` would give each the defaults.
fn families() -> [ColumnFamilyDescriptor; 3] {
    Family::ALL.map(|family| ColumnFamilyDescriptor::new(family.name(), options()))
}

/// Why each is not the default stands beside it; the corruption matrix in `tests/wal_matrix.rs`
/// holds them.
fn options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(false);
    // A torn tail that was never acknowledged may be cut; damage anywhere else refuses. The default
    // (PointInTime) drops synced records behind one flipped bit without a word. What this mode
    // cannot tell from damage is cut before, where the guard says that it may be (`torn.rs`).
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    // A missing or short closed log is noticed.
    options.set_track_and_verify_wals_in_manifest(true);
    // A recycled log ends in old records, which look like a torn tail.
    options.set_recycle_log_file_num(0);
    options.set_paranoid_checks(true);
    // The kernel gets every write at once: a kill loses nothing.
    options.set_manual_wal_flush(false);
    // The folder stays bounded: logs, manifests and RocksDB's own text log have limits.
    options.set_max_total_wal_size(WAL_LIMIT);
    options.set_write_buffer_size(TABLE_BYTES);
    options.set_target_file_size_base(4 << 20);
    options.set_max_bytes_for_level_base(16 << 20);
    options.set_max_manifest_file_size(1 << 20);
    options.set_keep_log_file_num(3);
    options.set_max_log_file_size(1 << 20);
    options.set_compression_type(DBCompressionType::None);
    options.set_max_background_jobs(2);
    options
}
