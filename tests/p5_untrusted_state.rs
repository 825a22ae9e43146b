//! P5: state that cannot be trusted stops the node, and is never read as "nothing signed yet".

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use node::admin::NodeReport;
use node::dev::deadline::wait_for;
use node::dev::ports::Ports;
use tezos::{Curve, Kind, PublicKey, Slot};

use crate::world::{Outcome, PATIENCE, World, attestation};

/// Runs a node in the foreground; only for one that must end by itself.
fn run(world: &World, id: u64) -> Output {
    let node = world
        .cluster
        .nodes()
        .iter()
        .find(|node| node.id() == id)
        .unwrap();
    let (program, arguments) = node.argv().split_first().unwrap();
    Command::new(program).args(arguments).output().unwrap()
}

fn data_dir(world: &World, id: u64) -> PathBuf {
    world
        .cluster
        .nodes()
        .iter()
        .find(|node| node.id() == id)
        .unwrap()
        .data_dir()
}

/// Expects a node to refuse to run, with this exit code and a message that names the folder.
fn refuses(world: &World, id: u64, code: i32) -> String {
    let output = run(world, id);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    let folder = data_dir(world, id);
    assert!(said.contains(&folder.display().to_string()), "{said}");
    said
}

/// Signs until both nodes have it, and returns the slot and its message.
async fn decided(world: &mut World, key: &PublicKey, on: &[u64]) -> (Slot, Vec<u8>) {
    let slot = world.next_slot();
    let message = attestation(key, slot, 0);
    world.insist(on, key, &message).await.signature();
    for id in on {
        world.marked(*id, key, Kind::Attestation, slot).await;
    }
    (slot, message)
}

/// R9, R40. A folder that is gone, empty, half there, or in use.
#[tokio::test]
async fn a_node_whose_folder_is_gone_or_empty_or_in_use_does_not_run_and_names_it() {
    let mut world = World::of(&[Curve::Ed25519]).await;
    let folder = data_dir(&world, 3);
    beside_a_running_node(&world, 3);

    world.kill(3);
    let away = world.dir().join("away");
    fs::rename(&folder, &away).unwrap();
    let said = refuses(&world, 3, 66);
    assert!(
        said.contains("quorate init"),
        "the next command is not named: {said}"
    );
    assert!(!folder.exists(), "a refusal makes no folder");

    fs::create_dir(&folder).unwrap();
    refuses(&world, 3, 66);
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        0,
        "a refusal writes nothing"
    );

    fs::remove_dir(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    world.start(3);
    world.ready().await;
}

/// A second process on the folder of a running node, with ports of its own.
fn beside_a_running_node(world: &World, id: u64) {
    let node = world
        .cluster
        .nodes()
        .iter()
        .find(|node| node.id() == id)
        .unwrap();
    let ports = node.ports();
    let free = *Ports::plan(0, 1).unwrap().first().unwrap();
    let config = fs::read_to_string(node.config()).unwrap();
    let mut second = config;
    for (taken, other) in [
        (ports.signer, free.signer),
        (ports.peers, free.peers),
        (ports.ops, free.ops),
    ] {
        second = second.replace(&format!(":{taken}\""), &format!(":{other}\""));
    }
    let file = node.config().with_file_name("second.toml");
    fs::write(&file, second).unwrap();
    let mut command = Command::new(crate::world::quorate());
    let output = command
        .args(["node", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Not 66: the folder is sound, and may be free in a moment.
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(
        said.contains(&node.data_dir().display().to_string()),
        "{said}"
    );
}

/// R8. One flipped bit in the write-ahead log.
#[tokio::test]
async fn a_node_whose_log_was_damaged_exits_65_and_names_the_file() {
    let mut world = World::of(&[Curve::Ed25519]).await;
    let key = world.key(Curve::Ed25519);
    for _ in 0..20 {
        decided(&mut world, &key, &[1, 2, 3]).await;
    }
    world.kill(2);
    let folder = data_dir(&world, 2);
    let log = largest_log(&folder);
    let mut bytes = fs::read(&log).unwrap();
    // In what the guard saw long ago: the last 250 ms before a kill may be read as a shorter log.
    let early = bytes.len() / 16;
    *bytes.get_mut(early).unwrap() ^= 0x10;
    fs::write(&log, &bytes).unwrap();
    let said = refuses(&world, 2, 65);
    assert!(said.contains(&log.display().to_string()), "{said}");
    *bytes.get_mut(early).unwrap() ^= 0x10;
    fs::write(&log, &bytes).unwrap();
    world.start(2);
    world.ready().await;
}

/// The largest write-ahead log of RocksDB below a folder: the one in use.
fn largest_log(folder: &Path) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    let mut logs = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                logs.push(path);
            }
        }
    }
    logs.sort_by_key(|log| fs::metadata(log).unwrap().len());
    logs.pop().unwrap()
}

/// R10, R22. The worst case of a replicated signer: one node lags, the marks are on the two others, one of
/// those stops, the disk of the other is wiped, and the lagging one meets the wiped one. Measured
/// without the identity of a disk, those two elect each other and sign a slot a second time.
#[tokio::test]
async fn a_wiped_node_cannot_vote_away_what_was_decided() {
    let mut world = World::of(&[Curve::Ed25519]).await;
    let key = world.key(Curve::Ed25519);
    let followers = world.followers().await;
    let [lagging, wiped] = *followers.as_slice() else {
        panic!("two followers")
    };
    let stopped = 6 - lagging - wiped;

    world.kill(lagging);
    let (slot, message) = decided(&mut world, &key, &[stopped, wiped]).await;
    world.kill(stopped);
    world.kill(wiped);
    let keys = data_dir(&world, wiped).join("keys");
    let kept = world.dir().join("kept");
    fs::rename(&keys, &kept).unwrap();
    fs::remove_dir_all(data_dir(&world, wiped)).unwrap();
    world.quorate(wiped, &["init"]).await;
    fs::remove_dir_all(&keys).unwrap();
    fs::rename(&kept, &keys).unwrap();

    world.start(wiped);
    world.start(lagging);
    let rival = attestation(&key, slot, 1);
    for id in [lagging, wiped, lagging, wiped] {
        let outcome = world.ask(&[id], &key, &rival).await;
        assert!(
            !matches!(outcome, Outcome::Signed(_)),
            "node {id}: {outcome:?}"
        );
    }

    // The one that knows comes back: with the lagging one it is a majority, and nothing was lost.
    world.start(stopped);
    let both = [stopped, lagging];
    assert!(matches!(
        world.insist(&both, &key, &rival).await,
        Outcome::Refused(409, _)
    ));
    world.insist(&both, &key, &message).await.signature();
}

/// R11. An older copy of a node's folder put back in place: the others remember that it has been further.
#[tokio::test]
async fn a_folder_restored_from_a_copy_is_refused_by_the_others_and_counts_for_no_majority() {
    let mut world = World::of(&[Curve::Ed25519]).await;
    let key = world.key(Curve::Ed25519);
    let followers = world.followers().await;
    let [restored, other] = *followers.as_slice() else {
        panic!("two followers")
    };
    let leader = 6 - restored - other;
    decided(&mut world, &key, &[1, 2, 3]).await;
    world.kill(restored);
    let copy = world.dir().join("copy");
    copy_folder(&data_dir(&world, restored), &copy);
    world.start(restored);
    world.ready().await;
    // What nobody has believed yet, nobody can miss: nothing that this start said was counted.
    for by in [leader, other] {
        seen(&world, by, restored, |report| {
            report.boot == Some(2) && report.suspect.is_none()
        })
        .await;
    }
    let (slot, _) = decided(&mut world, &key, &[1, 2, 3]).await;

    world.kill(restored);
    fs::remove_dir_all(data_dir(&world, restored)).unwrap();
    fs::rename(&copy, data_dir(&world, restored)).unwrap();
    world.start(restored);
    // Whoever hears it first refuses it, and it ends itself: the other may never hear it at all.
    let refused = |report: &NodeReport| {
        let why = report.suspect.as_deref().unwrap_or_default();
        why.contains("two copies of its data folder") || why.contains("was restored")
    };
    tokio::select! {
        () = seen(&world, leader, restored, refused) => {}
        () = seen(&world, other, restored, refused) => {}
    }

    // Two of three are left, one of them not believed: still nothing is signed.
    world.kill(other);
    let next = world.next_slot();
    for (slot, flavour) in [(slot, 1), (next, 0)] {
        let outcome = world
            .ask(&[leader], &key, &attestation(&key, slot, flavour))
            .await;
        assert!(
            !matches!(outcome, Outcome::Signed(_)),
            "{slot}: {outcome:?}"
        );
    }
    world.start(other);
    world
        .insist(&[leader, other], &key, &attestation(&key, next, 0))
        .await
        .signature();
}

/// Waits until a node sees another one so.
async fn seen(world: &World, by: u64, of: u64, so: impl Fn(&NodeReport) -> bool) {
    let look = || async {
        let status = world
            .cluster
            .status(by)
            .await
            .map_err(|fault| fault.to_string())?;
        let report = status.nodes.into_iter().find(|node| node.id == of).unwrap();
        if so(&report) {
            Ok(())
        } else {
            Err(format!("node {by} sees {report:?}"))
        }
    };
    wait_for("a node to be seen so", PATIENCE, look)
        .await
        .unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy_folder(&source, &target);
        } else if kind.is_file() {
            fs::copy(&source, &target).unwrap();
        }
    }
}
