//! The folder in memory: what a simulation does to its disk is what happens to it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod entries;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use entries::{entry, id, vote};
use openraft::alias::OneshotReceiverOf;
use openraft::storage::{IOFlushed, RaftLogStorage as _};
use openraft::type_config::TypeConfigExt as _;
use raft_store::folder::FolderError;
use raft_store::ground::{Ground as _, LogDisk as _};
use raft_store::guard;
use raft_store::memory::{Driver, MemoryDisk, MemoryFolder, MemoryLog, Synced};
use raft_store::types::{Fingerprint, Types};
use raft_store::witness::Witnessed;
use tokio::time::sleep;

const NODE: Fingerprint = Fingerprint([7; 32]);

/// Notes what it is told, and syncs nothing.
#[derive(Debug, Default)]
struct Notes {
    wanted: AtomicUsize,
    durable: Mutex<Vec<Synced>>,
    stopped: Mutex<Option<String>>,
}

impl Driver for Notes {
    fn wanted(&self) {
        self.wanted.fetch_add(1, Ordering::Relaxed);
    }

    fn durable(&self, synced: &[Synced]) {
        self.durable.lock().unwrap().extend(synced.iter().cloned());
    }

    fn stopped(&self, reason: &str) {
        *self.stopped.lock().unwrap() = Some(reason.to_owned());
    }
}

fn made() -> MemoryDisk {
    let disk = MemoryDisk::new();
    MemoryFolder::create(&disk, NODE).unwrap();
    disk
}

fn open(disk: &MemoryDisk) -> (MemoryFolder, MemoryLog) {
    let folder = MemoryFolder::open(disk, [1; 16]).unwrap();
    let (log, _state) = folder.store(&Witnessed::default()).unwrap();
    (folder, log)
}

async fn append(
    log: &mut MemoryLog,
    index: u64,
) -> OneshotReceiverOf<Types, Result<(), std::io::Error>> {
    let (sender, receiver) = Types::oneshot();
    log.append([entry(1, index)], IOFlushed::<Types>::signal(sender))
        .await
        .unwrap();
    receiver
}

#[tokio::test]
async fn a_disk_without_a_node_is_not_opened_and_one_with_a_node_not_made_again() {
    let disk = MemoryDisk::new();
    let empty = MemoryFolder::open(&disk, [1; 16]).unwrap_err();
    assert!(matches!(empty, FolderError::Empty { .. }), "{empty}");
    let disk = made();
    let exists = MemoryFolder::create(&disk, NODE).unwrap_err();
    assert!(matches!(exists, FolderError::Exists { .. }), "{exists}");
    disk.wipe();
    let empty = MemoryFolder::open(&disk, [1; 16]).unwrap_err();
    assert!(matches!(empty, FolderError::Empty { .. }), "{empty}");
}

#[tokio::test]
async fn a_disk_is_one_process_until_that_ends_or_crashes_and_each_start_is_counted() {
    let disk = made();
    let (first, _log) = open(&disk);
    assert_eq!(first.boot().counter, 1);
    let locked = MemoryFolder::open(&disk, [2; 16]).unwrap_err();
    assert!(matches!(locked, FolderError::Locked { .. }), "{locked}");
    drop(first);
    let (second, _log) = open(&disk);
    assert_eq!(second.boot().counter, 2);
    disk.crash();
    let (third, _log) = open(&disk);
    assert_eq!(third.boot().counter, 3);
    drop(second);
    let locked = MemoryFolder::open(&disk, [2; 16]).unwrap_err();
    assert!(
        matches!(locked, FolderError::Locked { .. }),
        "the dead hold nothing"
    );
}

#[tokio::test]
async fn a_sync_covers_what_was_written_before_it_began_and_answers_in_order() {
    let (disk, notes) = (made(), Arc::new(Notes::default()));
    disk.set_driver(Arc::<Notes>::clone(&notes));
    let (_folder, mut log) = open(&disk);
    let saving = tokio::spawn({
        let mut log = log.clone();
        async move { log.save_vote(&vote(1, 1)).await }
    });
    tokio::task::yield_now().await;
    let first = append(&mut log, 0).await;
    let begun = disk.begin_sync();
    let mut second = append(&mut log, 1).await;
    assert_eq!(notes.wanted.load(Ordering::Relaxed), 3);
    assert!(disk.finish_sync(begun));
    saving.await.unwrap().unwrap();
    first.await.unwrap().unwrap();
    second.try_recv().unwrap_err();
    assert_eq!(
        (log.durable(), log.vote()),
        (Some(id(1, 0)), Some(vote(1, 1)))
    );
    assert_eq!(disk.durable_log(), [id(1, 0)]);
    assert_eq!(notes.durable.lock().unwrap().len(), 2);
    let late = disk.begin_sync();
    disk.crash();
    assert!(!disk.finish_sync(late), "nobody is left to ask for it");
    assert_eq!(disk.unsynced(), 1);
}

#[tokio::test]
async fn a_failed_sync_takes_what_it_covered_and_ends_the_process() {
    let (disk, notes) = (made(), Arc::new(Notes::default()));
    disk.set_driver(Arc::<Notes>::clone(&notes));
    let (_folder, mut log) = open(&disk);
    let waiting = append(&mut log, 0).await;
    let begun = disk.begin_sync();
    assert!(disk.fail_sync(begun));
    waiting.await.unwrap_err();
    let stopped = notes.stopped.lock().unwrap().clone().unwrap();
    assert!(stopped.contains("os error 5"), "{stopped}");
    let error = log.save_vote(&vote(1, 1)).await.unwrap_err();
    assert_eq!(error.to_string(), stopped);
    let (_folder, log) = open(&disk);
    assert_eq!(log.durable(), None);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_older_than_its_guard_is_refused() {
    let disk = made();
    let (folder, mut log) = open(&disk);
    log.save_vote(&vote(1, 1)).await.unwrap();
    let before = disk.image();
    drop(append(&mut log, 0).await);
    log.save_committed(Some(id(1, 0))).await.unwrap();
    sleep(guard::INTERVAL * 2).await;
    disk.crash();
    drop(folder);
    let newer = disk.image();
    assert_ne!(before, newer);
    // The whole disk as it was: intact in itself, so that only its peers can know.
    let older = MemoryDisk::of(before.clone());
    let (restored, log) = open(&older);
    assert_eq!((restored.boot().counter, log.durable()), (2, None));
    // The log as it was, under the guard as it is.
    let disk = MemoryDisk::of(before.with_files_of(&newer));
    let folder = MemoryFolder::open(&disk, [2; 16]).unwrap();
    let behind = folder.store(&Witnessed::default()).unwrap_err();
    assert!(matches!(behind, FolderError::Behind { .. }), "{behind}");
}
