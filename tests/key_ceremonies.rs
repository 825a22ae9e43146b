//! The ceremonies of docs/keys.md, as written there, with three tokens of SoftHSM.

use std::fs;
use std::path::{Path, PathBuf};

use node::dev::deadline::wait_for;
use node::dev::message::consensus;
use node::dev::process::NodeProcess;
use tezos::{Curve, Kind, PublicKey};
use tokio::process::Command;

use crate::alone::softhsm;
use crate::page::{Ceremony, PASSWORD, PIN};
use crate::world::{CHAIN, Outcome, PATIENCE, World, quorate};

/// A signature of every node, one level each.
async fn sign_everywhere(world: &mut World, key: &PublicKey) {
    for id in 1..=3 {
        let slot = world.next_slot();
        let message = consensus(key.curve(), Kind::Attestation, CHAIN, slot, 0);
        world.insist(&[id], key, &message).await.signature();
    }
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, all),
            false => all.push(path),
        }
    }
}

#[tokio::test]
async fn the_ceremonies_of_the_page_bring_four_keys_to_three_nodes() {
    let Some(module) = softhsm() else { return };
    let mut world = World::of(&[Curve::Ed25519]).await;
    let ceremony = Ceremony::new(&world);
    ceremony.run(&mut world, &module).await;

    let copied = fs::read_to_string(ceremony.folder.join("key")).unwrap();
    let reports = world.cluster.key_reports(1).await.unwrap();
    let copied = reports
        .into_iter()
        .find(|report| report.public_key_hash.to_string() == copied.trim());
    let copied = copied.unwrap().public_key;
    assert_eq!(copied.curve(), Curve::P256);
    let companion = ceremony.companion.public_key().clone();
    let mut keys = vec![copied, companion.clone()];
    keys.push(ceremony.offline.public_key().clone());
    keys.push(ceremony.consensus.public_key().clone());
    for key in &keys {
        sign_everywhere(&mut world, key).await;
    }
    let hash = ceremony.consensus.public_key().hash().to_string();
    let proof = world.quorate(2, &["key", "prove-possession", &hash]).await;
    assert!(proof.starts_with("BLsig"), "{proof}");
    // Where the secrets of files are, no page goes to a swap device.
    let pid = world.cluster.nodes()[0].pid().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let locked = status.lines().find(|line| line.starts_with("VmLck:"));
    assert!(!locked.unwrap().ends_with("\t       0 kB"), "{status}");
    // A companion key signs attestations only.
    let slot = world.next_slot();
    let block = consensus(Curve::Bls12_381, Kind::Block, CHAIN, slot, 0);
    let refused = world.insist(&[1], &companion, &block).await;
    assert!(matches!(refused, Outcome::Refused(403, _)), "{refused:?}");

    nothing_is_told(&world, &ceremony);
    a_file_of_another_node_refuses_its_own_key(&mut world, &keys, &companion).await;
    a_token_that_comes_late_is_waited_for(&mut world, &keys).await;
}

fn node(world: &World, id: u64) -> &NodeProcess {
    let mut nodes = world.cluster.nodes().iter();
    nodes.find(|node| node.id() == id).unwrap()
}

/// R32: no PIN and no secret was said, and no secret is on a disk in the clear.
fn nothing_is_told(world: &World, ceremony: &Ceremony) {
    let said = ceremony.said();
    assert!(!said.contains(PASSWORD) && !said.contains(PIN), "{said}");
    let mut all = Vec::new();
    files(world.dir(), &mut all);
    for path in all {
        let bytes = fs::read(&path).unwrap_or_default();
        for (name, secret) in ceremony.secrets() {
            let spelt = secret.reveal();
            let raw = secret.to_raw();
            let there = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
            assert!(
                !there(spelt.as_bytes()) && !there(raw.as_slice()),
                "{} holds the secret {name}",
                path.display()
            );
        }
    }
}

/// R41: a file that does not open refuses its own key, and the others go on. It is the file of
/// another node, on a disk that was taken from there.
async fn a_file_of_another_node_refuses_its_own_key(
    world: &mut World,
    keys: &[PublicKey],
    companion: &PublicKey,
) {
    let sealed = |id: u64| {
        let node = node(world, id).config();
        let name = format!("{}.sealed", companion.hash());
        node.parent().unwrap().join("hsm/sealed").join(name)
    };
    fs::copy(sealed(3), sealed(2)).unwrap();
    world.kill(2);
    world.start(2);
    able(world, 2, keys, [true, false, true, true]).await;
    let compared = Command::new(quorate())
        .args(["key", "compare", "--config"])
        .arg(node(world, 2).config())
        .output();
    let compared = compared.await.unwrap();
    let rows = String::from_utf8_lossy(&compared.stdout);
    assert!(
        !compared.status.success() && rows.contains("node 2 cannot sign"),
        "{rows}"
    );
    // By its own reason, whichever node is asked.
    let compared = || async {
        let (_done, said) = world.said(1, &["key", "compare"]).await;
        let file = format!("{}.sealed cannot be opened", companion.hash());
        match said.contains("  node 2: ") && said.contains(&file) {
            true => Ok(()),
            false => Err(said),
        }
    };
    wait_for("the reason of node 2", PATIENCE, compared)
        .await
        .unwrap();
}

/// R28: an HSM that comes up after the node does not need anybody to say so.
async fn a_token_that_comes_late_is_waited_for(world: &mut World, keys: &[PublicKey]) {
    let tokens = node(world, 3).config();
    let tokens = tokens.parent().unwrap().join("hsm/tokens");
    let away = tokens.with_file_name("away");
    world.kill(3);
    fs::rename(&tokens, &away).unwrap();
    world.start(3);
    let log = node(world, 3).log();
    let tried = || async {
        let said = fs::read_to_string(&log).unwrap_or_default();
        match said
            .matches("sealed keys stay closed; trying again")
            .count()
        {
            0 => Err("the node has not tried yet".to_owned()),
            _ => Ok(()),
        }
    };
    wait_for("a first try of the sealed files", PATIENCE, tried)
        .await
        .unwrap();
    able(world, 3, keys, [false; 4]).await;
    fs::rename(&away, &tokens).unwrap();
    able(world, 3, keys, [true; 4]).await;
}

/// Waits until a node says so of each key.
async fn able(world: &World, id: u64, keys: &[PublicKey], wanted: [bool; 4]) {
    let look = || async {
        let status = world.cluster.status(id).await;
        let status = status.map_err(|fault| fault.to_string())?;
        let own = status.nodes.iter().find(|node| node.id == id).unwrap();
        let able: Vec<bool> = keys
            .iter()
            .map(|key| own.can_sign.get(&key.hash()).copied().unwrap_or_default())
            .collect();
        // Before its state is open a node says nothing of any key.
        match able == wanted && own.can_sign.len() == 5 {
            true => Ok(()),
            false => Err(format!("node {id} can sign: {able:?}")),
        }
    };
    wait_for("the keys of the node", PATIENCE, look)
        .await
        .unwrap();
}
