//! The RocksDB store: what it gives back, what it refuses at open, and which row it names.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and writes what a test must damage"
)]

mod entries;

use entries::{Place, append, entry, id, indexes, vote};
use openraft::{
    RaftLogReader as _,
    storage::{RaftLogStorage as _, RaftLogStorageExt as _},
};
use raft_store::{
    codec,
    machine::{Changes, Loaded, Row, StateDisk as _},
    rocks::{self, StoreError},
    types::{SnapshotMeta, StoredMembership},
};
use rocksdb::{DB, Options};

const FAMILIES: [&str; 3] = ["meta", "log", "state"];

fn row(key: u8, value: u64) -> Row {
    Row {
        key: vec![key],
        value: Some(codec::encode(&value).unwrap()),
    }
}

fn changes(rows: Vec<Row>, index: u64) -> Changes {
    Changes {
        rows,
        applied: id(1, index),
        membership: None,
    }
}

fn meta(index: u64) -> SnapshotMeta {
    SnapshotMeta {
        last_log_id: Some(id(1, index)),
        last_membership: StoredMembership::default(),
    }
}

/// A store with a vote, ten entries and a state that applied eight of them.
async fn filled() -> Place {
    let place = Place::new();
    let (mut log, state) = place.open().unwrap();
    log.save_vote(&vote(1, 1)).await.unwrap();
    append(&mut log, 1, 0, 10).await;
    state.write(changes(vec![row(1, 7), row(2, 8)], 7)).unwrap();
    place
}

/// What `open` says after somebody changed the database behind its back.
async fn after(change: impl FnOnce(&DB)) -> String {
    let place = filled().await;
    let db = DB::open_cf(&Options::default(), place.db(), FAMILIES).unwrap();
    change(&db);
    drop(db);
    let error = place.open().unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(place.db().to_str().unwrap()), "{text}");
    text
}

fn put(db: &DB, family: &str, key: &[u8], value: &[u8]) {
    db.put_cf(db.cf_handle(family).unwrap(), key, value)
        .unwrap();
}

#[tokio::test]
async fn everything_written_is_there_after_a_restart() {
    let place = filled().await;
    let (mut log, state) = place.open().unwrap();
    assert_eq!(log.read_vote().await.unwrap(), Some(vote(1, 1)));
    assert_eq!(indexes(&mut log).await, (0..10).collect::<Vec<_>>());
    assert_eq!(
        log.get_log_state().await.unwrap().last_log_id,
        Some(id(1, 9))
    );
    assert_eq!(*log.durable_last().borrow(), Some(id(1, 9)));
    let loaded = state.load().unwrap();
    assert_eq!(loaded.applied, Some(id(1, 7)));
    assert_eq!(loaded.rows.len(), 2);
}

#[tokio::test]
async fn opening_what_was_never_created_is_refused_and_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let error = entries::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Missing(_)), "{error:?}");
    assert!(!folder.path().join("db").exists());
    rocks::create(&folder.path().join("db")).unwrap();
    let again = rocks::create(&folder.path().join("db")).unwrap_err();
    assert!(matches!(again, StoreError::Exists(_)), "{again:?}");
}

/// One flipped bit in CURRENT names a manifest that is not there. That is damage, not a failing disk:
/// a supervisor must not start it again and again.
#[tokio::test]
async fn a_file_that_the_database_names_and_that_is_not_there_is_damage_r8() {
    let place = filled().await;
    std::fs::write(place.db().join("CURRENT"), "MANIFEST-000099\n").unwrap();
    let error = place.open().unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("MANIFEST-000099"), "{error}");
}

#[tokio::test]
async fn a_hole_in_the_log_is_refused_by_its_entry() {
    let text = after(|db| {
        db.delete_cf(db.cf_handle("log").unwrap(), 4u64.to_be_bytes())
            .unwrap()
    });
    assert!(text.await.contains("log entry 5 "));
}

#[tokio::test]
async fn an_entry_under_another_index_is_refused_by_its_row() {
    let moved = codec::encode_wire(&entry(1, 3)).unwrap();
    let text = after(|db| put(db, "log", &4u64.to_be_bytes(), &moved)).await;
    assert!(text.contains("log entry 4: it holds entry 3"), "{text}");
}

#[tokio::test]
async fn a_changed_entry_is_refused_by_its_checksum() {
    let mut frame = codec::encode_wire(&entry(1, 4)).unwrap();
    *frame.last_mut().unwrap() ^= 1;
    let text = after(|db| put(db, "log", &4u64.to_be_bytes(), &frame)).await;
    assert!(text.contains("log entry 4: checksum mismatch"), "{text}");
}

#[tokio::test]
async fn an_entry_of_an_unknown_format_is_refused_and_never_skipped_r36() {
    let mut frame = codec::encode_wire(&entry(1, 4)).unwrap();
    frame[0] = 9;
    let text = after(|db| put(db, "log", &4u64.to_be_bytes(), &frame)).await;
    assert!(text.contains("format 9 is unknown"), "{text}");
}

#[tokio::test]
async fn a_changed_vote_is_refused_by_its_row() {
    let text = after(|db| put(db, "meta", b"vote", b"\x01not a vote")).await;
    assert!(text.contains("row vote of meta"), "{text}");
}

#[tokio::test]
async fn a_vote_below_the_log_is_refused() {
    let old = codec::encode_wire(&vote(0, 1)).unwrap();
    let text = after(|db| put(db, "meta", b"vote", &old)).await;
    assert!(text.contains("the log has entries of term"), "{text}");
}

#[tokio::test]
async fn a_changed_state_row_is_refused() {
    let text = after(|db| put(db, "state", b"row/\x01", b"\x01....mark")).await;
    assert!(text.contains("state row"), "{text}");
}

#[tokio::test]
async fn a_state_ahead_of_the_log_is_refused_unless_a_snapshot_covers_it() {
    let ahead = codec::encode_wire(&id(1, 20)).unwrap();
    let text = after(|db| put(db, "state", b"applied", &ahead)).await;
    assert!(text.contains("ahead of the log"), "{text}");

    let place = filled().await;
    let (_log, state) = place.open().unwrap();
    let rows = vec![(vec![3], codec::encode(&9u64).unwrap())];
    let loaded = Loaded {
        rows,
        applied: Some(id(1, 20)),
        ..Loaded::default()
    };
    state.publish_snapshot(&meta(20), b"state at 20").unwrap();
    state.replace(loaded).unwrap();
    drop((_log, state)); // killed before the log was purged
    let (_log, state) = place.open().unwrap();
    assert_eq!(state.load().unwrap().applied, Some(id(1, 20)));
    assert_eq!(state.load().unwrap().rows.len(), 1, "replaced, not merged");
}

#[tokio::test]
async fn a_log_purged_beyond_the_state_is_refused() {
    let purged = codec::encode_wire(&id(1, 8)).unwrap();
    let text = after(|db| put(db, "meta", b"purged", &purged)).await;
    assert!(text.contains("purged up to"), "{text}");
}

#[tokio::test]
async fn a_committed_entry_is_never_truncated() {
    let place = filled().await;
    let (mut log, _state) = place.open().unwrap();
    log.save_committed(Some(id(1, 7))).await.unwrap();
    log.truncate_after(Some(id(1, 6))).await.unwrap_err();
    assert_eq!(indexes(&mut log).await.len(), 10);
    log.truncate_after(Some(id(1, 7))).await.unwrap();
    assert_eq!(*log.durable_last().borrow(), Some(id(1, 7)));
    assert_eq!(indexes(&mut log).await, (0..8).collect::<Vec<_>>());
    drop((log, _state));
    let (mut log, _state) = place.open().unwrap();
    assert_eq!(indexes(&mut log).await, (0..8).collect::<Vec<_>>());
}

#[tokio::test]
async fn purged_entries_are_gone_at_once_whatever_rows_are_left() {
    let place = Place::new();
    let (mut log, state) = place.open().unwrap();
    log.save_vote(&vote(1, 1)).await.unwrap();
    log.blocking_append((0..3000).map(|index| entry(1, index)))
        .await
        .unwrap();
    state.write(changes(vec![row(1, 1)], 2999)).unwrap();
    for upto in [10, 500, 1500, 1600] {
        log.purge(id(1, upto)).await.unwrap();
        assert_eq!(indexes(&mut log).await.first(), Some(&(upto + 1)));
    }
    drop((log, state));
    let (mut log, _state) = place.open().unwrap();
    assert_eq!(indexes(&mut log).await, (1601..3000).collect::<Vec<_>>());
    log.purge(id(1, 2999)).await.unwrap();
    assert_eq!(
        log.get_log_state().await.unwrap().last_log_id,
        Some(id(1, 2999))
    );
    append(&mut log, 1, 3000, 3002).await;
    drop((log, _state));
    let (mut log, _state) = place.open().unwrap();
    assert_eq!(indexes(&mut log).await, [3000, 3001]);
}

#[tokio::test]
async fn a_read_for_replication_stays_below_a_message() {
    let place = Place::new();
    let (mut log, _state) = place.open().unwrap();
    let count = 100_000;
    log.blocking_append((0..count).map(|index| entry(1, index)))
        .await
        .unwrap();
    let read = log.limited_get_log_entries(5, count).await.unwrap();
    let bytes = codec::encode_wire(&read).unwrap().len();
    assert!(
        read.len() > 1000 && bytes < codec::MAX_FRAME,
        "{} in {bytes}",
        read.len()
    );
    assert_eq!(read[0].log_id, id(1, 5));
    assert_eq!(log.limited_get_log_entries(7, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_claimed_is_committed_and_durable() {
    let place = filled().await;
    let (mut log, _state) = place.open().unwrap();
    assert_eq!(
        log.reached(),
        None,
        "durable, and not known to be committed"
    );
    log.save_committed(Some(id(1, 4))).await.unwrap();
    assert_eq!(log.reached(), Some(id(1, 4)));
    log.save_committed(Some(id(1, 15))).await.unwrap();
    assert_eq!(
        log.reached(),
        Some(id(1, 9)),
        "committed by others, and not durable here"
    );
}

#[tokio::test]
async fn a_published_snapshot_never_goes_back() {
    let place = filled().await;
    let (_log, state) = place.open().unwrap();
    state.publish_snapshot(&meta(8), b"newer").unwrap();
    state
        .publish_snapshot(&meta(5), b"older, built late")
        .unwrap();
    let (found, bytes) = state.snapshot().unwrap().unwrap();
    assert_eq!(
        (found.last_log_id, bytes.as_slice()),
        (Some(id(1, 8)), &b"newer"[..])
    );
}

#[tokio::test]
async fn every_change_of_a_byte_of_a_snapshot_is_refused_and_named_r8() {
    let place = filled().await;
    let (log, state) = place.open().unwrap();
    state.publish_snapshot(&meta(8), b"the state").unwrap();
    drop((log, state));
    let whole = std::fs::read(place.snapshot()).unwrap();
    let mut damaged: Vec<Vec<u8>> = (0..whole.len()).map(|cut| whole[..cut].to_vec()).collect();
    damaged.push([&whole[..], b"x"].concat());
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        damaged.push(flipped);
    }
    for bytes in damaged {
        std::fs::write(place.snapshot(), &bytes).unwrap();
        let text = place.open().unwrap_err().to_string();
        assert!(text.contains(place.snapshot().to_str().unwrap()), "{text}");
    }
    std::fs::write(place.snapshot(), &whole).unwrap();
    place.open().unwrap();
}
