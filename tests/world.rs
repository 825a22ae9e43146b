//! A cluster of a test's own: three real processes in a folder of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::{Client, ClientError};
use node::dev::Settings;
use node::dev::cluster::{Cluster, Plan};
use node::dev::deadline::{Deadline, wait_for};
use node::dev::message::consensus;
use node::dev::token::Tokens;
use tempfile::TempDir;
use tezos::{ChainId, Curve, Kind, Level, PublicKey, Round, Signature, Slot};
use tokio::sync::{Mutex, MutexGuard};

use crate::judge::Judge;
use crate::raw;

/// One cluster at a time: two on two cores would only measure each other.
static TURN: Mutex<()> = Mutex::const_new(());

pub(crate) const CHAIN: ChainId = ChainId(*b"test");

pub(crate) const CURVES: [Curve; 4] = [
    Curve::Ed25519,
    Curve::Secp256k1,
    Curve::P256,
    Curve::Bls12_381,
];

/// How long anything may take that has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) judge: Arc<Judge>,
    level: u32,
    // Dropped in this order, after the cluster.
    dir: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// What a request came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Signed(Signature),
    /// A decision: status and words.
    Refused(u16, String),
    /// Nobody could decide.
    Outage(#[expect(dead_code, reason = "read when a test fails and shows it")] String),
}

impl Outcome {
    pub(crate) fn signature(self) -> Signature {
        match self {
            Self::Signed(signature) => signature,
            other => panic!("not signed: {other:?}"),
        }
    }

    /// The words of a 409.
    pub(crate) fn conflict(self) -> String {
        match self {
            Self::Refused(409, words) => words,
            other => panic!("not refused with 409: {other:?}"),
        }
    }
}

impl World {
    pub(crate) async fn of(curves: &[Curve]) -> Self {
        Self::with(curves, "after-commit", Settings::default()).await
    }

    pub(crate) async fn with(curves: &[Curve], release: &'static str, settings: Settings) -> Self {
        Self::with_tokens(curves, release, settings, None).await
    }

    pub(crate) async fn with_tokens(
        curves: &[Curve],
        release: &'static str,
        settings: Settings,
        tokens: Option<Tokens>,
    ) -> Self {
        let turn = TURN.lock().await;
        let dir = folder();
        let plan = Plan {
            dir: dir.path().canonicalize().unwrap(),
            program: PathBuf::from(quorate()),
            signer_port: 0,
            curves: curves.to_vec(),
            release,
            tokens,
            settings,
        };
        Self {
            cluster: Cluster::start(&plan)
                .await
                .unwrap_or_else(|fault| panic!("{fault}")),
            judge: Arc::default(),
            level: 1,
            dir,
            _turn: turn,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn key(&self, curve: Curve) -> PublicKey {
        let keys = self.cluster.keys();
        keys.iter()
            .find(|key| key.curve == curve)
            .unwrap()
            .public_key
            .clone()
    }

    /// A slot above every one before.
    pub(crate) fn next_slot(&mut self) -> Slot {
        let slot = slot(self.level, 0);
        self.level += 1;
        slot
    }

    pub(crate) fn client(&self, ids: &[u64]) -> Client {
        self.cluster.client(ids).unwrap()
    }

    pub(crate) fn port(&self, id: u64) -> u16 {
        self.cluster
            .nodes()
            .iter()
            .find(|node| node.id() == id)
            .unwrap()
            .ports()
            .signer
    }

    pub(crate) async fn leader(&self) -> u64 {
        self.cluster.leader().await.unwrap()
    }

    /// The running nodes that do not lead.
    pub(crate) async fn followers(&self) -> Vec<u64> {
        let leader = self.leader().await;
        (1..=3).filter(|id| *id != leader).collect()
    }

    pub(crate) fn kill(&mut self, id: u64) {
        self.cluster.node(id).unwrap().kill().unwrap();
    }

    pub(crate) fn start(&mut self, id: u64) {
        self.cluster.node(id).unwrap().start().unwrap();
    }

    pub(crate) async fn ready(&mut self) {
        self.cluster.ready().await.unwrap();
    }

    /// Asks these nodes once, and shows every signature to the judge.
    pub(crate) async fn ask(&self, ids: &[u64], key: &PublicKey, message: &[u8]) -> Outcome {
        ask(&self.client(ids), &self.judge, key, message).await
    }

    /// Asks these nodes until one of them decides.
    pub(crate) async fn insist(&self, ids: &[u64], key: &PublicKey, message: &[u8]) -> Outcome {
        insist(&self.client(ids), &self.judge, key, message).await
    }

    /// Runs a `quorate` command against one node.
    pub(crate) async fn quorate(&self, id: u64, words: &[&str]) -> String {
        let config = self
            .cluster
            .nodes()
            .iter()
            .find(|node| node.id() == id)
            .unwrap()
            .config();
        let done = self.cluster.program().run(&config, words).await;
        done.unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Whether a command against one node did what it should, and all that it said.
    pub(crate) async fn said(&self, id: u64, words: &[&str]) -> (bool, String) {
        let mut nodes = self.cluster.nodes().iter();
        let config = nodes.find(|node| node.id() == id).unwrap().config();
        let mut command = tokio::process::Command::new(quorate());
        let done = command.args(words).arg("--config").arg(config).output();
        let done = done.await.unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(said).unwrap())
    }

    /// Takes the token of a node away, or brings it back.
    pub(crate) fn pull(&self, id: u64, away: bool) {
        let mut nodes = self.cluster.nodes().iter();
        let node = nodes.find(|node| node.id() == id).unwrap();
        node::dev::token::pull(node, away).unwrap();
    }

    /// Waits until a node's mark of this key and kind has reached a slot.
    pub(crate) async fn marked(&self, id: u64, key: &PublicKey, kind: Kind, slot: Slot) {
        let look = || async {
            let reports = self
                .cluster
                .key_reports(id)
                .await
                .map_err(|fault| fault.to_string())?;
            let report = reports.into_iter().find(|report| report.public_key == *key);
            let marks = report
                .and_then(|report| report.enrolled)
                .map(|enrolled| enrolled.marks);
            let reached = marks.iter().flatten().any(|mark| {
                (mark.chain, mark.kind) == (CHAIN, kind)
                    && Slot::new(mark.level, mark.round) >= slot
            });
            if reached {
                Ok(())
            } else {
                Err(format!("node {id} has {marks:?}"))
            }
        };
        wait_for("the mark", PATIENCE, look).await.unwrap();
    }
}

impl Drop for World {
    /// A failed test shows what the nodes said, since their folder goes with it.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for node in self.cluster.nodes() {
            let said = std::fs::read_to_string(node.log()).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            let last = lines
                .get(lines.len().saturating_sub(40)..)
                .unwrap_or_default();
            println!(
                "--- the last words of node {}:\n{}",
                node.id(),
                last.join("\n")
            );
        }
    }
}

/// The binary under test.
pub(crate) fn quorate() -> &'static str {
    env!("CARGO_BIN_EXE_quorate")
}

/// A folder on the disk that the build is on: nodes refuse tmpfs, which `/tmp` may be.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub(crate) fn slot(level: u32, round: u32) -> Slot {
    Slot::new(Level::new(level).unwrap(), Round::new(round).unwrap())
}

/// An attestation; another `flavour` is another message.
pub(crate) fn attestation(key: &PublicKey, slot: Slot, flavour: u64) -> Vec<u8> {
    consensus(key.curve(), Kind::Attestation, CHAIN, slot, flavour)
}

/// A POST of a message, as bytes for a raw connection.
pub(crate) fn post(key: &PublicKey, message: &[u8]) -> Vec<u8> {
    raw::post(&format!("/keys/{}?version=3", key.hash()), &quoted(message))
}

/// The JSON string of a message.
pub(crate) fn quoted(message: &[u8]) -> String {
    format!("\"{}\"", hex::encode(message))
}

pub(crate) async fn ask(
    client: &Client,
    judge: &Judge,
    key: &PublicKey,
    message: &[u8],
) -> Outcome {
    match client.sign(key, message).await {
        Ok(signature) => {
            judge.saw(key.hash(), message, &signature);
            Outcome::Signed(signature)
        }
        Err(ClientError::Answered {
            status, message, ..
        }) => Outcome::Refused(status, message),
        Err(fault @ ClientError::Outage { .. }) => Outcome::Outage(fault.to_string()),
        Err(fault) => panic!("{fault}"),
    }
}

/// An outage decides nothing, so the same bytes are asked again, as a baker's octez does.
pub(crate) async fn insist(
    client: &Client,
    judge: &Judge,
    key: &PublicKey,
    message: &[u8],
) -> Outcome {
    let deadline = Deadline::after(PATIENCE);
    loop {
        let outcome = ask(client, judge, key, message).await;
        if !matches!(outcome, Outcome::Outage(_)) || deadline.passed() {
            return outcome;
        }
    }
}
