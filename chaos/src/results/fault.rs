use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a file of results cannot be read or written.
#[derive(Debug, Error)]
pub enum ResultsError {
    /// The file system says no.
    #[error("{what} {path}: {source}")]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no file of results, or one of another version of this program.
    #[error(
        "{path} line {} column {}: not a file of results of this version ({source}); make it anew with \
         `quorate-chaos run`, `sim` or `make chaos-mutants`",
        source.line(),
        source.column()
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}
