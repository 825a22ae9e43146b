//! The state machine: applies committed entries to the agreed state, and keeps it on a disk.
//!
//! Every batch of entries becomes ONE write that holds the changed rows, the applied id and the
//! membership, unsynced: what a crash takes is replayed from the log. An entry that cannot be read
//! or is of a later format stops the node, it is never skipped (R36).

mod apply;
mod image;
mod moves;
mod reader;
mod rows;

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use openraft::alias::SnapshotOf;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};

pub use reader::{StateReader, StateRef};

use crate::state::State;
use crate::types::{LogId, SnapshotMeta, StoredMembership, Types};
use crate::witness::Witnessed;

/// Where the state machine keeps its rows and its snapshot.
pub trait StateDisk: Clone + Send + Sync + 'static {
    /// Everything that was written, or an empty [`Loaded`] for a store that is new.
    ///
    /// # Errors
    /// What could not be read or failed its checksum, by name.
    fn load(&self) -> io::Result<Loaded>;

    /// Writes `changes` as one atomic batch, not synced.
    ///
    /// # Errors
    /// What could not be written.
    fn write(&self, changes: Changes) -> io::Result<()>;

    /// Replaces everything at once by `loaded`, synced before this returns.
    ///
    /// # Errors
    /// What could not be written.
    fn replace(&self, loaded: Loaded) -> io::Result<()>;

    /// Publishes a snapshot: atomic, synced before this returns, and monotone: one that is older
    /// than the published one changes nothing.
    ///
    /// # Errors
    /// What could not be written.
    fn publish_snapshot(&self, meta: &SnapshotMeta, bytes: &[u8]) -> io::Result<()>;

    /// The published snapshot.
    ///
    /// # Errors
    /// What could not be read or failed its checksum, by name.
    fn snapshot(&self) -> io::Result<Option<(SnapshotMeta, Vec<u8>)>>;
}

/// One row to write, or to delete if it has no value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// The key of the row.
    pub key: Vec<u8>,
    /// Its value, a frame of the codec.
    pub value: Option<Vec<u8>>,
}

/// What one batch of applied entries changed.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The rows that changed.
    pub rows: Vec<Row>,
    /// The last entry that was applied.
    pub applied: LogId,
    /// The membership, if an entry of this batch set it.
    pub membership: Option<StoredMembership>,
}

/// Everything that a [`StateDisk`] holds beside the snapshot.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The rows, in the order of their keys.
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// The last entry that was applied.
    pub applied: Option<LogId>,
    /// The last membership that was applied.
    pub membership: StoredMembership,
}

/// The state machine over disk `D`.
#[derive(Debug)]
pub struct Machine<D> {
    disk: D,
    shared: Arc<RwLock<Applied>>,
    witness: Witnessed,
}

/// The state and how far it got, changed together under one lock.
#[derive(Clone, Debug)]
struct Applied {
    state: State,
    last: Option<LogId>,
    membership: StoredMembership,
}

/// Builds one snapshot from the state as it was when openraft asked for it.
#[derive(Debug)]
pub struct SnapshotBuilder<D> {
    disk: D,
    frozen: Applied,
}

impl<D: StateDisk> Machine<D> {
    /// Reads the state back from `disk`.
    ///
    /// # Errors
    /// A row that cannot be read, by its name. It never becomes a default.
    pub fn open(disk: D) -> io::Result<Self> {
        let Loaded {
            rows,
            applied,
            membership,
        } = disk.load()?;
        let state = rows::read(&rows)?;
        let shared = Arc::new(RwLock::new(Applied {
            state,
            last: applied,
            membership,
        }));
        Ok(Self {
            disk,
            shared,
            witness: Witnessed::default(),
        })
    }

    /// The same state machine under the eyes of a witness, who sees every mark that moves.
    #[must_use]
    pub fn witnessed(self, witness: Witnessed) -> Self {
        Self { witness, ..self }
    }

    /// A view of the applied state, for the ledger and for whoever shows it.
    #[must_use]
    pub fn reader(&self) -> StateReader {
        StateReader::new(Arc::clone(&self.shared))
    }

    fn frozen(&self) -> Applied {
        self.shared
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl<D: StateDisk> RaftStateMachine<Types> for Machine<D> {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = SnapshotBuilder<D>;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let Applied {
            last, membership, ..
        } = self.frozen();
        Ok((last, membership))
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: futures_util::Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        apply::stream(&self.disk, &self.shared, &self.witness, entries).await
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder<D> {
        SnapshotBuilder {
            disk: self.disk.clone(),
            frozen: self.frozen(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, bytes: Vec<u8>) -> io::Result<()> {
        let ours = self.frozen();
        let state = image::read(meta, &bytes)?;
        image::refuse_if_anything_falls(&ours.state, &state)?;
        let loaded = Loaded {
            rows: rows::write_all(&state)?,
            applied: meta.last_log_id,
            membership: meta.last_membership.clone(),
        };
        // The snapshot first: should we die in between, openraft installs it again at the start.
        off_the_runtime(|| {
            self.disk.publish_snapshot(meta, &bytes)?;
            self.disk.replace(loaded)
        })?;
        let applied = Applied {
            state,
            last: meta.last_log_id,
            membership: meta.last_membership.clone(),
        };
        moves::of_a_snapshot(&self.witness, &ours.state, &applied);
        *self.shared.write().map_err(|_poisoned| apply::poisoned())? = applied;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<Types, Vec<u8>>>> {
        let found = self.disk.snapshot()?;
        Ok(found.map(|(meta, snapshot)| SnapshotOf::<Types, Vec<u8>> { meta, snapshot }))
    }
}

impl<D: StateDisk> RaftSnapshotBuilder<Types> for SnapshotBuilder<D> {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<Types, Vec<u8>>> {
        let Applied {
            state,
            last,
            membership,
        } = &self.frozen;
        let meta = SnapshotMeta {
            last_log_id: *last,
            last_membership: membership.clone(),
        };
        let snapshot = off_the_runtime(|| {
            let bytes = image::write(*last, state)?;
            self.disk.publish_snapshot(&meta, &bytes)?;
            Ok::<_, io::Error>(bytes)
        })?;
        Ok(SnapshotOf::<Types, Vec<u8>> { meta, snapshot })
    }
}

/// Runs what waits for a disk without holding up the other tasks of a runtime that has several
/// threads. A simulation has one thread, and there it runs in place, in a reproducible order.
pub fn off_the_runtime<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        Ok(_) | Err(_) => work(),
    }
}
