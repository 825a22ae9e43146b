//! The corruption matrix: whatever happens to the write-ahead log or any file of the database, a
//! start gives exactly the old state, or refuses and names a file. One case is tolerated: damage to
//! the end of the newest log, where all is younger than the guard, is read as a shorter log. It is
//! asserted and printed, and nothing that the guard saw is missing then.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a test fails by panicking, and writes what a test must damage"
)]

mod copied;
mod entries;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use copied::copy;
use entries::{append, id, vote};
use openraft::{RaftLogReader as _, storage::RaftLogStorage as _};
use raft_store::{
    codec,
    folder::{Folder, FolderError},
    guard::Guard,
    machine::{Changes, Row, StateDisk as _},
    types::{SnapshotMeta, StoredMembership},
    witness::Witnessed,
};

/// How many places of each file are damaged, if not 3.
const PLACES: &str = "QUORATE_TEST_PLACES";
const ENTRIES: u64 = 200;
/// The last entry that the guard of the image vouches for.
const GUARDED: u64 = 150;
/// The last entry that the state had applied.
const APPLIED: u64 = 98;
/// The last purged entry, where there is one.
const PURGED: u64 = 40;

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Exact,
    /// Vote and log are exact, and the state is made again from them and the snapshot.
    Replayed,
    /// Entries up to the guard or later survived, in order; the rest is gone.
    Cut(u64),
    Refused(String),
}

fn files(folder: &Path, matches: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| matches(&path.file_name().unwrap().to_string_lossy()))
        .collect();
    found.sort();
    found
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    files(&folder.join("db"), |name| name.ends_with(".log"))
}

fn rows(bytes: usize) -> Vec<Row> {
    let value = |number: u8| codec::encode(&serde_bytes::ByteBuf::from(vec![number; bytes]));
    (0..8)
        .map(|number| Row {
            key: vec![number],
            value: Some(value(number).unwrap()),
        })
        .collect()
}

/// The folder of a node that was killed: 200 synced entries and a vote, and as many rows as make
/// RocksDB go on to a second write-ahead log half way (`two_logs`). If not, the start of the log is
/// purged behind a snapshot.
async fn image(keep: &Path, two_logs: bool) -> PathBuf {
    let path = keep.join("node");
    Folder::create(&path).unwrap();
    let folder = Folder::open(&path, None).unwrap();
    let (mut log, state) = folder.store(&Witnessed::default()).unwrap();
    log.save_vote(&vote(1, 1)).await.unwrap();
    append(&mut log, 1, 0, APPLIED + 2).await;
    log.save_committed(Some(id(1, APPLIED))).await.unwrap();
    let size = if two_logs { 700 << 10 } else { 100 };
    state
        .write(Changes {
            rows: rows(size),
            applied: id(1, APPLIED),
            membership: None,
        })
        .unwrap();
    append(&mut log, 1, APPLIED + 2, GUARDED + 1).await;
    let synced = log.synced();
    append(&mut log, 1, GUARDED + 1, ENTRIES).await;
    if two_logs {
        until(&path, || {
            logs(&path).len() == 2 && !files(&path.join("db"), |n| n.ends_with(".sst")).is_empty()
        });
    }
    if !two_logs {
        let last_membership = StoredMembership::default();
        let meta = SnapshotMeta {
            last_log_id: Some(id(1, APPLIED)),
            last_membership,
        };
        state.publish_snapshot(&meta, b"the rows").unwrap();
        log.purge(id(1, PURGED)).await.unwrap();
    }
    log.save_vote(&vote(2, 3)).await.unwrap();
    append(&mut log, 2, ENTRIES, ENTRIES + 1).await;
    let (incarnation, boot) = (folder.identity().fingerprint(), folder.boot().counter);
    drop(folder); // whose guard is not replaced any more while it is copied
    let image = keep.join("image");
    copy(&path, &image);
    let guard = Guard {
        incarnation,
        boot,
        vote: Some(vote(1, 1)),
        reached: Some(id(1, GUARDED)),
        mirrored: false,
        synced,
    };
    guard.write(&image.join("guard")).unwrap();
    image
}

/// Waits for a background thread of RocksDB, which tells nobody.
fn until(folder: &Path, mut done: impl FnMut() -> bool) {
    for _attempt in 0..1000 {
        if done() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!(
        "RocksDB did not get there: {:?}",
        files(&folder.join("db"), |_| true)
    );
}

/// Opens a folder and compares what is in it with what was acknowledged.
async fn outcome(path: &Path, bytes: usize) -> Outcome {
    let opened = Folder::open(path, None)
        .and_then(|folder| Ok((folder.store(&Witnessed::default())?, folder)));
    let ((mut log, state), _folder) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            assert!(matches!(error.exit_code(), 65 | 66 | 74), "{error}");
            return Outcome::Refused(error.to_string());
        }
    };
    let entries = log.try_get_log_entries(0..).await.unwrap();
    let indexes: Vec<u64> = entries.iter().map(|entry| entry.log_id.index).collect();
    let first = if state.snapshot().unwrap().is_some() {
        PURGED + 1
    } else {
        0
    };
    let count = first + u64::try_from(indexes.len()).unwrap();
    assert_eq!(indexes, (first..count).collect::<Vec<_>>(), "a prefix");
    for entry in &entries {
        let expected = entries::entry(
            if entry.log_id.index < ENTRIES { 1 } else { 2 },
            entry.log_id.index,
        );
        assert_eq!(entry.payload, expected.payload);
        assert_eq!(entry.log_id, expected.log_id);
    }
    let loaded = state.load().unwrap();
    let expected: Vec<_> = rows(bytes)
        .into_iter()
        .map(|row| (row.key, row.value.unwrap()))
        .collect();
    let replayed = loaded.applied.is_none();
    if replayed {
        // A table of the state is gone. The log holds every entry that made it, or the snapshot
        // what was purged of them: openraft installs and applies them before anything is answered.
        assert!(loaded.rows.is_empty(), "half a state");
    } else {
        assert_eq!(
            loaded.applied,
            Some(id(1, APPLIED)),
            "a lower mark was taken for the mark"
        );
        assert!(
            loaded.rows == expected,
            "a lower mark was taken for the mark"
        );
    }
    let vote = log.read_vote().await.unwrap();
    if count == ENTRIES + 1 {
        assert_eq!(vote, Some(entries::vote(2, 3)));
        return if replayed {
            Outcome::Replayed
        } else {
            Outcome::Exact
        };
    }
    assert!(
        count > GUARDED,
        "{count} entries are left, the guard saw {GUARDED}"
    );
    assert!(vote >= Some(entries::vote(1, 1)), "the guard saw a vote");
    Outcome::Cut(count)
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn flip(path: &Path, at: usize) {
    edit(path, |bytes| bytes[at] ^= 0x04);
}

fn cut(path: &Path, bytes: usize) {
    edit(path, |whole| {
        whole.truncate(whole.len().saturating_sub(bytes))
    });
}

fn names_a_file(text: &str, path: &Path) {
    assert!(
        text.contains(path.to_str().unwrap()),
        "no file is named: {text}"
    );
}

/// What happens to one write-ahead log.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Nothing,
    Cut(usize),
    CutToQuarter,
    FlipAt(usize),
    FlipMiddle,
    /// A bit, so many eighths into the file.
    FlipEighth(usize),
    /// A sector that is not there, so many eighths into the file.
    HoleAtEighth(usize),
    FlipBeforeEnd(usize),
    ZeroLast(usize),
    Append(u8, usize),
    Empty,
    Delete,
}

#[derive(Debug, Clone, Copy)]
enum Log {
    Older,
    Newest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Exact,
    Refused,
    /// What is younger than the guard is not there from some entry on.
    Cut,
}

const MATRIX: [(Log, Harm, Expect); 19] = [
    (Log::Newest, Harm::Nothing, Expect::Exact),
    (Log::Newest, Harm::Cut(20), Expect::Cut),
    (Log::Newest, Harm::Cut(1000), Expect::Cut),
    (Log::Newest, Harm::CutToQuarter, Expect::Refused),
    (Log::Newest, Harm::FlipBeforeEnd(3), Expect::Cut),
    (Log::Newest, Harm::FlipEighth(7), Expect::Cut),
    (Log::Newest, Harm::FlipEighth(1), Expect::Refused),
    (Log::Newest, Harm::FlipAt(20), Expect::Refused),
    (Log::Newest, Harm::HoleAtEighth(7), Expect::Cut),
    (Log::Newest, Harm::HoleAtEighth(1), Expect::Refused),
    (Log::Newest, Harm::HoleAtEighth(0), Expect::Refused),
    (Log::Newest, Harm::ZeroLast(512), Expect::Cut),
    (Log::Newest, Harm::Append(0, 4096), Expect::Exact),
    (Log::Newest, Harm::Append(0xa5, 300), Expect::Exact),
    (Log::Newest, Harm::Empty, Expect::Refused),
    (Log::Newest, Harm::Delete, Expect::Refused),
    (Log::Older, Harm::Cut(100), Expect::Refused),
    (Log::Older, Harm::FlipMiddle, Expect::Refused),
    (Log::Older, Harm::Delete, Expect::Refused),
];

fn harm(folder: &Path, log: Log, harm: Harm) {
    let logs = logs(folder);
    assert_eq!(logs.len(), 2, "two live logs");
    let path = match log {
        Log::Older => &logs[0],
        Log::Newest => &logs[1],
    };
    let length = usize::try_from(fs::metadata(path).unwrap().len()).unwrap();
    match harm {
        Harm::Nothing => {}
        Harm::Cut(bytes) => cut(path, bytes),
        Harm::CutToQuarter => cut(path, length * 3 / 4),
        Harm::FlipAt(at) => flip(path, at),
        Harm::FlipMiddle => flip(path, length / 2),
        Harm::FlipEighth(eighths) => flip(path, length * eighths / 8),
        Harm::HoleAtEighth(eighths) => {
            let at = length * eighths / 8 / 512 * 512;
            edit(path, |whole| whole[at..at + 512].fill(0));
        }
        Harm::FlipBeforeEnd(bytes) => flip(path, length - bytes),
        Harm::ZeroLast(bytes) => edit(path, |whole| whole[length - bytes..].fill(0)),
        Harm::Append(byte, bytes) => edit(path, |whole| whole.resize(length + bytes, byte)),
        Harm::Empty => edit(path, Vec::clear),
        Harm::Delete => fs::remove_file(path).unwrap(),
    }
}

/// Entries that no node knows committed were acknowledged too: with nothing but the number of a
/// synced write in the guard the matrix is the same, as long as a record of the log is left.
#[tokio::test]
async fn the_matrix_holds_for_entries_that_are_not_known_committed_r8() {
    let keep = tempfile::tempdir().unwrap();
    let image = image(keep.path(), true).await;
    let guard: Guard = codec::decode(&fs::read(image.join("guard")).unwrap()).unwrap();
    let (vote, reached) = (None, None);
    let guard = Guard {
        vote,
        reached,
        ..guard
    };
    guard.write(&image.join("guard")).unwrap();
    for (number, (log, what, expect)) in MATRIX.into_iter().enumerate() {
        if matches!(what, Harm::Empty | Harm::Delete) {
            continue;
        }
        let folder = keep.path().join(format!("case {number}"));
        copy(&image, &folder);
        harm(&folder, log, what);
        let outcome = outcome(&folder, 700 << 10).await;
        match (expect, &outcome) {
            (Expect::Exact, Outcome::Exact) | (Expect::Cut, Outcome::Cut(_)) => {}
            (Expect::Refused, Outcome::Refused(text)) => names_a_file(text, &folder),
            other => panic!("{log:?} {what:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_matrix_of_damages_gives_the_exact_state_or_a_refusal_r8() {
    let keep = tempfile::tempdir().unwrap();
    let image = image(keep.path(), true).await;
    for (number, (log, what, expect)) in MATRIX.into_iter().enumerate() {
        let folder = keep.path().join(format!("case {number}"));
        copy(&image, &folder);
        harm(&folder, log, what);
        let outcome = outcome(&folder, 700 << 10).await;
        println!("{log:?} {what:?}: {outcome:?}");
        match (expect, &outcome) {
            (Expect::Exact, Outcome::Exact) => {}
            (Expect::Cut, Outcome::Cut(count)) => println!(
                "  tolerated: {} of {} synced entries are gone, the guard at {GUARDED} bounds it",
                ENTRIES + 1 - count,
                ENTRIES + 1,
            ),
            (Expect::Refused, Outcome::Refused(text)) => names_a_file(text, &folder),
            other => panic!("{log:?} {what:?}: {other:?}"),
        }
    }
}

/// Not only the write-ahead log: a flip and a cut at many places of every file.
#[tokio::test]
async fn damage_anywhere_in_the_folder_gives_the_exact_state_or_a_refusal_r8() {
    let keep = tempfile::tempdir().unwrap();
    let killed = image(keep.path(), false).await;
    drop(
        Folder::open(&killed, None)
            .unwrap()
            .store(&Witnessed::default())
            .unwrap(),
    ); // so that there are tables too
    let names = files(&killed, |name| name != "db")
        .into_iter()
        .chain(files(&killed.join("db"), |_| true));
    let relative: Vec<PathBuf> = names
        .map(|path| path.strip_prefix(&killed).unwrap().to_owned())
        .collect();
    assert!(
        relative
            .iter()
            .any(|name| name.extension().is_some_and(|end| end == "sst"))
    );
    let (mut cuts, mut exact, mut refused, mut replayed) = (0, 0, 0, 0);
    let damaged = keep.path().join("damaged");
    let places = env::var(PLACES).map_or(3, |places| places.parse().unwrap());
    for name in relative {
        let length = usize::try_from(fs::metadata(killed.join(&name)).unwrap().len()).unwrap();
        for at in (0..length).step_by((length / places).max(1)) {
            for flipped in [true, false] {
                copy(&killed, &damaged);
                let file = damaged.join(&name);
                if flipped {
                    flip(&file, at)
                } else {
                    cut(&file, length - at)
                }
                match outcome(&damaged, 100).await {
                    Outcome::Exact => exact += 1,
                    Outcome::Replayed => {
                        replayed += 1;
                        println!(
                            "{} at {at}, flipped {flipped}: to be replayed",
                            name.display()
                        );
                    }
                    Outcome::Cut(count) => {
                        cuts += 1;
                        println!("{} at {at}: cut to {count} entries", name.display());
                    }
                    Outcome::Refused(text) => {
                        refused += 1;
                        names_a_file(&text, &damaged);
                    }
                }
                fs::remove_dir_all(&damaged).unwrap();
            }
        }
    }
    println!("{exact} exact, {replayed} replayed, {refused} refused, {cuts} cut above the guard");
    assert!(exact > 0 && refused > 0);
}

#[tokio::test]
async fn a_refusal_stays_a_refusal() {
    let keep = tempfile::tempdir().unwrap();
    let image = image(keep.path(), true).await;
    fs::remove_file(logs(&image).last().unwrap()).unwrap();
    for _attempt in 0..3 {
        let folder = Folder::open(&image, None).unwrap();
        let error = folder.store(&Witnessed::default()).unwrap_err();
        assert!(
            matches!(error, FolderError::Behind { .. } | FolderError::Store(_)),
            "{error}"
        );
    }
}
