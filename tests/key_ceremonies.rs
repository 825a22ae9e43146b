//! The ceremonies of docs/keys.md, as written there, with three tokens of SoftHSM.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use node::dev::deadline::{Deadline, wait_for};
use node::dev::message::consensus;
use tezos::{Curve, Kind, PublicKey, SecretKey};
use tokio::process::{Child, Command};

use crate::world::{CHAIN, Outcome, PATIENCE, World, quorate};

const PAGE: &str = include_str!("../docs/keys.md");
const PIN: &str = "a-pin-of-the-user";
const PASSWORD: &str = "correct horse battery staple";

/// Longer than the whole page takes: it makes three RSA pairs on two busy cores.
const WITHIN: Duration = Duration::from_secs(180);

/// What the page calls its variables, and the keys that come from offline.
struct Ceremony {
    folder: PathBuf,
    offline: SecretKey,
    consensus: SecretKey,
    companion: SecretKey,
}

impl Ceremony {
    fn new(world: &World) -> Self {
        let folder = world.dir().join("ceremony");
        fs::create_dir(&folder).unwrap();
        let ceremony = Self {
            folder,
            offline: SecretKey::generate(Curve::Ed25519).unwrap(),
            consensus: SecretKey::generate(Curve::Bls12_381).unwrap(),
            companion: SecretKey::generate(Curve::Bls12_381).unwrap(),
        };
        ceremony.write("password", PASSWORD);
        for (name, secret) in ceremony.secrets() {
            let encrypted = secret.encrypt(PASSWORD.as_bytes()).unwrap();
            ceremony.write(name, &encrypted.to_string());
        }
        // The nodes belong to the test, so it restarts them when it is told.
        let restart = "#!/bin/sh\nprintf %s \"$1\" > restart.new\nmv restart.new restart\nwhile [ -e \
                       restart ]; do sleep 0.1; done\n";
        ceremony.write("restart.sh", restart);
        let owner = fs::Permissions::from_mode(0o700);
        fs::set_permissions(ceremony.folder.join("restart.sh"), owner).unwrap();
        ceremony
    }

    fn secrets(&self) -> [(&'static str, &SecretKey); 3] {
        [
            ("offline", &self.offline),
            ("consensus", &self.consensus),
            ("companion", &self.companion),
        ]
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Every block of the page, one after another, in one shell.
    fn start(&self, world: &World, module: &Path) -> Child {
        let script = format!("set -eu\n{}\nprintf '%s\\n' \"$KEY\" > key\n", blocks());
        let nodes = world.cluster.nodes();
        let hash = |secret: &SecretKey| secret.public_key().hash().to_string();
        let program = Path::new(quorate()).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(script)
            .current_dir(&self.folder)
            .env("PATH", format!("{}:{path}", program.display()))
            .env("N1", nodes[0].config())
            .env("N2", nodes[1].config())
            .env("N3", nodes[2].config())
            .env("MODULE", module)
            .env("RESTART", self.folder.join("restart.sh"))
            .env("PIN", PIN)
            .env("SO_PIN", "a-pin-of-the-officer")
            .env("PASSWORD", self.folder.join("password"))
            .env("OFFLINE", self.folder.join("offline"))
            .env("CONSENSUS", self.folder.join("consensus"))
            .env("COMPANION", self.folder.join("companion"))
            .env("OFFLINE_KEY", hash(&self.offline))
            .env("CONSENSUS_KEY", hash(&self.consensus))
            .env("COMPANION_KEY", hash(&self.companion))
            .env("CHAIN", CHAIN.to_string())
            .env("LEVEL", "1")
            .stdin(Stdio::null())
            .stdout(fs::File::create(self.folder.join("out")).unwrap())
            .stderr(fs::File::create(self.folder.join("err")).unwrap())
            .kill_on_drop(true);
        shell.spawn().unwrap()
    }

    /// Runs the page to its end, and restarts nodes when it says so.
    async fn run(&self, world: &mut World, module: &Path) {
        let mut shell = self.start(world, module);
        let deadline = Deadline::after(WITHIN);
        let ended = loop {
            let asked = self.folder.join("restart");
            if let Ok(config) = fs::read_to_string(&asked) {
                let nodes = world.cluster.nodes();
                let node = nodes
                    .iter()
                    .find(|node| node.config() == Path::new(&config));
                let id = node.unwrap().id();
                world.kill(id);
                world.start(id);
                world.ready().await;
                fs::remove_file(&asked).unwrap();
            }
            if let Some(ended) = shell.try_wait().unwrap() {
                break ended;
            }
            assert!(!deadline.passed(), "it hangs:\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(ended.success(), "{ended}:\n{}", self.said());
    }

    fn said(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        read("out") + &read("err")
    }
}

/// The blocks of the page that are to be run.
fn blocks() -> String {
    let mut blocks = String::new();
    let mut inside = false;
    for line in PAGE.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => blocks = blocks + line + "\n",
            _text => {}
        }
    }
    assert!(blocks.contains("key copy close"), "the page has its blocks");
    blocks
}

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
    // A companion key signs attestations only.
    let slot = world.next_slot();
    let block = consensus(Curve::Bls12_381, Kind::Block, CHAIN, slot, 0);
    let refused = world.insist(&[1], &companion, &block).await;
    assert!(matches!(refused, Outcome::Refused(403, _)), "{refused:?}");

    // No PIN and no secret was said, and no secret is on a disk in the clear (R32).
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

    // R41: a file that does not open refuses its own key, and the others go on. It is the file of
    // another node, on a disk that was taken from there.
    let sealed = |id: usize| {
        let node = world.cluster.nodes()[id - 1].config();
        let name = format!("{}.sealed", companion.hash());
        node.parent().unwrap().join("hsm/sealed").join(name)
    };
    fs::copy(sealed(3), sealed(2)).unwrap();
    world.kill(2);
    world.start(2);
    let look = || async {
        let status = world.cluster.status(2).await.map_err(|e| e.to_string())?;
        let own = status.nodes.iter().find(|node| node.id == 2).unwrap();
        let able: Vec<bool> = keys
            .iter()
            .map(|key| own.can_sign.get(&key.hash()).copied().unwrap_or_default())
            .collect();
        match able == [true, false, true, true] {
            true => Ok(()),
            false => Err(format!("node 2 can sign: {able:?}")),
        }
    };
    wait_for("the three other keys of node 2", PATIENCE, look)
        .await
        .unwrap();
    let compared = Command::new(quorate())
        .args(["key", "compare", "--config"])
        .arg(world.cluster.nodes()[1].config())
        .output();
    let compared = compared.await.unwrap();
    let rows = String::from_utf8_lossy(&compared.stdout);
    assert!(
        !compared.status.success() && rows.contains("node 2 cannot sign"),
        "{rows}"
    );
}

fn softhsm() -> Option<PathBuf> {
    let found = shim_orders::softhsm();
    if found.is_none() {
        println!("SKIP: SoftHSM is not installed: deploy/prerequisites.sh test");
        assert!(std::env::var_os("CI").is_none(), "nothing may skip in CI");
        if let Some(file) = std::env::var_os("QUORATE_SKIPS") {
            let mut options = fs::OpenOptions::new();
            let mut skips = options.create(true).append(true).open(file).unwrap();
            writeln!(skips, "SKIP: SoftHSM is not installed").unwrap();
        }
    }
    found
}
