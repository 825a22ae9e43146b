//! openraft's own suite over both stores, with the real state machine.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and writes what a test must damage"
)]

use openraft::{
    StorageError,
    testing::log::{StoreBuilder, Suite},
};
use raft_store::{
    machine::Machine,
    memory::{MemoryDisk, MemoryLog, MemoryState},
    rocks::{self, RocksLog, RocksState},
    types::Types,
};

struct OnDisk;

impl StoreBuilder<Types, RocksLog, Machine<RocksState>, tempfile::TempDir> for OnDisk {
    async fn build(
        &self,
    ) -> Result<(tempfile::TempDir, RocksLog, Machine<RocksState>), StorageError<Types>> {
        let folder = tempfile::tempdir().unwrap();
        rocks::create(&folder.path().join("db")).unwrap();
        let (log, state) =
            rocks::open(&folder.path().join("db"), &folder.path().join("snapshot")).unwrap();
        Ok((folder, log, Machine::open(state).unwrap()))
    }
}

struct InMemory;

impl StoreBuilder<Types, MemoryLog, Machine<MemoryState>> for InMemory {
    async fn build(&self) -> Result<((), MemoryLog, Machine<MemoryState>), StorageError<Types>> {
        let (log, state) = MemoryDisk::new().open();
        Ok(((), log, Machine::open(state).unwrap()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openrafts_suite_passes_over_rocksdb() {
    Suite::test_all(OnDisk).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn openrafts_suite_passes_over_memory() {
    Suite::test_all(InMemory).await.unwrap();
}
