//! What a node stands on: who it is, what it remembers of its peers, its log and its state.
//!
//! A node runs over a [`Folder`] and nothing else. That it asks for this trait lets a simulation
//! put the whole of it, with its real consensus, ledger and sign path, over a disk that crashes and
//! loses power as it is told ([`MemoryFolder`](crate::memory::MemoryFolder)).

use std::fmt::Debug;
use std::time::Duration;

use openraft::storage::RaftLogStorage;

use crate::folder::{Folder, FolderError, PeersMemory};
use crate::hello::{Boot, Disk};
use crate::identity::ClusterBinding;
use crate::machine::StateDisk;
use crate::rocks::{RocksLog, RocksState};
use crate::types::{Fingerprint, LogId, Types, Vote};
use crate::witness::Witnessed;

/// Below this much room for this user a disk counts as full: RocksDB's next files fit into it.
const ROOM_BYTES_MIN: u64 = 64 * 1_024 * 1_024;

/// What one start of a node stands on. It is that start's alone until it is dropped.
pub trait Ground: Debug + Send + Sync + 'static {
    /// Where its Raft log is.
    type Log: LogDisk;
    /// Where its applied state is.
    type State: StateDisk;

    /// Where all this is, in the words of a message to the operator.
    fn place(&self) -> String;

    /// Who the node is.
    fn fingerprint(&self) -> Fingerprint;

    /// The cluster that the node is bound to, if it is.
    fn binding(&self) -> Option<ClusterBinding>;

    /// This start of the node.
    fn boot(&self) -> Boot;

    /// What the node remembers of its peers.
    fn peers_memory(&self) -> &PeersMemory;

    /// How the disk does, as far as the system says.
    fn disk(&self) -> Disk;

    /// Binds the node to a cluster, durably. Binding it again to the same cluster does nothing.
    ///
    /// # Errors
    /// If it is bound to another cluster, or the binding names another key for it.
    fn bind(&self, binding: ClusterBinding) -> Result<(), FolderError>;

    /// Opens log and state, holds them against the guard, makes durable what was read, and keeps
    /// guard and peers' memory from here on. Called once. `witness` sees this start, and what the
    /// log does.
    ///
    /// # Errors
    /// If anything is damaged, or older than the guard.
    fn store(&self, witness: &Witnessed) -> Result<(Self::Log, Self::State), FolderError>;

    /// The node ends in order: what it wrote is made durable, and the guard covers it. Dropping does the
    /// same, but nobody knows when the last task lets go.
    fn put_away(&self) {}
}

/// A Raft log that says what of it is durable. Clones are the same log.
pub trait LogDisk: RaftLogStorage<Types> + Clone + Send + Sync + 'static {
    /// The last durable entry. It may fall: an uncommitted tail may be truncated.
    fn durable(&self) -> Option<LogId>;

    /// The last entry that is committed and durable here: what `hello` and the guard claim, since
    /// it can never be lost again.
    fn reached(&self) -> Option<LogId>;

    /// The durable vote.
    fn vote(&self) -> Option<Vote>;

    /// How long the last sync took.
    fn last_fsync(&self) -> Duration;
}

impl Ground for Folder {
    type Log = RocksLog;
    type State = RocksState;

    fn place(&self) -> String {
        self.path().display().to_string()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.identity().fingerprint()
    }

    fn binding(&self) -> Option<ClusterBinding> {
        self.identity().cluster().cloned()
    }

    fn boot(&self) -> Boot {
        self.boot()
    }

    fn peers_memory(&self) -> &PeersMemory {
        self.peers_memory()
    }

    /// A disk that does not even say how full it is counts as full.
    fn disk(&self) -> Disk {
        match rustix::fs::statvfs(self.path()) {
            Ok(stat) if stat.f_bavail.saturating_mul(stat.f_frsize) >= ROOM_BYTES_MIN => {
                Disk::Healthy
            }
            Ok(_) | Err(_) => Disk::Full,
        }
    }

    fn bind(&self, binding: ClusterBinding) -> Result<(), FolderError> {
        self.bind(binding)
    }

    fn store(&self, witness: &Witnessed) -> Result<(RocksLog, RocksState), FolderError> {
        self.store(witness)
    }

    fn put_away(&self) {
        self.put_away();
    }
}

impl LogDisk for RocksLog {
    fn durable(&self) -> Option<LogId> {
        *self.durable_last().borrow()
    }

    fn reached(&self) -> Option<LogId> {
        self.reached()
    }

    fn vote(&self) -> Option<Vote> {
        self.vote()
    }

    fn last_fsync(&self) -> Duration {
        self.last_fsync()
    }
}
