//! Why a development cluster did not come up, or its story did not hold.

use std::io;
use std::path::PathBuf;

use client::{ClientError, NoClient, NotAnEndpoint};

use super::ports::PortError;
use crate::admin::AdminError;
use crate::config::ConfigError;

/// Why `quorate dev` ends with 1.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// A file or folder cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another `quorate dev` works there.
    #[error(
        "{} is in use by another quorate dev (process {pid}); stop that one, or choose another folder with --dir", dir.display()
    )]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The other process.
        pid: String,
    },
    /// A token could not be made.
    #[error("a SoftHSM token: {0}")]
    Token(#[from] hsm::Trouble),
    /// A port cannot be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A configuration that an earlier run wrote cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A command of this program failed.
    #[error("`{line}` ended with {status}:\n{said}")]
    Command {
        /// The command line.
        line: String,
        /// How it ended.
        status: String,
        /// What it wrote to standard error.
        said: String,
    },
    /// A command answered something that cannot be read.
    #[error("`{line}` answered {answer:?}, which is not what it promises: {source}")]
    Answer {
        /// The command line.
        line: String,
        /// What it wrote.
        answer: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A node ended by itself.
    #[error("node {id} ended with {status}; the end of {}:\n{said}", log.display())]
    Ended {
        /// Which.
        id: u64,
        /// How.
        status: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines there.
        said: String,
    },
    /// Something was waited for and did not come.
    #[error("{what} did not come within {seconds} s{hint}")]
    TooLate {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
        /// The last thing that was seen instead, behind a colon; may be empty.
        hint: String,
    },
    /// The admin socket of a node failed.
    #[error("node {id}: {source}")]
    Admin {
        /// Which.
        id: u64,
        /// What went wrong.
        source: AdminError,
    },
    /// An HTTP client could not be built.
    #[error("no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    /// A client of the signer API could not be built.
    #[error(transparent)]
    NoClient(#[from] NoClient),
    /// An address of ours is no address.
    #[error(transparent)]
    Endpoint(#[from] NotAnEndpoint),
    /// A request was not answered as promised.
    #[error("{chapter}: {source}")]
    Request {
        /// Where in the story.
        chapter: &'static str,
        /// What came instead.
        source: ClientError,
    },
    /// A promise did not hold.
    #[error("a promise does not hold: {0}")]
    Broken(String),
    /// A process could not be signalled.
    #[error("process {pid} cannot be signalled: {source}")]
    Signal {
        /// Which.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no random bytes.
    #[error("no random bytes: {0}")]
    NoRandomness(getrandom::Error),
}

impl DevError {
    /// An error of the file system, with the file it is about.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
