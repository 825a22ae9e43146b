//! One real `quorate node` process.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::deadline::{Deadline, POLL};
use super::fault::DevError;
use super::ports::Ports;
use super::tether;
use rustix::process::{Pid, Signal, kill_process};

/// A node that can be started, killed, paused and started again. Dropping it kills it.
#[derive(Debug)]
pub struct NodeProcess {
    id: u64,
    folder: PathBuf,
    ports: Ports,
    argv: Vec<String>,
    environment: BTreeMap<String, String>,
    child: Option<Child>,
}

/// How much of a node's log is shown when it ends by itself.
const SHOWN_LINES: usize = 12;

impl NodeProcess {
    /// A node that is not running yet. `folder` holds its `node.toml`.
    pub fn new(id: u64, program: &Path, folder: PathBuf, ports: Ports) -> Self {
        let argv = vec![
            program.to_string_lossy().into_owned(),
            "node".to_owned(),
            "--config".to_owned(),
            folder.join("node.toml").to_string_lossy().into_owned(),
        ];
        Self {
            id,
            folder,
            ports,
            argv,
            environment: BTreeMap::new(),
            child: None,
        }
    }

    /// A variable of its environment, beside those of this process. It holds from the next start on.
    pub fn env(&mut self, name: &str, value: impl Into<String>) {
        self.environment.insert(name.to_owned(), value.into());
    }

    /// Its id in the cluster.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Its ports.
    pub const fn ports(&self) -> Ports {
        self.ports
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("node.toml")
    }

    /// Its data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its log file, appended to by every start.
    pub fn log(&self) -> PathBuf {
        self.folder.join("node.log")
    }

    /// What starts it.
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// Where to ask for signatures.
    pub fn signer_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.signer)
    }

    /// Where its health and metrics are.
    pub fn ops_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.ops)
    }

    /// The running process.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts it. To be called on a thread that lives as long as the node shall: the kernel ends
    /// the node with that thread.
    ///
    /// # Errors
    /// If the log file or the program cannot be opened.
    pub fn start(&mut self) -> Result<(), DevError> {
        let log = self.log();
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(DevError::file(&log))?;
        let errors = out.try_clone().map_err(DevError::file(&log))?;
        let mut words = self.argv.iter();
        let program = words.next().map(String::as_str).unwrap_or_default();
        let child = Command::new(program)
            .args(words)
            .envs(&self.environment)
            .env(tether::VARIABLE, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            // Its own group: Ctrl-C in the terminal is for `quorate dev`, which then stops the nodes.
            .process_group(0)
            .spawn()
            .map_err(DevError::file(program))?;
        self.child = Some(child);
        Ok(())
    }

    /// Sends a signal, SIGSTOP and SIGCONT among them.
    ///
    /// # Errors
    /// If it does not run.
    pub fn signal(&self, signal: Signal) -> Result<(), DevError> {
        let pid = self.pid().unwrap_or_default();
        send(pid, signal).map_err(|source| DevError::Signal { pid, source })
    }

    /// Kills it with SIGKILL and waits until the kernel has buried it. Does nothing if it does not run.
    ///
    /// # Errors
    /// If the system cannot kill or wait.
    pub fn kill(&mut self) -> Result<(), DevError> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let pid = child.id();
        let buried = child.kill().and_then(|()| child.wait());
        buried.map_or_else(
            |source| Err(DevError::Signal { pid, source }),
            |_status| Ok(()),
        )
    }

    /// How it ended, if it did. It can then be started again.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, DevError> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        let pid = child.id();
        let status = child
            .try_wait()
            .map_err(|source| DevError::Signal { pid, source })?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// If it has not within `limit`.
    pub async fn wait_ended(&mut self, limit: Duration) -> Result<ExitStatus, DevError> {
        let deadline = Deadline::after(limit);
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if deadline.passed() {
                return Err(DevError::TooLate {
                    what: format!("the end of node {}", self.id),
                    seconds: limit.as_secs(),
                    hint: String::new(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// An error that says how it ended and what it said last, if it has ended by itself.
    ///
    /// # Errors
    /// That one.
    pub fn still_runs(&mut self) -> Result<(), DevError> {
        let Some(status) = self.ended()? else {
            return Ok(());
        };
        Err(DevError::Ended {
            id: self.id,
            status: status.to_string(),
            log: self.log(),
            said: self.last_words(),
        })
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(SHOWN_LINES);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // Nothing is left to do if even that fails; the kernel ends it with this thread.
        drop(self.kill());
    }
}

/// Sends a signal to a process.
///
/// # Errors
/// What the system says, for one that is gone too.
pub(super) fn send(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::NotFound)?;
    Ok(kill_process(pid, signal)?)
}
