//! One machine of the cluster: a `quorate node` process, its disk, and its audit file.

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use lossyfs::{Control, Mount};
use node::dev::deadline::wait_for;
use node::dev::ports::Ports;
use node::dev::process::NodeProcess;
use raft_store::disk;
use tokio::time::Duration;

use super::failed::Failed;

/// What a data folder lies on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ground {
    /// A file system of its own that loses on command what was not fsynced; a name survives only if its folder was
    /// fsynced too.
    Lossy,
    /// The disk that the build is on.
    Plain,
}

/// One machine. Dropping it kills its process and takes its disk away.
#[derive(Debug)]
pub(crate) struct Machine {
    // Dropped in this order: a file system goes after the process that uses it.
    process: NodeProcess,
    disk: Option<Mount>,
    folder: PathBuf,
}

/// The audit file, beside the lossy disk and not on it: what a process saw is evidence, also after
/// its power was cut.
const AUDIT: &str = "audit.jsonl";

impl Machine {
    /// A machine with an empty disk, whose process is not running yet.
    ///
    /// # Errors
    /// If the folder cannot be made or the file system not be mounted.
    pub(crate) fn make(
        id: u64,
        program: &Path,
        folder: PathBuf,
        ports: Ports,
        ground: Ground,
    ) -> Result<Self, Failed> {
        let process = NodeProcess::new(id, program, folder.clone(), ports);
        disk::create_folder(&folder).map_err(Failed::file(&folder))?;
        let disk = match ground {
            Ground::Plain => None,
            Ground::Lossy => Some(mount(id, &process.data_dir())?),
        };
        Ok(Self {
            process,
            disk,
            folder,
        })
    }

    /// Its id in the cluster.
    pub(crate) const fn id(&self) -> u64 {
        self.process.id()
    }

    /// Its process, to signal it.
    pub(crate) const fn process(&self) -> &NodeProcess {
        &self.process
    }

    /// Its process, to end or replace it.
    pub(crate) const fn process_mut(&mut self) -> &mut NodeProcess {
        &mut self.process
    }

    /// The folder of the machine: configuration, log, audit file; the data folder lies in it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its audit file.
    pub(crate) fn audit(&self) -> PathBuf {
        self.folder.join(AUDIT)
    }

    /// Its lossy disk.
    ///
    /// # Errors
    /// If it has none.
    pub(crate) fn disk(&self) -> Result<Control, Failed> {
        let disk = self.disk.as_ref().map(Mount::control);
        disk.ok_or_else(|| self.broken("this scenario gave it no lossy disk"))
    }

    /// Starts its process, on the thread that has to outlive it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(&mut self) -> Result<(), Failed> {
        seal(&self.audit())?;
        Ok(self.process.start()?)
    }

    /// Waits until its disk is frozen, as an armed power cut leaves it.
    ///
    /// # Errors
    /// [`Failed::NoEffect`] if it is not within `limit`.
    pub(crate) async fn wait_frozen(&self, fault: &str, limit: Duration) -> Result<(), Failed> {
        let control = self.disk()?;
        let frozen = wait_for("the cut", limit, || async {
            let stats = control.stats();
            if stats.is_cut {
                Ok(())
            } else {
                Err(format!("{} fsyncs and the disk lives", stats.fsyncs))
            }
        });
        frozen.await.map_err(|error| Failed::NoEffect {
            fault: fault.to_owned(),
            instead: error.to_string(),
        })
    }

    /// An error about its disk.
    pub(crate) fn broken(&self, what: impl Into<String>) -> Failed {
        Failed::Disk {
            node: self.id(),
            what: what.into(),
        }
    }
}

fn mount(node: u64, at: &Path) -> Result<Mount, Failed> {
    disk::create_folder(at).map_err(Failed::file(at))?;
    Mount::start(at, lossyfs::Options::strict()).map_err(|error| Failed::Disk {
        node,
        what: error.to_string(),
    })
}

/// Takes a torn last line off an audit file. A process that was killed in the middle of the write had
/// not done yet what the line says: it is written before the deed.
fn seal(file: &Path) -> Result<(), Failed> {
    let opened = OpenOptions::new().read(true).write(true).open(file);
    let mut audit = match opened {
        Ok(audit) => audit,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failed::file(file)(error)),
    };
    let sealed = (|| {
        let length = audit.metadata()?.len();
        let mut tail = Vec::new();
        audit.seek(SeekFrom::Start(length.saturating_sub(LINE_BYTES_MAX)))?;
        audit.read_to_end(&mut tail)?;
        let torn = tail.iter().rev().take_while(|byte| **byte != b'\n').count();
        audit.set_len(length.saturating_sub(u64::try_from(torn).unwrap_or(u64::MAX)))
    })();
    sealed.map_err(Failed::file(file))
}

/// No line of an audit file is longer: a message has at most some hundred bytes here.
const LINE_BYTES_MAX: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_taken_off_and_whole_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(AUDIT);
        seal(&file).unwrap(); // none yet
        for (written, left) in [
            ("", ""),
            ("one\n", "one\n"),
            ("one\ntw", "one\n"),
            ("on", ""),
        ] {
            disk::replace(&file, &[written.as_bytes()]).unwrap();
            seal(&file).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), left);
        }
    }
}
