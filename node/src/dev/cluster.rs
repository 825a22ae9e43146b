//! Three real nodes on one machine, formed, with a key per curve enrolled.

use std::path::{Path, PathBuf};
use std::time::Duration;

use client::{Client, Options};
use rustix::process::Signal;
use tezos::{Curve, PublicKeyHash};

use super::deadline::{Deadline, POLL, wait_for};
use super::fault::DevError;
use super::folder::{self, Settings};
use super::manifest::{KeyEntry, Manifest, NodeEntry};
use super::process::NodeProcess;
use super::program::Program;
use super::token::Tokens;
use crate::admin::{AdminClient, KeyReport, Status};

/// What kind of cluster is wanted, and where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder that holds everything; absolute.
    pub dir: PathBuf,
    /// The `quorate` binary.
    pub program: PathBuf,
    /// The signer port of node 1; 0 looks for free ones.
    pub signer_port: u16,
    /// One key is enrolled for each.
    pub curves: Vec<Curve>,
    /// `after-commit` or `after-record`.
    pub release: &'static str,
    /// The nodes whose keys are in SoftHSM tokens; none for files everywhere.
    pub tokens: Option<Tokens>,
    /// More lines for `node.toml`.
    pub settings: Settings,
}

/// The running cluster. Dropping it kills every node.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    program: Program,
    nodes: Vec<NodeProcess>,
    keys: Vec<KeyEntry>,
    http: reqwest::Client,
}

/// Everything that a fresh cluster waits for takes a second or two; a loaded machine may take ten.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a node may take to drain before it is killed.
const DRAIN: Duration = Duration::from_secs(6);

impl Cluster {
    /// Brings the cluster up from whatever is in its folder: nothing, half of it, or all of an
    /// earlier run.
    ///
    /// # Errors
    /// [`DevError`].
    pub async fn start(plan: &Plan) -> Result<Self, DevError> {
        let program = Program::at(plan.program.clone());
        Manifest::remove(&plan.dir).map_err(DevError::file(&plan.dir))?;
        let nodes = folder::prepare(plan, &program).await?;
        let mut cluster = Self {
            dir: plan.dir.clone(),
            program,
            nodes,
            keys: Vec::new(),
            http: plain_http()?,
        };
        for node in &mut cluster.nodes {
            node.start()?;
        }
        cluster.form().await?;
        cluster.enrol(plan).await?;
        cluster.ready().await?;
        cluster.write_manifest()?;
        Ok(cluster)
    }

    /// The nodes; node 1 is the first.
    pub fn nodes(&self) -> &[NodeProcess] {
        &self.nodes
    }

    /// One node, to start and kill.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn node(&mut self, id: u64) -> Result<&mut NodeProcess, DevError> {
        let found = self.nodes.iter_mut().find(|node| node.id() == id);
        found.ok_or_else(|| DevError::Broken(format!("there is no node {id}")))
    }

    /// One key per curve, in the order of the plan.
    pub fn keys(&self) -> &[KeyEntry] {
        &self.keys
    }

    /// The folder of the cluster.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The commands of this program.
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// Whether a health listener answers 200 at this URL.
    ///
    /// # Errors
    /// What it did instead, in words.
    pub async fn answers(&self, url: String) -> Result<(), String> {
        match self.http.get(&url).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("{url} answered {}", answer.status())),
            Err(error) => Err(format!("{url}: {error}")),
        }
    }

    /// A client that asks these nodes, in this order.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn client(&self, ids: &[u64]) -> Result<Client, DevError> {
        let by_id = |id: &u64| self.nodes.iter().find(|node| node.id() == *id);
        let urls = ids.iter().filter_map(by_id).map(NodeProcess::signer_url);
        let endpoints = urls.map(|url| url.parse()).collect::<Result<_, _>>()?;
        Ok(Client::new(endpoints, Options::default())?)
    }

    /// How a node sees the cluster.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn status(&self, id: u64) -> Result<Status, DevError> {
        let answer = self.admin(id)?.status().await;
        answer.map_err(|source| DevError::Admin { id, source })
    }

    /// The keys as a node has them, marks included.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn key_reports(&self, id: u64) -> Result<Vec<KeyReport>, DevError> {
        let answer = self.admin(id)?.keys().await;
        Ok(answer
            .map_err(|source| DevError::Admin { id, source })?
            .keys)
    }

    /// The node that leads, once all running nodes name the same one.
    ///
    /// # Errors
    /// If they do not agree in time.
    pub async fn leader(&self) -> Result<u64, DevError> {
        wait_for(
            "a leader that all running nodes agree on",
            PATIENCE,
            || async {
                let mut named = Vec::new();
                for node in self.nodes.iter().filter(|node| node.pid().is_some()) {
                    let status = self
                        .status(node.id())
                        .await
                        .map_err(|error| error.to_string())?;
                    named.push(status.leader);
                }
                match named.first() {
                    Some(Some(leader)) if named.iter().all(|other| other == &Some(*leader)) => {
                        Ok(*leader)
                    }
                    _ => Err(format!("they name {named:?}")),
                }
            },
        )
        .await
    }

    /// Waits until every running node could get a signature now.
    ///
    /// # Errors
    /// If one cannot in time, or ends.
    pub async fn ready(&mut self) -> Result<(), DevError> {
        self.still_run()?;
        for node in self.nodes.iter().filter(|node| node.pid().is_some()) {
            let what = format!("the readiness of node {}", node.id());
            wait_for(&what, PATIENCE, || {
                self.answers(format!("{}/readyz", node.ops_url()))
            })
            .await?;
        }
        Ok(())
    }

    /// Writes `dev.json` anew, with the pids of now.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_manifest(&self) -> Result<(), DevError> {
        let nodes = self.nodes.iter().map(|node| NodeEntry {
            id: node.id(),
            signer_url: node.signer_url(),
            ops_url: node.ops_url(),
            pid: node.pid().unwrap_or_default(),
            data_dir: node.data_dir(),
            argv: node.argv().to_vec(),
        });
        let manifest = Manifest {
            nodes: nodes.collect(),
            keys: self.keys.clone(),
        };
        manifest.write(&self.dir).map_err(DevError::file(&self.dir))
    }

    /// Tells every node to drain, and kills those that do not end in time.
    ///
    /// # Errors
    /// If one cannot be signalled or killed.
    pub async fn stop(&mut self) -> Result<(), DevError> {
        Manifest::remove(&self.dir).map_err(DevError::file(&self.dir))?;
        for node in &mut self.nodes {
            if node.ended()?.is_none() && node.pid().is_some() {
                node.signal(Signal::TERM)?;
            }
        }
        let deadline = Deadline::after(DRAIN);
        for node in self.nodes.iter_mut().filter(|node| node.pid().is_some()) {
            if node.wait_ended(deadline.left()).await.is_err() {
                node.kill()?;
            }
        }
        Ok(())
    }

    async fn form(&mut self) -> Result<(), DevError> {
        let mut lines = Vec::new();
        let mut formed = true;
        for id in self.ids() {
            let status = self.first_status(id).await?;
            formed &= status.formed;
            lines.push(status.line);
        }
        if !formed {
            let mut words = vec!["cluster", "form"];
            words.extend(lines.iter().map(String::as_str));
            for node in &self.nodes {
                self.program.run(&node.config(), &words).await?;
            }
        }
        self.leader().await.map(|_leader| ())
    }

    /// The first answer of a node that was just started.
    async fn first_status(&mut self, id: u64) -> Result<Status, DevError> {
        let deadline = Deadline::after(PATIENCE);
        loop {
            self.node(id)?.still_runs()?;
            match self.status(id).await {
                Ok(status) => return Ok(status),
                Err(error) if deadline.passed() => return Err(error),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    async fn enrol(&mut self, plan: &Plan) -> Result<(), DevError> {
        let Some(first) = self.nodes.first() else {
            return Ok(());
        };
        let (id, config) = (first.id(), first.config());
        for report in self.key_reports(id).await? {
            if report.enrolled.is_none() {
                let key = report.public_key.to_string();
                let words = [
                    "key",
                    "enrol",
                    &key,
                    "--role",
                    "baker",
                    "--release",
                    plan.release,
                    "--any-chain-from",
                    "0",
                    "--yes",
                ];
                self.program.run(&config, &words).await?;
            }
        }
        let reports = self.key_reports(id).await?;
        let of_curve = |curve: &Curve| {
            let report = reports
                .iter()
                .find(|report| report.public_key.curve() == *curve)?;
            Some(KeyEntry {
                curve: *curve,
                public_key_hash: report.public_key_hash,
                public_key: report.public_key.clone(),
            })
        };
        self.keys = plan.curves.iter().filter_map(of_curve).collect();
        self.known_everywhere().await
    }

    /// A follower learns of an enrolment with the next heartbeat.
    async fn known_everywhere(&self) -> Result<(), DevError> {
        for id in self.ids() {
            wait_for("the enrolled keys on every node", PATIENCE, || async {
                let reports = self
                    .key_reports(id)
                    .await
                    .map_err(|error| error.to_string())?;
                let enrolled = |key: &PublicKeyHash| {
                    reports
                        .iter()
                        .any(|report| report.public_key_hash == *key && report.enrolled.is_some())
                };
                if self.keys.iter().all(|key| enrolled(&key.public_key_hash)) {
                    Ok(())
                } else {
                    Err(format!("node {id} has not all of them"))
                }
            })
            .await?;
        }
        Ok(())
    }

    fn still_run(&mut self) -> Result<(), DevError> {
        self.nodes
            .iter_mut()
            .filter(|node| node.pid().is_some())
            .try_for_each(NodeProcess::still_runs)
    }

    fn ids(&self) -> Vec<u64> {
        self.nodes.iter().map(NodeProcess::id).collect()
    }

    fn admin(&self, id: u64) -> Result<AdminClient, DevError> {
        let node = self.nodes.iter().find(|node| node.id() == id);
        let node = node.ok_or_else(|| DevError::Broken(format!("there is no node {id}")))?;
        Ok(AdminClient::new(
            &node.data_dir().join("admin.sock"),
            PATIENCE,
        )?)
    }
}

/// Health is plain HTTP on loopback, but reqwest wants TLS settings all the same.
fn plain_http() -> Result<reqwest::Client, DevError> {
    // Another part of the process may have installed it already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Ok(reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(3))
        .build()?)
}
