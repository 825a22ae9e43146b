//! A power cut at the moment a key is announced. The token's folder lies on a file system that loses
//! everything that was not fsynced.

use std::process::Command;

use hsm::parent::Made;
use lossyfs::{Control, Mount, Options, Survival};
use shim_orders::skip;
use tempfile::TempDir;
use tezos::{Curve, PublicKey, SecretKey};

use super::tokens::{PIN, Tokens, named};

struct Rig {
    tokens: Tokens,
    control: Control,
    // Dropped in this order: the mount goes before the folder.
    _mount: Mount,
    _folder: TempDir,
}

impl Rig {
    /// None, said aloud, on a machine without SoftHSM or FUSE.
    fn start() -> Option<Self> {
        if let Err(error) = lossyfs::available() {
            skip(&error.to_string());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mount = Mount::start(folder.path(), Options::strict()).unwrap();
        let tokens = Tokens::in_folder(folder.path().join("tokens"))?;
        Some(Self {
            tokens,
            control: mount.control(),
            _mount: mount,
            _folder: folder,
        })
    }

    /// Cuts the power, and starts again with nothing but what was fsynced.
    fn cut(&self) {
        self.control.cut();
        self.control.reboot(Survival::Drop, 1);
    }

    /// The keys of a token that prove themselves.
    async fn keys(&self, label: &str) -> Vec<PublicKey> {
        let found = self.tokens.open(label).await.keys().await.unwrap();
        let proved = found.into_iter().filter_map(|found| found.key.ok());
        proved.map(|key| key.public_key).collect()
    }
}

/// A token that was initialised, a key that was made, and one that was brought in.
#[tokio::test]
async fn a_key_that_was_announced_outlives_a_power_cut_in_the_next_moment() {
    let Some(rig) = Rig::start() else { return };
    rig.tokens.initialise("one").await.unwrap();
    rig.cut();
    let mut announced = Vec::new();
    for curve in [Curve::Ed25519, Curve::Secp256k1, Curve::P256] {
        let made: Made = {
            let mut token = rig.tokens.open("one").await;
            let name = named(&format!("made {curve}"));
            token.generate(curve, &name, false).await.unwrap()
        };
        rig.cut();
        announced.push(made.public_key);
        let secret = SecretKey::generate(curve).unwrap();
        let brought: Made = {
            let mut token = rig.tokens.open("one").await;
            let name = named(&format!("brought {curve}"));
            token.import(&secret, &name).await.unwrap()
        };
        rig.cut();
        announced.push(brought.public_key);
        let there = rig.keys("one").await;
        assert_eq!(there.len(), announced.len());
        assert!(announced.iter().all(|key| there.contains(key)), "{curve}");
    }
}

/// A key that was copied from one token to another, on both.
#[tokio::test]
async fn a_key_that_was_copied_outlives_a_power_cut_in_the_next_moment() {
    let Some(rig) = Rig::start() else { return };
    rig.tokens.initialise("one").await.unwrap();
    rig.tokens.initialise("two").await.unwrap();
    let (source, copy) = {
        let mut one = rig.tokens.open("one").await;
        let mut two = rig.tokens.open("two").await;
        let source = one
            .generate(Curve::P256, &named("key"), true)
            .await
            .unwrap();
        let request = two.request().await.unwrap();
        rig.cut();
        let mut one = rig.tokens.open("one").await;
        let mut two = rig.tokens.open("two").await;
        let package = one.send(request, &named("key")).await.unwrap();
        let copy = two.receive(package, &named("key")).await.unwrap();
        (source, copy)
    };
    rig.cut();
    assert_eq!(copy.public_key, source.public_key);
    assert_eq!(rig.keys("two").await, [copy.public_key]);
    assert_eq!(rig.keys("one").await, [source.public_key]);
}

/// What this is for, and that the cut takes what it should: SoftHSM alone loses the key.
#[tokio::test]
async fn a_key_that_softhsm_made_without_this_program_is_lost() {
    let Some(rig) = Rig::start() else { return };
    rig.tokens.initialise("one").await.unwrap();
    let launch = rig.tokens.launch();
    let made = Command::new("pkcs11-tool")
        .arg("--module")
        .arg(&rig.tokens.module)
        .args(["--token-label", "one", "--login", "--pin"])
        .arg(String::from_utf8_lossy(PIN).as_ref())
        .args([
            "--keypairgen",
            "--key-type",
            "EC:prime256v1",
            "--label",
            "key",
        ])
        .envs(&launch.set)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(rig.keys("one").await.len(), 1);
    rig.cut();
    assert_eq!(rig.keys("one").await, []);
}
