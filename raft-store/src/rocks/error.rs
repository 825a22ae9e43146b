//! Why a database is not opened.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::disk;

/// Why a database is not opened, or a row of it not read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `create` found something.
    #[error("{0}: there is something already")]
    Exists(PathBuf),
    /// `open` found nothing.
    #[error("{0}: there is no database")]
    Missing(PathBuf),
    /// Something in it is wrong. It is refused, never repaired.
    #[error("{path}: {reason}")]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and in which row if that is known.
        reason: String,
    },
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl StoreError {
    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// What RocksDB says. Of a damaged write-ahead log its status names no file; its text log does.
    pub(super) fn opening(path: &Path, error: &rocksdb::Error) -> Self {
        match error.kind() {
            rocksdb::ErrorKind::Corruption | rocksdb::ErrorKind::InvalidArgument => {
                Self::damaged(&suspect_file(path, error.as_ref()), error.to_string())
            }
            // The folder and its CURRENT are there, so a file that they name and that is not is damage.
            rocksdb::ErrorKind::IOError if error.as_ref().contains("No such file or directory") => {
                Self::damaged(&suspect_file(path, error.as_ref()), error.to_string())
            }
            rocksdb::ErrorKind::NotFound
            | rocksdb::ErrorKind::NotSupported
            | rocksdb::ErrorKind::IOError
            | rocksdb::ErrorKind::MergeInProgress
            | rocksdb::ErrorKind::Incomplete
            | rocksdb::ErrorKind::ShutdownInProgress
            | rocksdb::ErrorKind::TimedOut
            | rocksdb::ErrorKind::Aborted
            | rocksdb::ErrorKind::Busy
            | rocksdb::ErrorKind::Expired
            | rocksdb::ErrorKind::TryAgain
            | rocksdb::ErrorKind::CompactionTooLarge
            | rocksdb::ErrorKind::ColumnFamilyDropped
            | rocksdb::ErrorKind::Unknown => {
                Self::Io(io::Error::other(format!("{}: {error}", path.display())))
            }
        }
    }

    /// Said of the folder of which the one it came from is a copy.
    pub(super) fn told_of(self, copy: &Path, folder: &Path) -> Self {
        match self {
            Self::Damaged { path, reason } => Self::Damaged {
                path: match path.strip_prefix(copy) {
                    Ok(name) if name.as_os_str().is_empty() => folder.to_owned(),
                    Ok(name) => folder.join(name),
                    Err(_elsewhere) => path,
                },
                reason: reason.replace(&copy.display().to_string(), &folder.display().to_string()),
            },
            Self::Missing(_) => Self::Missing(folder.to_owned()),
            other @ (Self::Exists(_) | Self::Io(_)) => other,
        }
    }

    /// An error of reading our own files: damage if the bytes were wrong.
    pub(super) fn from_read(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData {
            Self::damaged(path, error.to_string())
        } else {
            Self::Io(disk::at(path, error))
        }
    }
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(error) => error,
            damaged @ (StoreError::Exists(_)
            | StoreError::Missing(_)
            | StoreError::Damaged { .. }) => {
                Self::new(io::ErrorKind::InvalidData, damaged.to_string())
            }
        }
    }
}

/// The file that RocksDB's message names, be it by its number, or the last write-ahead log that its text log calls
/// damaged, or the folder.
fn suspect_file(folder: &Path, message: &str) -> PathBuf {
    let words = |text: &str| {
        text.split(|c: char| c.is_whitespace() || ":,;()'\"".contains(c))
            .filter_map(|word| word.rsplit('/').next())
            .find(|word| is_database_file(word))
            .map(str::to_owned)
    };
    let logged = || {
        let text = fs::read(folder.join("LOG")).ok()?;
        String::from_utf8_lossy(&text)
            .lines()
            .rev()
            .filter(|line| line.contains("dropping") || line.contains("orruption"))
            .find_map(words)
    };
    // "WAL (log number: 8)" and "Missing WAL with log number: 8."
    let numbered = || {
        let (_before, after) = message.split_once("log number: ")?;
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("{:06}.log", digits.parse::<u64>().ok()?))
    };
    words(message)
        .or_else(numbered)
        .or_else(logged)
        .map_or_else(|| folder.to_owned(), |name| folder.join(name))
}

fn is_database_file(word: &str) -> bool {
    let stem = word
        .strip_suffix(".log")
        .or_else(|| word.strip_suffix(".sst"));
    stem.or_else(|| word.strip_prefix("MANIFEST-"))
        .is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}
