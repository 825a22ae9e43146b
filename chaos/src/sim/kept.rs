//! Seeds that once broke something. Each is a file, and each is replayed for ever.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::Theme;
use super::schedule::Schedule;

/// A seed that is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The seed.
    pub seed: u64,
    /// How long faults go on, in seconds of virtual time.
    pub seconds: u64,
    /// The theme, if it was not the one that the seed draws.
    pub theme: Option<Theme>,
    /// The version of the schedules under which it broke something: a later version may make
    /// something else of the same seed.
    pub schedule: u32,
    /// What it broke, as the judge says.
    pub found: String,
    /// What was wrong, and what became of it.
    pub words: String,
    /// The built-in mistake that it saw, by its name, if that is what was wrong: nothing is broken
    /// under this seed without it, and something is with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutant: Option<String>,
}

/// Raised whenever a seed comes to mean another schedule.
pub const VERSION: u32 = 2;

/// Why a kept seed cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file system.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// What is in the file.
    #[error("{path} is no kept seed: {error}")]
    Content {
        /// The file.
        path: PathBuf,
        /// Where, and what.
        error: serde_json::Error,
    },
}

impl Kept {
    /// The schedule of this seed.
    #[must_use]
    pub const fn schedule(&self) -> Schedule {
        Schedule {
            seed: self.seed,
            span: Duration::from_secs(self.seconds),
            theme: self.theme,
        }
    }

    /// Every seed that is kept in a folder, by the names of the files.
    ///
    /// # Errors
    /// [`KeptError`] names the file.
    pub fn all(folder: &Path) -> Result<Vec<(String, Self)>, KeptError> {
        let failed = |path: &Path, error: io::Error| KeptError::File {
            path: path.to_owned(),
            error,
        };
        let mut all = Vec::new();
        let entries = fs::read_dir(folder).map_err(|error| failed(folder, error))?;
        for entry in entries {
            let path = entry.map_err(|error| failed(folder, error))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = fs::read(&path).map_err(|error| failed(&path, error))?;
            let kept = serde_json::from_slice(&text).map_err(|error| KeptError::Content {
                path: path.clone(),
                error,
            })?;
            let name = path.file_stem().unwrap_or_default();
            all.push((name.to_string_lossy().into_owned(), kept));
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }

    /// Writes it into a folder.
    ///
    /// # Errors
    /// [`KeptError`] names the file.
    pub fn keep(&self, folder: &Path, name: &str) -> Result<PathBuf, KeptError> {
        let path = folder.join(format!("{name}.json"));
        let content = |error| KeptError::Content {
            path: path.clone(),
            error,
        };
        let mut text = serde_json::to_vec_pretty(self).map_err(content)?;
        text.push(b'\n');
        raft_store::disk::replace(&path, &[&text]).map_err(|error| KeptError::File {
            path: path.clone(),
            error,
        })?;
        Ok(path)
    }
}

/// The folder of the kept seeds in the sources that this program was built from.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}
