//! What an earlier run may have left behind, and the lock that keeps two runs apart.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use super::deadline::wait_for;
use super::fault::DevError;
use super::ports::{command_line, processes};
use super::process::send;

/// Held as long as one `quorate dev` works in a folder; the kernel lets go of it when the process ends,
/// however it ends.
#[derive(Debug)]
pub(super) struct Lock(
    /// Never read again: the open file is the lock.
    #[expect(dead_code, reason = "the lock lasts as long as the file is open")]
    File,
);

impl Lock {
    /// Takes the lock of a folder.
    ///
    /// # Errors
    /// If another process holds it, or the file cannot be opened.
    pub(super) fn take(dir: &Path) -> Result<Self, DevError> {
        let path = dir.join("dev.lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(DevError::file(&path))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            file.read_to_string(&mut pid)
                .map_err(DevError::file(&path))?;
            return Err(DevError::InUse {
                dir: dir.to_owned(),
                pid: pid.trim().to_owned(),
            });
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(DevError::file(&path))?;
        Ok(Self(file))
    }
}

/// How long a node may take to drain before it is killed.
const DRAIN: Duration = Duration::from_secs(5);

/// Ends every node process whose configuration lies in `dir`: an earlier run's, or one that a
/// script started again from `dev.json`. Says which.
///
/// # Errors
/// If one cannot be ended.
pub(super) async fn end_nodes(dir: &Path, say: &mut dyn FnMut(&str)) -> Result<(), DevError> {
    for pid in nodes_of(dir) {
        say(&format!(
            "ending process {pid}, a node in this folder that an earlier run or a script left"
        ));
        signal(pid, Signal::TERM)?;
        if gone(pid, dir).await.is_err() {
            signal(pid, Signal::KILL)?;
            gone(pid, dir).await?;
        }
    }
    Ok(())
}

async fn gone(pid: u32, dir: &Path) -> Result<(), DevError> {
    wait_for(&format!("the end of process {pid}"), DRAIN, || async {
        if nodes_of(dir).contains(&pid) {
            Err(String::new())
        } else {
            Ok(())
        }
    })
    .await
}

/// One that has ended in the meantime is fine.
fn signal(pid: u32, signal: Signal) -> Result<(), DevError> {
    match send(pid, signal) {
        Err(source) if source.raw_os_error() != Some(rustix::io::Errno::SRCH.raw_os_error()) => {
            Err(DevError::Signal { pid, source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn nodes_of(dir: &Path) -> Vec<u32> {
    let is_ours = |arguments: &[String]| {
        let mut words = arguments.iter().skip(1).map(String::as_str);
        words.next() == Some("node")
            && words.next() == Some("--config")
            && words
                .next()
                .is_some_and(|config| Path::new(config).starts_with(dir))
    };
    processes()
        .filter(|(_, folder)| is_ours(&command_line(folder)))
        .map(|(pid, _)| pid)
        .collect()
}
