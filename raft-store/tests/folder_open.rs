//! Creating and opening a data folder (R9, R10, R40): each folder that must not be opened is
//! refused with its exit code and the next command, and nothing is ever made by opening.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and writes what a test must damage"
)]

mod entries;
mod skip;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use entries::{append, id, vote};
use openraft::storage::RaftLogStorage as _;
use raft_store::{
    disk::{self, Medium},
    folder::{Folder, FolderError},
    guard::{Behind, Guard},
    hello::{Disk, Hello, Power, Suspect},
    identity::ClusterBinding,
    types::{Fingerprint, Member},
    witness::Witnessed,
};

struct Place {
    _keep: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn empty() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let path = keep.path().join("data");
        Self { _keep: keep, path }
    }

    fn made() -> Self {
        let place = Self::empty();
        Folder::create(&place.path).unwrap();
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn beside(&self, name: &str) -> PathBuf {
        self._keep.path().join(name)
    }

    fn open(&self) -> Result<Folder, FolderError> {
        Folder::open(&self.path, None)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A node that voted and committed ten entries, and was stopped.
async fn worked(place: &Place, mirror: Option<&Path>, term: u64, from: u64, to: u64) {
    let folder = Folder::open(&place.path, mirror).unwrap();
    let (mut log, _state) = folder.store(&Witnessed::default()).unwrap();
    log.save_vote(&vote(term, 1)).await.unwrap();
    append(&mut log, term, from, to).await;
    log.save_committed(Some(id(term, to - 1))).await.unwrap();
}

fn refused(result: Result<Folder, FolderError>, code: u8, words: &[&str]) {
    let error = result.map(|folder| folder.boot()).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.exit_code(), code, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

fn binding(me: u64, own: Fingerprint) -> ClusterBinding {
    let member = |fingerprint| Member {
        address: "n:7101".to_owned(),
        fingerprint,
    };
    let others = [1, 2, 3].map(|id| (id, member(Fingerprint([id.try_into().unwrap(); 32]))));
    let mut members: BTreeMap<u64, Member> = others.into();
    members.insert(me, member(own));
    ClusterBinding {
        cluster_id: [7; 16],
        members,
        me,
    }
}

fn hello_of(folder: &Folder) -> Hello {
    Hello {
        cluster: [7; 16],
        incarnation: folder.identity().fingerprint(),
        boot: folder.boot(),
        committed: Some(id(1, 5)),
        durable: Some(id(1, 5)),
        applied: None,
        outstanding: None,
        vote: Some(vote(1, 1)),
        formats: vec![1],
        can_sign: BTreeMap::new(),
        power: Power::Unknown,
        disk: Disk::Healthy,
        draining: false,
    }
}

#[test]
fn a_created_folder_opens_and_every_start_is_counted() {
    let place = Place::empty();
    let fingerprint = Folder::create(&place.path).unwrap();
    let first = place.open().unwrap();
    assert_eq!(first.identity().fingerprint(), fingerprint);
    let boot = first.boot();
    drop(first);
    let second = place.open().unwrap();
    assert_eq!(second.boot().counter, boot.counter + 1);
    assert_ne!(second.boot().nonce, boot.nonce);
}

#[test]
fn a_missing_or_empty_folder_is_refused_and_stays_as_it_is_r9() {
    let place = Place::empty();
    refused(place.open(), 66, &["quorate init", "data"]);
    assert!(!place.path.exists());
    fs::create_dir(&place.path).unwrap();
    refused(place.open(), 66, &["quorate init", "mounted"]);
    assert_eq!(fs::read_dir(&place.path).unwrap().count(), 0);
}

#[test]
fn a_foreign_folder_is_neither_opened_nor_taken_r9() {
    let place = Place::empty();
    fs::create_dir(&place.path).unwrap();
    fs::write(place.file("notes.txt"), "mine").unwrap();
    refused(place.open(), 66, &["notes.txt"]);
    let error = Folder::create(&place.path).unwrap_err();
    assert_eq!(error.exit_code(), 66, "{error}");
    assert_eq!(fs::read_dir(&place.path).unwrap().count(), 1);
}

#[test]
fn a_folder_without_its_identity_is_neither_opened_nor_made_anew_r9() {
    let place = Place::made();
    fs::remove_file(place.file("identity")).unwrap();
    refused(place.open(), 66, &["no identity"]);
    Folder::create(&place.path).unwrap_err();
    assert!(place.file("db").exists());
}

#[test]
fn a_second_init_leaves_the_first_node_alone() {
    let place = Place::made();
    let before = fs::read(place.file("identity")).unwrap();
    let error = Folder::create(&place.path).unwrap_err();
    assert!(matches!(error, FolderError::Exists { .. }), "{error}");
    assert_eq!(fs::read(place.file("identity")).unwrap(), before);
}

#[test]
fn a_folder_half_made_at_any_step_is_refused_and_completed_by_init() {
    let order = ["db", "boot", "guard", "peers", "identity"];
    for made in 0..=order.len() {
        let place = Place::made();
        for name in &order[made..] {
            let path = place.file(name);
            if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            }
            .unwrap();
        }
        fs::write(place.file("creating"), "").unwrap();
        refused(place.open(), 66, &["half made", "quorate init"]);
        Folder::create(&place.path).unwrap();
        place.open().unwrap().store(&Witnessed::default()).unwrap();
    }
}

#[test]
fn a_wiped_folder_comes_back_as_another_node_r10() {
    let place = Place::made();
    let before = place.open().unwrap().identity().fingerprint();
    fs::remove_dir_all(&place.path).unwrap();
    assert_ne!(Folder::create(&place.path).unwrap(), before);
}

#[test]
fn memory_is_no_place_for_a_node() {
    let shm = Path::new("/dev/shm");
    if !matches!(disk::medium(shm), Ok(Medium::Memory(_))) {
        skip::skip("/dev/shm is no tmpfs on this machine");
        return;
    }
    let folder = tempfile::tempdir_in(shm).unwrap();
    let path = folder.path().join("data");
    let error = Folder::create(&path).unwrap_err();
    assert_eq!(error.exit_code(), 66, "{error}");
    assert!(
        error.to_string().contains("tmpfs") && !path.exists(),
        "{error}"
    );
    let made = Place::made();
    copy(&made.path, &path);
    refused(Folder::open(&path, None), 66, &["tmpfs", "data_dir"]);
}

#[test]
fn one_process_a_folder_r40() {
    let place = Place::made();
    let first = place.open().unwrap();
    refused(place.open(), 74, &["another process"]);
    let error = Folder::create(&place.path).unwrap_err();
    assert!(matches!(error, FolderError::Locked { .. }), "{error}");
    drop(first);
    place.open().unwrap();
}

#[test]
fn binding_is_idempotent_and_final() {
    let place = Place::made();
    let folder = place.open().unwrap();
    let own = folder.identity().fingerprint();
    assert!(folder.identity().cluster().is_none());
    let wrong = folder.bind(binding(1, Fingerprint([8; 32]))).unwrap_err();
    assert!(matches!(wrong, FolderError::NotAMember { .. }), "{wrong}");
    folder.bind(binding(1, own)).unwrap();
    folder.bind(binding(1, own)).unwrap();
    for other in [
        ClusterBinding {
            cluster_id: [9; 16],
            ..binding(1, own)
        },
        binding(2, own),
    ] {
        let error = folder.bind(other).unwrap_err();
        assert!(matches!(error, FolderError::Bound { .. }), "{error}");
    }
    drop(folder);
    assert_eq!(
        place.open().unwrap().identity().cluster(),
        Some(&binding(1, own))
    );
}

#[test]
fn a_retired_node_does_not_start_again() {
    let place = Place::made();
    place.open().unwrap().retire().unwrap();
    refused(place.open(), 66, &["removed from its cluster"]);
}

#[test]
fn a_missing_small_file_is_damage_and_never_a_default_r8() {
    for name in ["boot", "guard", "peers"] {
        let place = Place::made();
        fs::remove_file(place.file(name)).unwrap();
        refused(
            place.open(),
            65,
            &[place.file(name).to_str().unwrap(), "missing"],
        );
    }
    let place = Place::made();
    fs::remove_dir_all(place.file("db")).unwrap();
    let folder = place.open().unwrap();
    assert_eq!(
        folder.store(&Witnessed::default()).unwrap_err().exit_code(),
        65
    );
}

#[test]
fn every_flip_and_cut_of_a_small_file_is_refused_by_its_name_r8() {
    let place = Place::made();
    drop(place.open().unwrap());
    for name in ["identity", "boot", "guard", "peers"] {
        let path = place.file(name);
        let whole = fs::read(&path).unwrap();
        let mut damaged: Vec<Vec<u8>> = (0..whole.len()).map(|cut| whole[..cut].to_vec()).collect();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x01;
            damaged.push(flipped);
        }
        for bytes in damaged {
            fs::write(&path, bytes).unwrap();
            refused(place.open(), 65, &[path.to_str().unwrap()]);
        }
        fs::write(&path, &whole).unwrap();
    }
    place.open().unwrap();
}

#[tokio::test]
async fn a_database_older_than_its_guard_is_refused_r11() {
    let place = Place::made();
    worked(&place, None, 1, 0, 10).await;
    copy(&place.file("db"), &place.beside("old"));
    worked(&place, None, 1, 10, 20).await;
    fs::remove_dir_all(place.file("db")).unwrap();
    copy(&place.beside("old"), &place.file("db"));
    for _attempt in 0..2 {
        let error = place
            .open()
            .unwrap()
            .store(&Witnessed::default())
            .unwrap_err();
        let FolderError::Behind {
            behind: Behind::Log { .. },
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!(error.exit_code(), 65);
        assert!(
            error.to_string().contains("quorate cluster status"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_database_that_forgot_its_vote_is_refused_r11() {
    let place = Place::made();
    worked(&place, None, 1, 0, 10).await;
    copy(&place.file("db"), &place.beside("old"));
    let folder = place.open().unwrap();
    let (mut log, state) = folder.store(&Witnessed::default()).unwrap();
    log.save_vote(&vote(4, 2)).await.unwrap();
    drop((log, state, folder));
    fs::remove_dir_all(place.file("db")).unwrap();
    copy(&place.beside("old"), &place.file("db"));
    let error = place
        .open()
        .unwrap()
        .store(&Witnessed::default())
        .unwrap_err();
    assert!(
        matches!(
            error,
            FolderError::Behind {
                behind: Behind::Vote { .. },
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn another_entry_where_the_guard_saw_a_committed_one_is_refused() {
    let place = Place::made();
    worked(&place, None, 1, 0, 10).await;
    let fingerprint = place.open().unwrap().identity().fingerprint();
    let guard = Guard {
        incarnation: fingerprint,
        boot: 1,
        vote: None,
        reached: Some(id(0, 5)),
        mirrored: false,
        synced: None,
    };
    guard.write(&place.file("guard")).unwrap();
    let error = place
        .open()
        .unwrap()
        .store(&Witnessed::default())
        .unwrap_err();
    assert!(
        matches!(
            error,
            FolderError::Behind {
                behind: Behind::Other { .. },
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_guard_on_a_second_volume_sees_the_whole_folder_go_back() {
    let place = Place::made();
    let mirror = place.beside("mirror");
    worked(&place, Some(&mirror), 1, 0, 10).await;
    copy(&place.path, &place.beside("old"));
    worked(&place, Some(&mirror), 1, 10, 20).await;
    fs::remove_dir_all(&place.path).unwrap();
    copy(&place.beside("old"), &place.path);
    refused(
        Folder::open(&place.path, Some(&mirror)),
        65,
        &["boot counter is 1, the guard saw 2"],
    );
}

#[tokio::test]
async fn a_mirror_that_was_there_must_be_there_and_be_ours() {
    let place = Place::made();
    let mirror = place.beside("mirror");
    worked(&place, Some(&mirror), 1, 0, 10).await;
    let whole = fs::read(&mirror).unwrap();
    fs::remove_file(&mirror).unwrap();
    refused(
        Folder::open(&place.path, Some(&mirror)),
        65,
        &[mirror.to_str().unwrap(), "missing"],
    );
    let other = Place::made();
    fs::copy(other.file("guard"), &mirror).unwrap();
    refused(
        Folder::open(&place.path, Some(&mirror)),
        65,
        &["guard of another node"],
    );
    fs::write(&mirror, whole).unwrap();
    Folder::open(&place.path, Some(&mirror))
        .unwrap()
        .store(&Witnessed::default())
        .unwrap();
}

#[tokio::test]
async fn an_uncommitted_tail_may_be_truncated_behind_the_guards_back() {
    let place = Place::made();
    worked(&place, None, 1, 0, 10).await;
    let folder = place.open().unwrap();
    let (mut log, state) = folder.store(&Witnessed::default()).unwrap();
    append(&mut log, 1, 10, 15).await;
    log.truncate_after(Some(id(1, 9))).await.unwrap();
    drop((log, state, folder));
    place.open().unwrap().store(&Witnessed::default()).unwrap();
}

#[tokio::test]
async fn what_peers_said_is_remembered_through_a_restart_r11() {
    let (place, peer) = (Place::made(), Place::made());
    copy(&peer.path, &peer.beside("old"));
    let folder = place.open().unwrap();
    let store = folder.store(&Witnessed::default()).unwrap();
    drop(peer.open().unwrap());
    folder.judge(2, &hello_of(&peer.open().unwrap())).unwrap();
    drop((store, folder));

    fs::remove_dir_all(&peer.path).unwrap();
    copy(&peer.beside("old"), &peer.path);
    let folder = place.open().unwrap();
    let verdict = folder.judge(2, &hello_of(&peer.open().unwrap()));
    assert_eq!(verdict, Err(Suspect::Counter { before: 2, now: 1 }));
}
