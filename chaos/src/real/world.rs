//! Three machines, and what an operator does with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use judge::history::{Event, Line};
use node::admin::{AdminClient, KeyReport, Status};
use node::dev::deadline::{Deadline, wait_for};
use node::dev::ports::Ports;
use node::dev::program::Program;
use node::dev::{DevError, ports::PortError};
use raft_store::disk;

use super::audit;
use super::config::{self, Settings};
use super::failed::Failed;
use super::journal::Journal;
use super::kit::{CHAIN, FLOOR, Kit, KitKey};
use super::machine::{Ground, Machine};

/// The node ids.
pub(crate) const NODES: [u64; 3] = [1, 2, 3];

/// How long anything may take that has to happen. The machine may be busy with builds: this bounds a hang and
/// measures nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Three machines in a folder of their own. Dropping it ends every process, by its id.
#[derive(Debug)]
pub(crate) struct World {
    program: Program,
    machines: Vec<Machine>,
    kit: Arc<Kit>,
    journal: Arc<Journal>,
}

impl World {
    /// Three machines with empty disks and a configuration each; nothing runs.
    ///
    /// # Errors
    /// If a folder, a mount or a port cannot be had.
    pub(crate) fn make(
        folder: &Path,
        program: &Path,
        kit: Arc<Kit>,
        journal: Arc<Journal>,
        ground: Ground,
        settings: &Settings,
    ) -> Result<Self, Failed> {
        disk::create_folder(folder).map_err(Failed::file(folder))?;
        kit.write_password(&folder.join("password"))?;
        let mut machines = Vec::new();
        let ports = Ports::plan(0, 3).map_err(|error: PortError| DevError::from(error))?;
        for (id, ports) in NODES.into_iter().zip(ports) {
            let own = folder.join(format!("node{id}"));
            let machine = Machine::make(id, program, own, ports, ground)?;
            config::write(&machine.process().config(), ports, settings)?;
            machines.push(machine);
        }
        Ok(Self {
            program: Program::at(program.to_owned()),
            machines,
            kit,
            journal,
        })
    }

    /// One machine.
    ///
    /// # Errors
    /// If there is none with that id.
    pub(crate) fn machine(&self, id: u64) -> Result<&Machine, Failed> {
        let found = self.machines.iter().find(|machine| machine.id() == id);
        found.ok_or_else(|| Failed::step(format!("there is no node {id}")))
    }

    /// One machine, to start, end or change it.
    ///
    /// # Errors
    /// If there is none with that id.
    pub(crate) fn machine_mut(&mut self, id: u64) -> Result<&mut Machine, Failed> {
        let found = self.machines.iter_mut().find(|machine| machine.id() == id);
        found.ok_or_else(|| Failed::step(format!("there is no node {id}")))
    }

    /// All of them, by id.
    pub(crate) fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// Runs a `quorate` command against one node.
    ///
    /// # Errors
    /// If it cannot be started, or ends with anything but 0.
    pub(crate) async fn quorate(&self, id: u64, words: &[&str]) -> Result<String, Failed> {
        let config = self.machine(id)?.process().config();
        Ok(self.program.run(&config, words).await?)
    }

    /// `quorate init` and the key files, on every node.
    ///
    /// # Errors
    /// If one of them fails.
    pub(crate) async fn init(&self) -> Result<(), Failed> {
        for id in NODES {
            self.quorate(id, &["init"]).await?;
            self.bring_keys(id)?;
        }
        Ok(())
    }

    /// Writes the key files into the data folder of a node.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn bring_keys(&self, id: u64) -> Result<(), Failed> {
        let folder = self.machine(id)?.process().data_dir().join("keys");
        self.kit.write_keys(&folder)
    }

    /// Starts these nodes. To be called on the main thread, with which they would end.
    ///
    /// # Errors
    /// If one cannot be started.
    pub(crate) fn start(&mut self, ids: &[u64]) -> Result<(), Failed> {
        ids.iter().try_for_each(|id| self.machine_mut(*id)?.start())
    }

    /// SIGKILL to these nodes; the processes are gone when this returns.
    ///
    /// # Errors
    /// If the system cannot.
    pub(crate) fn kill(&mut self, ids: &[u64]) -> Result<(), Failed> {
        for id in ids {
            let machine = self.machine_mut(*id)?;
            let ran = machine.process().pid().is_some();
            machine.process_mut().kill()?;
            if ran {
                self.journal.record(Event::Ended {
                    node: *id,
                    code: None,
                });
            }
        }
        Ok(())
    }

    /// Waits until a node has ended by itself, and gives its exit code.
    ///
    /// # Errors
    /// If it has not within `limit`.
    pub(crate) async fn ended(&mut self, id: u64, limit: Duration) -> Result<Option<i32>, Failed> {
        let status = self
            .machine_mut(id)?
            .process_mut()
            .wait_ended(limit)
            .await?;
        let code = status.code();
        self.journal.record(Event::Ended { node: id, code });
        Ok(code)
    }

    /// `quorate cluster form`, the same line on every node, each of which is running.
    ///
    /// # Errors
    /// If it fails on one.
    pub(crate) async fn form(&mut self) -> Result<(), Failed> {
        let lines = self.lines().await?;
        for id in NODES {
            self.form_on(id, &lines).await?;
        }
        self.leader().await.map(|_leader| ())
    }

    /// What `quorate init` printed on each node.
    ///
    /// # Errors
    /// If a node does not answer in time, or has ended.
    pub(crate) async fn lines(&mut self) -> Result<Vec<String>, Failed> {
        let mut lines = Vec::new();
        for id in NODES {
            lines.push(self.first_status(id).await?.line);
        }
        Ok(lines)
    }

    /// `quorate cluster form` on one node.
    ///
    /// # Errors
    /// If it fails.
    pub(crate) async fn form_on(&self, id: u64, lines: &[String]) -> Result<String, Failed> {
        let mut words = vec!["cluster", "form"];
        words.extend(lines.iter().map(String::as_str));
        self.quorate(id, &words).await
    }

    /// `quorate key enrol` of these keys, on one node.
    ///
    /// # Errors
    /// If one is refused.
    pub(crate) async fn enrol(&self, id: u64, keys: &[KitKey]) -> Result<(), Failed> {
        for key in keys {
            let public_key = key.public_key.to_string();
            let chain = format!("{CHAIN}={FLOOR}");
            let words = [
                "key",
                "enrol",
                &public_key,
                "--role",
                "baker",
                "--release",
                key.release_word(),
                "--chain",
                &chain,
                "--yes",
            ];
            self.quorate(id, &words).await?;
        }
        Ok(())
    }

    /// The first answer of a node that was just started.
    ///
    /// # Errors
    /// If it ends instead, or is silent for too long.
    pub(crate) async fn first_status(&mut self, id: u64) -> Result<Status, Failed> {
        let deadline = Deadline::after(PATIENCE);
        loop {
            self.machine_mut(id)?.process_mut().still_runs()?;
            match self.status(id).await {
                Ok(status) => return Ok(status),
                Err(error) if deadline.passed() => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// How a node sees the cluster.
    ///
    /// # Errors
    /// If it does not answer.
    pub(crate) async fn status(&self, id: u64) -> Result<Status, Failed> {
        let answer = self.admin(id)?.status().await;
        answer.map_err(|error| Failed::step(format!("node {id}: {error}")))
    }

    /// The keys as a node has them, marks included, and the entry up to which it has applied.
    ///
    /// # Errors
    /// If it does not answer.
    pub(crate) async fn keys(&self, id: u64) -> Result<(u64, Vec<KeyReport>), Failed> {
        let answer = self.admin(id)?.keys().await;
        let reports = answer.map_err(|error| Failed::step(format!("node {id}: {error}")))?;
        Ok((reports.applied, reports.keys))
    }

    /// The node that leads, once every running node names the same one.
    ///
    /// # Errors
    /// If they do not agree in time.
    pub(crate) async fn leader(&self) -> Result<u64, Failed> {
        let agreed = wait_for("a leader that all agree on", PATIENCE, || async {
            let mut named = Vec::new();
            for id in self.running() {
                let status = self.status(id).await.map_err(|error| error.to_string())?;
                named.push(status.leader);
            }
            match named.first() {
                Some(Some(leader)) if named.iter().all(|other| other == &Some(*leader)) => {
                    Ok(*leader)
                }
                _ => Err(format!("they name {named:?}")),
            }
        });
        Ok(agreed.await?)
    }

    /// The running nodes that do not lead, and the one that does.
    ///
    /// # Errors
    /// If they do not agree on a leader in time.
    pub(crate) async fn roles(&self) -> Result<(u64, Vec<u64>), Failed> {
        let leader = self.leader().await?;
        let followers = self.running().into_iter().filter(|id| *id != leader);
        Ok((leader, followers.collect()))
    }

    /// The nodes whose process runs, as far as was looked.
    pub(crate) fn running(&self) -> Vec<u64> {
        let running = |machine: &&Machine| machine.process().pid().is_some();
        self.machines
            .iter()
            .filter(running)
            .map(Machine::id)
            .collect()
    }

    /// Waits until these nodes could get a signature now.
    ///
    /// # Errors
    /// If one cannot in time, or has ended: then with its last words.
    pub(crate) async fn ready(&mut self, ids: &[u64]) -> Result<(), Failed> {
        for id in ids {
            let url = format!("{}/readyz", self.machine(*id)?.process().ops_url());
            let deadline = Deadline::after(PATIENCE);
            loop {
                self.machine_mut(*id)?.process_mut().still_runs()?;
                let answer = reqwest::get(&url).await;
                let instead = match answer {
                    Ok(answer) if answer.status().is_success() => break,
                    Ok(answer) => format!("it answers {}", answer.status()),
                    Err(error) => error.to_string(),
                };
                if deadline.passed() {
                    return Err(Failed::step(format!("node {id} is not ready: {instead}")));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(())
    }

    /// Everything that the nodes wrote down, in the order of each file.
    ///
    /// # Errors
    /// If a file cannot be read, or a line of it makes no sense.
    pub(crate) fn audits(&self) -> Result<Vec<Line>, Failed> {
        let mut lines = Vec::new();
        for machine in &self.machines {
            lines.extend(audit::read(&machine.audit())?);
        }
        Ok(lines)
    }

    fn admin(&self, id: u64) -> Result<AdminClient, Failed> {
        let socket: PathBuf = self.machine(id)?.process().data_dir().join("admin.sock");
        AdminClient::new(&socket, PATIENCE).map_err(|error| Failed::step(error.to_string()))
    }
}
