//! What is done to data folders while their nodes are not looking: copied, emptied, put back,
//! swapped; and a second process on such a copy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use node::dev::ports::Ports;
use node::dev::process::NodeProcess;
use node::dev::{DevError, ports::PortError};
use raft_store::disk;

use super::config::{self, Settings};
use super::failed::Failed;
use super::machine::Machine;

/// Copies a folder with everything in it. Sockets are left out: they are of the process that made
/// them.
///
/// # Errors
/// What the file system says.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Failed> {
    disk::create_folder(to).map_err(Failed::file(to))?;
    for entry in entries(from)? {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(Failed::file(&source))?;
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target).map_err(Failed::file(&source))?;
        }
    }
    Ok(())
}

/// Takes everything out of a folder, and says how many files that were.
///
/// # Errors
/// What the file system says.
pub(crate) fn empty(folder: &Path) -> Result<usize, Failed> {
    let count = files(folder)?.len();
    for entry in entries(folder)? {
        let path = entry.path();
        let kind = entry.file_type().map_err(Failed::file(&path))?;
        let removed = match kind.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.map_err(Failed::file(&path))?;
    }
    Ok(count)
}

/// Puts a copy where a folder is; what was there is gone.
///
/// # Errors
/// What the file system says.
pub(crate) fn put(copied: &Path, folder: &Path) -> Result<(), Failed> {
    empty(folder)?;
    copy(copied, folder)
}

/// Gives two folders each other's name.
///
/// # Errors
/// What the file system says.
pub(crate) fn swap(one: &Path, other: &Path) -> Result<(), Failed> {
    let exchanged = rustix::fs::renameat_with(
        rustix::fs::CWD,
        one,
        rustix::fs::CWD,
        other,
        rustix::fs::RenameFlags::EXCHANGE,
    );
    exchanged.map_err(|error| Failed::file(one)(io::Error::from(error)))
}

/// Every file below a folder, in the order of their names.
///
/// # Errors
/// What the file system says.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        let path = entry.path();
        let kind = entry.file_type().map_err(Failed::file(&path))?;
        if kind.is_dir() {
            found.extend(files(&path)?);
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, Failed> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect);
    entries.map_err(Failed::file(folder))
}

/// A second process of a node, on a copy of its folder, with ports of its own. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Twin {
    process: NodeProcess,
    folder: PathBuf,
}

impl Twin {
    /// A twin of `machine` in `folder`, on a copy of `data`; it does not run yet. `program` is what
    /// starts it.
    ///
    /// # Errors
    /// What the file system says, or if there is no free port.
    pub(crate) fn of(
        machine: &Machine,
        data: &Path,
        folder: &Path,
        program: &Path,
    ) -> Result<Self, Failed> {
        let free = Ports::plan(0, 1).map_err(|error: PortError| DevError::from(error))?;
        let ports = free.first().copied();
        let ports = ports.ok_or_else(|| Failed::step("no free ports"))?;
        disk::create_folder(folder).map_err(Failed::file(folder))?;
        let process = NodeProcess::new(machine.id(), program, folder.to_owned(), ports);
        config::write(&process.config(), ports, &Settings::default())?;
        copy(data, &process.data_dir())?;
        Ok(Self {
            process,
            folder: folder.to_owned(),
        })
    }

    /// Its data folder.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.process.data_dir()
    }

    /// What it wrote down.
    pub(crate) fn audit(&self) -> PathBuf {
        self.folder.join("audit.jsonl")
    }

    /// Its process.
    pub(crate) const fn process_mut(&mut self) -> &mut NodeProcess {
        &mut self.process
    }

    /// Starts it and waits until it has ended by itself.
    ///
    /// # Errors
    /// If it has not within `limit`.
    pub(crate) async fn run(&mut self, limit: Duration) -> Result<ExitStatus, Failed> {
        self.process.start()?;
        Ok(self.process.wait_ended(limit).await?)
    }

    /// The last line that it said about an end, for a proof.
    pub(crate) fn said(&self) -> String {
        said(&self.process.log())
    }
}

/// The last line of a log, cut to what fits into a proof.
pub(crate) fn said(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or_default().chars().take(SAID_MAX).collect()
}

const SAID_MAX: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        disk::create_folder(&folder.path().join("db")).unwrap();
        for (name, text) in [("identity", "me"), ("db/1.log", "one")] {
            disk::replace(&folder.path().join(name), &[text.as_bytes()]).unwrap();
        }
        folder
    }

    #[test]
    fn a_copy_has_every_file_and_an_emptied_folder_none() {
        let (folder, other) = (folder(), tempfile::tempdir().unwrap());
        let copied = other.path().join("copy");
        copy(folder.path(), &copied).unwrap();
        let names = ["db/1.log", "identity"].map(|name| copied.join(name));
        assert_eq!(files(&copied).unwrap(), names);
        assert_eq!(fs::read_to_string(&names[0]).unwrap(), "one");
        assert_eq!(empty(folder.path()).unwrap(), 2);
        assert!(files(folder.path()).unwrap().is_empty());
        put(&copied, folder.path()).unwrap();
        assert_eq!(files(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn swapped_folders_have_each_others_files() {
        let parent = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| parent.path().join(name));
        copy(folder().path(), &one).unwrap();
        disk::create_folder(&other).unwrap();
        swap(&one, &other).unwrap();
        assert!(files(&one).unwrap().is_empty());
        assert_eq!(files(&other).unwrap().len(), 2);
    }
}
