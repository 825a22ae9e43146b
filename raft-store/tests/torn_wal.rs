//! A write-ahead log with a hole in it, as a power cut leaves it: above the guard the node starts
//! with all that the guard saw, below it the node is refused, for ever.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and writes what a test must damage"
)]

mod copied;
mod entries;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use copied::copy;
use entries::{append, id, indexes, vote};
use openraft::{RaftLogReader as _, storage::RaftLogStorage as _};
use raft_store::{
    codec,
    folder::{Folder, FolderError},
    machine::{Changes, Row, StateDisk as _},
    rocks::{RocksLog, RocksState},
    witness::Witnessed,
};

const SECTOR: usize = 512;
/// What one write of the log holds before RocksDB starts another block.
const BLOCK: usize = 32 << 10;
/// Entries that the guard saw.
const GUARDED: u64 = 60;

type Store = (Folder, RocksLog, RocksState);

/// A node that was killed, and where in its log the guard ends.
struct Killed {
    _keep: tempfile::TempDir,
    path: PathBuf,
    guarded: usize,
    /// The number of the last write that the guard saw.
    synced: u64,
}

impl Killed {
    /// `entries` entries, all of them synced and none committed, of which the guard saw the first
    /// [`GUARDED`] and no more: it is written a last time when the folder is dropped.
    async fn after(entries: u64) -> Self {
        let keep = tempfile::tempdir().unwrap();
        let whole = keep.path().join("whole");
        Folder::create(&whole).unwrap();
        // So that there are tables, and the log is not the first one.
        let (folder, mut log, state) = open(&whole).unwrap();
        log.save_vote(&vote(1, 1)).await.unwrap();
        append(&mut log, 1, 0, 10).await;
        drop((log, state, folder));
        let (folder, mut log, _state) = open(&whole).unwrap();
        log.save_vote(&vote(2, 1)).await.unwrap();
        append(&mut log, 1, 10, GUARDED).await;
        drop(folder);
        let synced = log.synced().unwrap();
        let guarded = fs::read(newest_log(&whole)).unwrap().len();
        append(&mut log, 1, GUARDED, entries).await;
        let path = keep.path().join("node");
        copy(&whole, &path);
        Self {
            _keep: keep,
            path,
            guarded,
            synced,
        }
    }

    fn length(&self) -> usize {
        fs::read(newest_log(&self.path)).unwrap().len()
    }

    /// A sector that never reached the disk, with later ones that did.
    fn hole(&self, at: usize) {
        let log = newest_log(&self.path);
        let mut bytes = fs::read(&log).unwrap();
        assert!(at + SECTOR < bytes.len(), "something is behind the hole");
        bytes[at..at + SECTOR].fill(0);
        fs::write(log, bytes).unwrap();
    }

    /// Every byte of the database and of the guard, but for RocksDB's own chatter.
    fn bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let names = fs::read_dir(self.path.join("db")).unwrap();
        let names = names.map(|entry| entry.unwrap().path());
        names
            .filter(|path| !path.file_name().unwrap().to_string_lossy().contains("LOG"))
            .chain([self.path.join("guard")])
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    }
}

fn open(path: &Path) -> Result<Store, FolderError> {
    let folder = Folder::open(path, None)?;
    let (log, state) = folder.store(&Witnessed::default())?;
    Ok((folder, log, state))
}

/// One row of the state, so many bytes long, as of an entry.
fn row(key: u8, applied: u64, bytes: usize) -> Changes {
    let value = codec::encode(&serde_bytes::ByteBuf::from(vec![key; bytes])).unwrap();
    Changes {
        rows: vec![Row {
            key: vec![key],
            value: Some(value),
        }],
        applied: id(1, applied),
        membership: None,
    }
}

fn newest_log(path: &Path) -> PathBuf {
    let names = fs::read_dir(path.join("db")).unwrap();
    let logs = names.map(|entry| entry.unwrap().path());
    logs.filter(|path| path.extension().is_some_and(|end| end == "log"))
        .max()
        .unwrap()
}

/// Refused with 65, by the name of the log, and again, with every byte as it was found.
fn refused_for_ever(killed: &Killed, words: &[&str]) {
    let before = killed.bytes();
    let name = newest_log(&killed.path);
    let name = name.to_str().unwrap();
    let mut said = Vec::new();
    for _attempt in 0..3 {
        let error = open(&killed.path).map(drop).unwrap_err();
        assert_eq!(error.exit_code(), 65, "{error}");
        let text = error.to_string();
        for word in words.iter().chain([&name, &"quorate cluster status"]) {
            assert!(text.contains(word), "{word:?} is not in {text:?}");
        }
        said.push(text);
        assert!(killed.bytes() == before, "a refused folder was changed");
        assert!(!killed.path.join("db.judged").exists());
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test]
async fn a_hole_above_the_guard_is_cut_and_all_that_the_guard_saw_is_there_r8() {
    let killed = Killed::after(120).await;
    let (guarded, length) = (killed.guarded, killed.length());
    assert!(length > guarded + 4 * SECTOR, "{guarded} of {length}");
    for at in (guarded..length - SECTOR).step_by(101) {
        let other = Killed {
            path: killed._keep.path().join(format!("hole at {at}")),
            _keep: tempfile::tempdir().unwrap(),
            guarded,
            synced: killed.synced,
        };
        copy(&killed.path, &other.path);
        other.hole(at);
        let (folder, mut log, state) = open(&other.path).unwrap();
        let torn = log.torn().unwrap().clone();
        assert_eq!(torn.path.parent().unwrap(), other.path.join("db"));
        let readable = usize::try_from(torn.readable).unwrap();
        assert!((guarded..=at).contains(&readable), "{torn:?}");
        assert_eq!(torn.readable + torn.dropped, u64::try_from(length).unwrap());
        assert!(torn.written >= killed.synced, "{torn:?}");
        let left = indexes(&mut log).await;
        let count = u64::try_from(left.len()).unwrap();
        assert_eq!(left, (0..count).collect::<Vec<_>>(), "a prefix");
        assert!(
            (GUARDED..120).contains(&count),
            "{count} entries are left, the guard saw {GUARDED}"
        );
        assert_eq!(log.read_vote().await.unwrap(), Some(vote(2, 1)));

        // It goes on from there, and nothing is found torn again.
        append(&mut log, 1, count, count + 30).await;
        drop((folder, log, state));
        let (_folder, mut log, _state) = open(&other.path).unwrap();
        assert_eq!(log.torn(), None);
        assert_eq!(indexes(&mut log).await, (0..count + 30).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_hole_below_the_guard_is_refused_by_name_and_the_folder_left_as_it_is_r8() {
    let killed = Killed::after(120).await;
    let sound = fs::read(newest_log(&killed.path)).unwrap();
    for at in [0, 1, 700, killed.guarded - SECTOR, killed.guarded - 1] {
        killed.hole(at);
        let words = ["unreadable from byte", "the guard saw"];
        let words = if at < 19 {
            &["unreadable from its first record"][..]
        } else {
            &words
        };
        refused_for_ever(&killed, words);
        fs::write(newest_log(&killed.path), &sound).unwrap();
    }
    // No entry was committed: only the number of the last synced write tells.
    let (_folder, mut log, _state) = open(&killed.path).unwrap();
    assert_eq!(log.reached(), None);
    assert_eq!(indexes(&mut log).await.len(), 120);
}

#[tokio::test]
async fn a_clean_cut_of_uncommitted_entries_below_the_guard_is_refused_r8() {
    let killed = Killed::after(GUARDED + 1).await;
    let log = newest_log(&killed.path);
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..killed.guarded - 1]).unwrap();
    refused_for_ever(&killed, &["unreadable from byte", "the guard saw number"]);
}

/// What is applied is not synced while a node works: the log gives it again. In the end it is, also while
/// some task still holds what it had (that was so in every node, and its last guard was an old one).
#[tokio::test]
async fn a_node_that_ended_in_order_leaves_nothing_that_may_be_cut_r8() {
    for held in [false, true] {
        let keep = tempfile::tempdir().unwrap();
        let path = keep.path().join("node");
        Folder::create(&path).unwrap();
        let (folder, mut log, state) = open(&path).unwrap();
        log.save_vote(&vote(1, 1)).await.unwrap();
        append(&mut log, 1, 0, 20).await;
        state.write(row(1, 1, 4 * SECTOR)).unwrap();
        folder.put_away();
        let killed = Killed {
            guarded: fs::read(newest_log(&path)).unwrap().len(),
            path: keep.path().join("killed"),
            _keep: keep,
            synced: 0,
        };
        if held {
            copy(&path, &killed.path);
            drop((folder, log, state));
        } else {
            drop((folder, log, state));
            copy(&path, &killed.path);
        }
        let sound = fs::read(newest_log(&killed.path)).unwrap();
        for at in (0..killed.guarded).step_by(killed.guarded / 7) {
            let mut flipped = sound.clone();
            flipped[at] ^= 0x10;
            fs::write(newest_log(&killed.path), flipped).unwrap();
            refused_for_ever(&killed, &["unreadable from"]);
        }
        fs::write(newest_log(&killed.path), sound).unwrap();
        assert_eq!(open(&killed.path).unwrap().1.torn(), None);
    }
}

/// The state's row that one apply wrote must not vanish between others. RocksDB by itself takes an
/// empty header for the end of a block and reads on in the next.
#[tokio::test]
async fn an_emptied_end_of_a_block_is_not_read_over_r8() {
    let keep = tempfile::tempdir().unwrap();
    let path = keep.path().join("node");
    Folder::create(&path).unwrap();
    let (folder, mut log, state) = open(&path).unwrap();
    log.save_vote(&vote(1, 1)).await.unwrap();
    append(&mut log, 1, 0, 1).await;
    drop(folder); // the guard sees no more
    let apply = |key: u8, bytes: usize| {
        state.write(row(key, 0, bytes)).unwrap();
        fs::read(newest_log(&path)).unwrap().len()
    };
    let guarded = apply(1, 100);
    let from = apply(2, 100);
    assert!(guarded < from && from < BLOCK);
    apply(3, BLOCK - from);
    apply(4, 100);
    log.save_vote(&vote(2, 1)).await.unwrap();
    let killed = Killed {
        path: keep.path().join("killed"),
        _keep: keep,
        guarded,
        synced: 0,
    };
    copy(&path, &killed.path);
    let emptied = newest_log(&killed.path);
    let mut bytes = fs::read(&emptied).unwrap();
    bytes[guarded..BLOCK].fill(0);
    fs::write(&emptied, bytes).unwrap();
    let (_folder, log, state) = open(&killed.path).unwrap();
    let rows = state.load().unwrap().rows;
    let keys: Vec<Vec<u8>> = rows.into_iter().map(|(key, _value)| key).collect();
    assert_eq!(keys, [[1]], "a later row was read over a missing one");
    assert!(log.torn().is_some());
}

#[tokio::test]
async fn a_damaged_table_or_manifest_is_refused_beside_a_torn_log_and_nothing_is_cut_r8() {
    let killed = Killed::after(120).await;
    killed.hole(killed.guarded + 100);
    let names = fs::read_dir(killed.path.join("db")).unwrap();
    let names = names.map(|entry| entry.unwrap().path());
    let wanted: Vec<PathBuf> = names
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.ends_with(".sst") || name.starts_with("MANIFEST") || name == "CURRENT"
        })
        .collect();
    assert!(wanted.len() >= 3, "{wanted:?}");
    for path in wanted {
        let sound = fs::read(&path).unwrap();
        let mut flipped = sound.clone();
        flipped[sound.len() / 3] ^= 0x10;
        fs::write(&path, flipped).unwrap();
        let before = killed.bytes();
        for _attempt in 0..2 {
            let error = open(&killed.path).map(drop).unwrap_err();
            assert_eq!(error.exit_code(), 65, "{}: {error}", path.display());
            let text = error.to_string();
            assert!(!text.contains("judged"), "{text}");
            assert!(text.contains(killed.path.to_str().unwrap()), "{text}");
            assert!(killed.bytes() == before, "a refused folder was changed");
        }
        fs::write(&path, sound).unwrap();
    }
    assert!(open(&killed.path).unwrap().1.torn().is_some());
}

/// A guard that an older version wrote has no number: then a torn log is refused, as it was then.
#[tokio::test]
async fn without_a_number_in_the_guard_nothing_is_cut_r8() {
    #[derive(serde::Serialize)]
    struct Older {
        incarnation: [u8; 32],
        boot: u64,
        vote: Option<()>,
        reached: Option<()>,
        mirrored: bool,
    }
    let killed = Killed::after(120).await;
    let incarnation = Folder::open(&killed.path, None).unwrap().identity();
    let older = Older {
        incarnation: incarnation.fingerprint().0,
        boot: 1,
        vote: None,
        reached: None,
        mirrored: false,
    };
    fs::write(killed.path.join("guard"), codec::encode(&older).unwrap()).unwrap();
    let sound = fs::read(newest_log(&killed.path)).unwrap();
    killed.hole(killed.guarded + 100);
    let before = killed.bytes();
    let error = open(&killed.path).map(drop).unwrap_err();
    assert_eq!(error.exit_code(), 65, "{error}");
    let log = newest_log(&killed.path);
    assert_eq!(killed.bytes().get(&log), before.get(&log));
    fs::write(&log, sound).unwrap();
    let (_folder, mut log, _state) = open(&killed.path).unwrap();
    assert_eq!(indexes(&mut log).await.len(), 120);
}
