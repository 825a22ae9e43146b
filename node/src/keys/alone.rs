//! What one process of this node does at a time: a file in the data folder that is locked meanwhile.
//!
//! The kernel lets go of the lock when its holder ends, however it does; the file itself stays.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A process says of itself in the file no more than this.
const WORDS_MAX: u64 = 64;

/// How often a lock is looked at that another process holds.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The lock of a file, which ends when this is dropped.
#[derive(Debug)]
pub struct Alone {
    file: File,
}

/// Whether this process holds a lock now.
#[derive(Debug)]
pub enum Turn {
    /// It does.
    Mine(Alone),
    /// Another one does, and says this of itself.
    Of(String),
}

/// Why nobody can tell whose turn it is.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot lock {}: {source}; run this as the user whose node it is, and see that the disk works",
    path.display()
)]
pub struct NoLock {
    path: PathBuf,
    source: io::Error,
}

impl Alone {
    /// Waits for the lock, and at most for so long.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn wait(path: &Path, patience: Duration) -> Result<Turn, NoLock> {
        let begun = Instant::now();
        loop {
            match Self::take(path)? {
                Turn::Of(_who) if begun.elapsed() < patience => thread::sleep(LOOK_EVERY),
                turn @ (Turn::Mine(_) | Turn::Of(_)) => return Ok(turn),
            }
        }
    }

    /// Takes the lock if nobody has it. The folder of the file must be there.
    ///
    /// # Errors
    /// If the file cannot be made or locked.
    pub fn take(path: &Path) -> Result<Turn, NoLock> {
        let failed = |source: io::Error| NoLock {
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                // For people alone, so a disk that takes no words down does not keep it from being held.
                let words = format!("process {}", std::process::id());
                drop(
                    file.set_len(0)
                        .and_then(|()| file.write_all(words.as_bytes())),
                );
                Ok(Turn::Mine(Self { file }))
            }
            Err(TryLockError::WouldBlock) => {
                let mut words = String::new();
                drop((&mut file).take(WORDS_MAX).read_to_string(&mut words));
                Ok(Turn::Of(match words.is_empty() {
                    true => "another process of this node".to_owned(),
                    false => words,
                }))
            }
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // Said aloud, since a child that is being started has the file open for a moment too.
        self.file.unlock().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_at_a_time_and_the_other_is_told_who() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Alone::take(&path).unwrap();
        let Turn::Of(who) = Alone::take(&path).unwrap() else {
            panic!("two hold one lock");
        };
        assert_eq!(who, format!("process {}", std::process::id()));
        drop(held);
        assert!(matches!(Alone::take(&path).unwrap(), Turn::Mine(_)));
    }

    #[test]
    fn a_lock_that_cannot_be_made_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere/lock");
        let fault = Alone::take(&path).unwrap_err().to_string();
        assert!(fault.contains(&path.display().to_string()), "{fault}");
    }
}
