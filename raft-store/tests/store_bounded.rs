//! The folder stays bounded, however long the node signs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, and writes what a test must damage"
)]

mod entries;

use std::{fs, path::Path};

use entries::{Place, entry, id, vote};
use openraft::storage::{RaftLogStorage as _, RaftLogStorageExt as _};
use raft_store::{
    codec,
    machine::{Changes, Row, StateDisk as _},
    types::{SnapshotMeta, StoredMembership},
};

const ADVANCES: u64 = 1_000_000;
/// Entries in one append: what group commit makes of a busy node.
const GROUP: u64 = 1_000;
/// Entries between snapshots, as the node is configured.
const SNAPSHOT_EVERY: u64 = 10_000;
const LIMIT: u64 = 48 << 20;

fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).unwrap();
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0, // RocksDB deleted it in between
        })
        .sum()
}

#[tokio::test]
async fn the_folder_stays_bounded_over_a_million_advances() {
    let place = Place::new();
    let (mut log, state) = place.open().unwrap();
    log.save_vote(&vote(1, 1)).await.unwrap();
    let mut largest = 0;
    for start in (0..ADVANCES).step_by(usize::try_from(GROUP).unwrap()) {
        let last = start + GROUP - 1;
        log.blocking_append((start..=last).map(|index| entry(1, index)))
            .await
            .unwrap();
        log.save_committed(Some(id(1, last))).await.unwrap();
        let value = Some(codec::encode(&[last; 12]).unwrap());
        let rows = vec![Row {
            key: b"the mark".to_vec(),
            value,
        }];
        state
            .write(Changes {
                rows,
                applied: id(1, last),
                membership: None,
            })
            .unwrap();
        if (last + 1).is_multiple_of(SNAPSHOT_EVERY) {
            let last_membership = StoredMembership::default();
            let meta = SnapshotMeta {
                last_log_id: Some(id(1, last)),
                last_membership,
            };
            state.publish_snapshot(&meta, &[7; 1000]).unwrap();
            log.purge(id(1, last - 1_000)).await.unwrap();
            largest = largest.max(size(place.db().parent().unwrap()));
        }
    }
    println!("{ADVANCES} advances: at most {} MiB on disk", largest >> 20);
    assert!(largest < LIMIT, "{largest} bytes");
    drop((log, state));
    let (mut log, state) = place.open().unwrap();
    assert_eq!(state.load().unwrap().applied, Some(id(1, ADVANCES - 1)));
    let found = entries::indexes(&mut log).await;
    assert_eq!(found, (ADVANCES - 1_000..ADVANCES).collect::<Vec<_>>());
}
