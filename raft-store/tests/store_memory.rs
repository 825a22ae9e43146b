//! The store in memory: the boundary between written and synced is where it says it is.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and writes what a test must damage"
)]

mod entries;

use entries::{append, entry, id, indexes, vote};
use openraft::{
    RaftLogReader as _,
    alias::OneshotReceiverOf,
    storage::{IOFlushed, RaftLogStorage as _},
    type_config::TypeConfigExt as _,
};
use raft_store::{
    codec,
    machine::{Changes, Row, StateDisk as _},
    memory::{MemoryDisk, MemoryLog},
    types::Types,
};

async fn read(log: &mut MemoryLog) -> Vec<u64> {
    let found = log.try_get_log_entries(0..).await.unwrap();
    found.iter().map(|entry| entry.log_id.index).collect()
}

/// Starts an append whose completion can be awaited.
async fn start_append(
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
async fn a_power_cut_takes_what_was_not_synced_and_answers_nobody() {
    let disk = MemoryDisk::new();
    let (mut log, state) = disk.open();
    log.save_vote(&vote(1, 1)).await.unwrap();
    drop(start_append(&mut log, 0).await);
    disk.hold_syncs(true);
    let waiting = start_append(&mut log, 1).await;
    let value = Some(codec::encode(&1u8).unwrap());
    let rows = vec![Row {
        key: vec![1],
        value,
    }];
    state
        .write(Changes {
            rows,
            applied: id(1, 0),
            membership: None,
        })
        .unwrap();
    assert_eq!(
        read(&mut log).await,
        [0, 1],
        "readable before it is durable"
    );
    disk.power_cut();
    disk.hold_syncs(false);
    waiting.await.unwrap_err();
    let (mut log, state) = disk.open();
    assert_eq!(read(&mut log).await, [0]);
    assert_eq!(log.read_vote().await.unwrap(), Some(vote(1, 1)));
    assert_eq!(state.load().unwrap().applied, None);
}

#[tokio::test]
async fn a_crash_keeps_the_cache_and_the_next_start_syncs_it() {
    let disk = MemoryDisk::new();
    let (mut log, _state) = disk.open();
    disk.hold_syncs(true);
    let waiting = start_append(&mut log, 0).await;
    disk.crash();
    waiting.await.unwrap_err();
    let (mut log, _state) = disk.open();
    assert_eq!(read(&mut log).await, [0]);
    assert_eq!(
        disk.unsynced(),
        0,
        "nothing read at open may count before it is synced"
    );
    disk.power_cut();
    let (mut log, _state) = disk.open();
    assert_eq!(read(&mut log).await, [0]);
}

#[tokio::test]
async fn what_survives_a_torn_power_cut_is_a_prefix() {
    for survivors in 0..=3 {
        let disk = MemoryDisk::new();
        let (mut log, _state) = disk.open();
        disk.hold_syncs(true);
        for index in 0..3 {
            drop(start_append(&mut log, index).await);
        }
        disk.power_cut_after(survivors);
        let (mut log, _state) = disk.open();
        assert_eq!(read(&mut log).await.len(), survivors);
    }
}

#[tokio::test]
async fn a_process_that_is_gone_writes_nothing() {
    let disk = MemoryDisk::new();
    let (mut ghost, _state) = disk.open();
    disk.crash();
    let (mut log, _state) = disk.open();
    ghost.save_vote(&vote(9, 9)).await.unwrap_err();
    assert_eq!(log.read_vote().await.unwrap(), None);
}

#[tokio::test]
async fn both_stores_refuse_to_truncate_what_is_committed() {
    let place = entries::Place::new();
    let (mut on_disk, _rocks) = place.open().unwrap();
    append(&mut on_disk, 1, 0, 3).await;
    on_disk.save_committed(Some(id(1, 2))).await.unwrap();
    on_disk.truncate_after(Some(id(1, 1))).await.unwrap_err();
    assert_eq!(indexes(&mut on_disk).await.len(), 3);

    let (mut in_memory, _state) = MemoryDisk::new().open();
    for index in 0..3 {
        drop(start_append(&mut in_memory, index).await);
    }
    in_memory.save_committed(Some(id(1, 2))).await.unwrap();
    in_memory.truncate_after(Some(id(1, 1))).await.unwrap_err();
    assert_eq!(read(&mut in_memory).await.len(), 3);
}
