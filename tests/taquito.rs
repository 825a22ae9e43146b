//! A client that we did not write: taquito's remote signer, from npm.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use tezos::{Curve, SecretKey, Signature};

use crate::world::{World, attestation};

const SOURCES: [&str; 3] = ["package.json", "package-lock.json", "sign.mjs"];

#[derive(Deserialize)]
struct Signed {
    message: String,
    signature: String,
}

/// taquito knows tz1, tz2 and tz3. It signs an attestation and a transaction that it forged itself
/// with each, over all nodes in turn, and verifies by itself; a rival attestation is refused.
#[tokio::test]
async fn taquito_signs_through_the_cluster_and_verifies_by_itself() {
    let curves = [Curve::Ed25519, Curve::Secp256k1, Curve::P256];
    let folder = tokio::task::spawn_blocking(installed).await.unwrap();
    let mut world = World::of(&curves).await;
    let slot = world.next_slot();
    let mut keys = Vec::new();
    for key in curves.map(|curve| world.key(curve)) {
        let hash = key.hash().to_string();
        world
            .quorate(
                1,
                &["key", "edit", &hash, "--operation", "transaction", "--yes"],
            )
            .await;
        keys.push(serde_json::json!({
            "public_key_hash": hash,
            "message": hex::encode(attestation(&key, slot, 0)),
            "rival": hex::encode(attestation(&key, slot, 1)),
        }));
    }
    let stranger = SecretKey::generate(Curve::Ed25519).unwrap();
    let urls: Vec<String> = world
        .cluster
        .nodes()
        .iter()
        .map(|node| node.signer_url())
        .collect();
    let asked = serde_json::json!({
        "urls": urls, "keys": keys, "unknown": stranger.public_key().hash(),
    });
    let said = tokio::task::spawn_blocking(move || sign(&folder, &asked.to_string()))
        .await
        .unwrap();

    let signed: Vec<Signed> = serde_json::from_str(&said).unwrap();
    assert_eq!(signed.len(), 6);
    for (pair, curve) in signed.chunks(2).zip(curves) {
        let key = world.key(curve);
        for one in pair {
            let message = hex::decode(&one.message).unwrap();
            let signature = Signature::parse(curve, &one.signature).unwrap();
            assert!(key.verify(&message, &signature).is_ok());
        }
        let [vote, _] = pair else {
            panic!("a vote and a transaction")
        };
        let message = hex::decode(&vote.message).unwrap();
        let again = world.insist(&[1], &key, &message).await.signature();
        assert_eq!(again.to_string(), vote.signature);
    }
}

/// A copy of the script with what it needs from npm, exactly as the lock file says; kept between
/// runs of the tests.
fn installed() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/taquito");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("taquito");
    fs::create_dir_all(&folder).unwrap();
    let lock = folder.join("package-lock.json");
    let same = fs::read(&lock).ok() == fs::read(source.join("package-lock.json")).ok();
    let done = folder.join("installed");
    if same && done.exists() {
        fs::copy(source.join("sign.mjs"), folder.join("sign.mjs")).unwrap();
        return folder;
    }
    fs::remove_file(&done).ok();
    for file in SOURCES {
        fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .output()
        .expect("npm is missing; deploy/prerequisites.sh test installs it");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::File::create(done).unwrap();
    folder
}

fn sign(folder: &Path, asked: &str) -> String {
    let mut script = Command::new("node")
        .arg("sign.mjs")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node is missing; deploy/prerequisites.sh test installs it");
    script
        .stdin
        .take()
        .unwrap()
        .write_all(asked.as_bytes())
        .unwrap();
    let output = script.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
