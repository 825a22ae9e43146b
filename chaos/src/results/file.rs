//! Results in a file: written whole or not at all, read strictly.

use std::fs;
use std::path::Path;

use raft_store::disk;

use super::{Origin, Results, ResultsError};

impl Results {
    /// Results without any row, of the command that is running.
    pub fn of(origin: Origin) -> Self {
        Self {
            origins: vec![origin],
            ..Self::default()
        }
    }

    /// Reads a file of results.
    ///
    /// # Errors
    /// If it cannot be read, or is not one: a field that is missing or not known is an error, so
    /// that no figure is ever taken for zero.
    pub fn read(path: &Path) -> Result<Self, ResultsError> {
        let text = fs::read(path).map_err(|source| ResultsError::File {
            what: "cannot read",
            path: path.into(),
            source,
        })?;
        serde_json::from_slice(&text).map_err(|source| ResultsError::Format {
            path: path.into(),
            source,
        })
    }

    /// Reads files of results and adds them up, in their order.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn read_all<P: AsRef<Path>>(paths: &[P]) -> Result<Self, ResultsError> {
        let mut all = Self::default();
        for path in paths {
            all.absorb(Self::read(path.as_ref())?);
        }
        Ok(all)
    }

    /// Adds what another run found. Nothing is overwritten: a scenario that ran twice stands there
    /// twice.
    pub fn absorb(&mut self, other: Self) {
        self.origins.extend(other.origins);
        self.simulations.extend(other.simulations);
        self.mutants.extend(other.mutants);
        self.scenarios.extend(other.scenarios);
        self.measured.extend(other.measured);
    }

    /// Writes a file of results, and the folder it lies in.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ResultsError> {
        let fails = |source| ResultsError::File {
            what: "cannot write",
            path: path.into(),
            source,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(fails)?;
        }
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| fails(error.into()))?;
        text.push(b'\n');
        disk::replace(path, &[&text]).map_err(fails)
    }
}
