//! Why a scenario came to no verdict.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use node::dev::DevError;

/// A run that says nothing about the promises: a step of it could not be done.
///
/// **Invariant:** a fault that did not take effect is one of these. It is never counted as passed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// A process, a command or a port.
    #[error(transparent)]
    Node(#[from] DevError),
    /// A file or folder of the harness.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system under a node.
    #[error("the disk of node {node}: {what}")]
    Disk {
        /// Whose.
        node: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A fault was set, and nothing shows that it struck.
    #[error("the fault {fault:?} took no effect: {instead}")]
    NoEffect {
        /// Its name.
        fault: String,
        /// What was seen instead.
        instead: String,
    },
    /// A step of the scenario itself.
    #[error("{0}")]
    Step(String),
    /// The machine lacks something: the scenario is skipped, aloud.
    #[error("{0}")]
    Missing(String),
    /// The hard limit of the scenario.
    #[error("it did not end within {} s", .0.as_secs())]
    TooLong(Duration),
}

impl Failed {
    /// An error of the file system, with the file it is about.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// A step that did not go as the scenario says.
    pub(crate) fn step(words: impl Into<String>) -> Self {
        Self::Step(words.into())
    }
}
