//! `docs/migrate.md`, run as it is written: in from octez-signer's files, and back to them (R42).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use node::admin::{Enrolled, Marks};
use serde_json::Value;
use tezos::{Curve, Kind, PublicKey, SecretKey};
use tokio::process::Command;

use crate::world::{CHAIN, Outcome, World, attestation, quorate, slot};

const PAGE: &str = include_str!("../docs/migrate.md");

/// The names and kinds of octez-signer's files.
const FILES: [(&str, Kind); 3] = [
    ("block_high_watermarks", Kind::Block),
    ("preattestation_high_watermarks", Kind::Preattestation),
    ("attestation_high_watermarks", Kind::Attestation),
];

/// A block of shell of the page.
struct Block {
    each_node: bool,
    text: String,
}

/// The blocks of shell, in the order of the page.
fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in PAGE.lines() {
        match (open, line.strip_prefix("```")) {
            (false, Some(info)) => {
                assert!(matches!(info, "sh" | "sh each-node"), "{info:?} is not run");
                let each_node = info.ends_with("each-node");
                let text = String::new();
                blocks.push(Block { each_node, text });
                open = true;
            }
            (true, Some(_)) => open = false,
            (true, None) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (false, None) => {}
        }
    }
    blocks
}

/// The machine that the page is about: a cluster, an old signer's folder, and the programs of others as
/// scripts that write down what they were asked.
struct Stage {
    world: World,
    variables: BTreeMap<String, String>,
    key: PublicKey,
}

impl Stage {
    async fn set(key: PublicKey) -> Self {
        let world = World::of(&[Curve::Ed25519]).await;
        let dir = world.dir().canonicalize().unwrap();
        let bin = dir.join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(quorate(), bin.join("quorate")).unwrap();
        for name in ["systemctl", "octez-client"] {
            let script = format!(
                "#!/bin/sh\necho {name} \"$@\" >> '{}/asked'\n",
                dir.display()
            );
            put(&bin.join(name), &script);
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let user = String::from_utf8(
            std::process::Command::new("id")
                .arg("-un")
                .output()
                .unwrap()
                .stdout,
        );
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let variables = [
            ("NODE_TOML", String::new()),
            ("KEY", key.hash().to_string()),
            ("SECRET", dir.join("secret").display().to_string()),
            ("OLD", dir.join("old").display().to_string()),
            ("OLD_URL", "http://127.0.0.1:1".to_owned()),
            ("OLD_USER", user.unwrap().trim().to_owned()),
            ("SIGNER", "octez-signer".to_owned()),
            ("BAKER", "octez-baker".to_owned()),
            ("ALIAS", "baker".to_owned()),
            ("QUORATE_URL", format!("http://127.0.0.1:{}", world.port(2))),
            ("YES", "--yes".to_owned()),
            ("PATH", path),
        ];
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        Self {
            world,
            variables,
            key,
        }
    }

    fn value(&self, name: &str) -> &str {
        self.variables.get(name).unwrap()
    }

    fn old(&self) -> PathBuf {
        PathBuf::from(self.value("OLD"))
    }

    /// Runs a block, on every node or on the first, and returns what it said.
    async fn run(&self, block: &Block) -> String {
        let nodes = self.world.cluster.nodes();
        let count = if block.each_node { nodes.len() } else { 1 };
        let mut said = String::new();
        for node in nodes.iter().take(count) {
            let output = Command::new("sh")
                .args(["-euc", &block.text])
                .env_clear()
                .envs(&self.variables)
                .env("NODE_TOML", node.config())
                .stdin(std::process::Stdio::null())
                .kill_on_drop(true)
                .output()
                .await
                .unwrap();
            let words = [output.stdout, output.stderr].concat();
            said.push_str(&String::from_utf8(words).unwrap());
            assert!(output.status.success(), "{}: {said}", block.text);
        }
        said
    }

    /// octez-signer's files, with one mark of each kind.
    fn octez_signed(&self, level: u32, round: u32) {
        fs::create_dir_all(self.old()).unwrap();
        for (name, _) in FILES {
            let hash = "24b5ea0c7c05f5c1c6abab863bf9b863f715540babcbd399322ec3ef0ad0267f";
            let key = self.key.hash();
            let mark = serde_json::json!({ "level": level, "round": round, "hash": hash });
            let file = serde_json::json!({ CHAIN.to_string(): { key.to_string(): mark } });
            put(&self.old().join(name), &file.to_string());
        }
        self.a_minute_passes();
    }

    /// What the page waits for is that the files are a minute old; so they are made that.
    fn a_minute_passes(&self) {
        for file in fs::read_dir(self.old()).unwrap() {
            let file = File::options().write(true).open(file.unwrap().path());
            file.unwrap().set_modified(a_while_ago()).unwrap();
        }
    }

    async fn enrolled(&self) -> Option<Enrolled> {
        let reports = self.world.cluster.key_reports(1).await.unwrap();
        let report = reports
            .into_iter()
            .find(|report| report.public_key == self.key);
        report.unwrap().enrolled
    }

    async fn asks(&self, level: u32, round: u32) -> Outcome {
        let message = attestation(&self.key, slot(level, round), 0);
        self.world.insist(&[2], &self.key, &message).await
    }
}

/// The mark of the key in one of octez-signer's files.
fn octez_mark(folder: &Path, name: &str, key: &PublicKey) -> Value {
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let mark = file.pointer(&format!("/{CHAIN}/{}", key.hash()));
    mark.unwrap().clone()
}

/// What a command against the first node says that is refused.
async fn refused(world: &World, words: &[&str]) -> String {
    let config = world.cluster.nodes().first().unwrap().config();
    let said = world.cluster.program().run(&config, words).await;
    said.unwrap_err().to_string()
}

#[expect(clippy::disallowed_methods, reason = "the age of files is the matter")]
fn a_while_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(120)
}

fn put(path: &Path, text: &str) {
    raft_store::disk::replace(path, &[text.as_bytes()]).unwrap();
}

#[test]
fn the_page_names_every_variable_that_its_commands_use() {
    let blocks = blocks();
    let (variables, commands) = blocks.split_first().unwrap();
    let lines = variables.text.lines();
    let declared: Vec<&str> = lines.map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(declared.len(), 11, "{declared:?}");
    for block in commands {
        for used in block.text.split('$').skip(1) {
            let end = used.find(|letter: char| !letter.is_ascii_uppercase() && letter != '_');
            let name = &used[..end.unwrap()];
            assert!(declared.contains(&name), "${name} in {}", block.text);
        }
    }
}

/// R42, R25. In, some blocks of work, and back; then in again, from the files that the way back wrote.
#[tokio::test]
async fn the_page_is_run_as_it_is_written() {
    let secret_key = SecretKey::generate(Curve::Ed25519).unwrap();
    let stage = Stage::set(secret_key.public_key().clone()).await;
    put(Path::new(stage.value("SECRET")), &secret_key.reveal());
    let page = blocks();
    let [
        _variables,
        secret,
        stop,
        import,
        point,
        look,
        stop_baker,
        disable,
        export,
        start,
    ] = &page[..]
    else {
        panic!("the page has {} blocks", page.len());
    };
    stage.octez_signed(500, 1);

    stage.run(secret).await;
    stage.run(stop).await;
    let said = stage.run(import).await;
    assert!(
        said.contains("attestation_high_watermarks: "),
        "what was read is told: {said}"
    );
    assert!(said.contains("level 500 round 1"), "{said}");
    let said = stage.run(import).await;
    assert!(
        said.contains("nothing to change"),
        "R42, imported twice: {said}"
    );
    stage.run(point).await;

    let words = stage.asks(500, 1).await.conflict();
    assert!(words.contains("500"), "a burnt slot: {words}");
    stage.asks(500, 2).await.signature();
    let last = stage.asks(501, 0).await.signature();
    assert!(stage.run(look).await.contains("level 501 round 0, signed"));

    stage.run(stop_baker).await;
    // The signer's unit is stopped, so its files have not changed for as long as that.
    stage.a_minute_passes();
    assert!(stage.run(disable).await.contains("drained"));
    stage.run(export).await;
    stage.run(start).await;
    assert!(stage.asks(502, 0).await.conflict().contains("disabled"));

    let vote = octez_mark(&stage.old(), "attestation_high_watermarks", &stage.key);
    assert_eq!((&vote["level"], &vote["round"]), (&501.into(), &0.into()));
    assert_eq!(vote["signature"], last.to_string());
    let block = octez_mark(&stage.old(), "block_high_watermarks", &stage.key);
    assert_eq!((&block["level"], &block["round"]), (&500.into(), &1.into()));

    let asked = fs::read_to_string(stage.world.dir().join("asked")).unwrap();
    let (key, quorate, old) = (
        stage.key.hash(),
        stage.value("QUORATE_URL"),
        stage.value("OLD_URL"),
    );
    assert_eq!(
        asked.lines().collect::<Vec<_>>(),
        [
            "systemctl stop octez-baker",
            "systemctl disable --now octez-signer",
            &format!("octez-client import secret key baker {quorate}/{key} --force"),
            "systemctl start octez-baker",
            "systemctl stop octez-baker",
            "systemctl enable --now octez-signer",
            &format!("octez-client import secret key baker {old}/{key} --force"),
            "systemctl start octez-baker",
        ]
    );
    a_fresh_cluster_takes_it(stage).await;
}

/// Out and in again: a cluster that never saw the key has the same slots, burnt.
async fn a_fresh_cluster_takes_it(stage: Stage) {
    let before = stage.enrolled().await.unwrap();
    let read = |name| (name, fs::read_to_string(stage.old().join(name)).unwrap());
    let files = FILES.map(|(name, _)| read(name));
    let Stage { world, key, .. } = stage;
    drop(world);
    let stage = Stage::set(key).await;
    fs::create_dir(stage.old()).unwrap();
    for (name, text) in &files {
        put(&stage.old().join(name), text);
    }
    let key = stage.key.to_string();
    let import = format!("octez:{}", stage.value("OLD"));
    let words = ["key", "enrol", &key, "--import", &import, "--yes"];
    let said = refused(&stage.world, &words).await;
    assert_eq!(
        said.matches("the old signer still runs").count(),
        3,
        "{said}"
    );
    stage.a_minute_passes();
    stage.world.quorate(1, &words).await;
    let after = stage.enrolled().await.unwrap();
    let slots = |enrolled: &Enrolled| {
        let marks = enrolled.marks.iter();
        marks
            .map(|mark| (mark.kind, mark.level, mark.round))
            .collect::<Vec<_>>()
    };
    assert_eq!(slots(&after), slots(&before));
    assert!(after.marks.iter().all(|mark| mark.digest.is_none()));
}

/// R42. Asked of a follower, the export holds what the leader had committed by then; and a key that
/// may still sign is not handed over.
#[tokio::test]
async fn an_export_of_any_node_is_of_one_confirmed_state_and_hands_over_no_enabled_key() {
    let mut world = World::with(
        &[Curve::P256],
        "after-record",
        node::dev::Settings::default(),
    )
    .await;
    let key = world.key(Curve::P256);
    for _ in 0..5 {
        let at = world.next_slot();
        let signature = world
            .insist(&[1], &key, &attestation(&key, at, 0))
            .await
            .signature();
        for id in 1..=3 {
            let text = world.quorate(id, &["marks", "export"]).await;
            let marks: Marks = serde_json::from_str(&text).unwrap();
            assert!(marks.confirmed);
            let [one] = &marks.keys[..] else {
                panic!("{text}")
            };
            let [mark] = &one.marks[..] else {
                panic!("{text}")
            };
            assert_eq!((mark.level, mark.round), (at.level, at.round), "node {id}");
            assert_eq!(mark.signature.as_ref(), Some(&signature), "node {id}");
        }
    }
    let out = world.dir().join("out").display().to_string();
    let octez = ["marks", "export", "--format", "octez", "--out", &out];
    let said = refused(&world, &octez).await;
    assert!(said.contains("still enabled"), "{said}");
    assert!(!Path::new(&out).exists());
    world
        .quorate(1, &["key", "disable", &key.hash().to_string(), "--yes"])
        .await;
    world.quorate(3, &octez).await;
    let vote = octez_mark(Path::new(&out), "attestation_high_watermarks", &key);
    assert_eq!(vote["level"], 5);
    assert!(vote["signature"].as_str().unwrap().starts_with("p2sig"));
}
