//! Why a data folder is not created or not opened, in words that end in the next command.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    disk::EXIT_IO, guard::Behind, identity::NotAKey, rocks::StoreError, types::Fingerprint,
};

/// The state is there and wrong (`EX_DATAERR`).
const EXIT_DAMAGED: u8 = 65;
/// The identity is missing, foreign or of no use here (`EX_NOINPUT`).
const EXIT_IDENTITY: u8 = 66;

const REPLACE: &str = "if this disk lost its data, leave the node stopped, the others go on; \
                       see them with `quorate cluster status`; never copy a folder";

/// Why a data folder is refused.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Nothing has this name, or nothing is in it.
    #[error(
        "{path}: there is no node in this folder: for a new node run `quorate init`; \
         for an old one, see that its disk is mounted; {REPLACE}"
    )]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// Something else is in it.
    #[error("{path}: not a data folder of quorate: it holds {found} and no identity; {REPLACE}")]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The first name in it.
        found: String,
    },
    /// `quorate init` did not finish.
    #[error("{path}: half made: `quorate init` was interrupted; run it again")]
    HalfMade {
        /// The folder.
        path: PathBuf,
    },
    /// `quorate init` was run before.
    #[error("{path}: there is a node in this folder already; start it with `quorate node`")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// On tmpfs, NFS and the like.
    #[error(
        "{path}: lies on {kind}, which does not keep what was fsynced; \
         set data_dir to a folder on a local disk"
    )]
    Ground {
        /// The folder.
        path: PathBuf,
        /// The file system.
        kind: &'static str,
    },
    /// The node was removed from its cluster.
    #[error("{path}: this node was removed from its cluster; {REPLACE}")]
    Retired {
        /// The folder.
        path: PathBuf,
    },
    /// Bound to another cluster.
    #[error(
        "{path}: bound to cluster {cluster}, asked to join {asked}; \
         see `quorate cluster status` for what this node belongs to"
    )]
    Bound {
        /// The folder.
        path: PathBuf,
        /// The id it is bound to.
        cluster: String,
        /// The id it was asked to bind to (the same if only the members differ).
        asked: String,
    },
    /// A binding in which this node does not occur with its key.
    #[error(
        "{path}: member {id} is not this node, whose fingerprint is {own}; \
         compare with what `quorate init` printed"
    )]
    NotAMember {
        /// The folder.
        path: PathBuf,
        /// The id the binding gives to this node.
        id: u64,
        /// The node's own fingerprint.
        own: Fingerprint,
    },
    /// Another process has it open.
    #[error("{path}: another process has this folder open; stop it first")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A file is missing or wrong.
    #[error("{path}: {reason}; this node must not sign; {REPLACE}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The database is damaged or missing.
    #[error("{0}; this node must not sign; {REPLACE}")]
    Store(StoreError),
    /// The database is older than its guard.
    #[error("{path}: older than its guard: {behind}; this node must not sign; {REPLACE}")]
    Behind {
        /// The database.
        path: PathBuf,
        /// What it lost.
        behind: Behind,
    },
    /// The system has no random numbers.
    #[error("cannot make a key: {0}")]
    Random(#[from] NotAKey),
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FolderError {
    /// The exit code of a process that ends because of this: 65 damaged, 66 missing or foreign, 74
    /// for the disk and for a folder in use (which may pass).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Damaged { .. } | Self::Store(_) | Self::Behind { .. } => EXIT_DAMAGED,
            Self::Empty { .. }
            | Self::Foreign { .. }
            | Self::HalfMade { .. }
            | Self::Exists { .. }
            | Self::Ground { .. }
            | Self::Retired { .. }
            | Self::Bound { .. }
            | Self::NotAMember { .. } => EXIT_IDENTITY,
            Self::Locked { .. } | Self::Random(_) | Self::Io(_) => {
                u8::try_from(EXIT_IO).unwrap_or(u8::MAX)
            }
        }
    }

    pub(crate) fn damaged(path: &Path, reason: &dyn std::error::Error) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

impl From<StoreError> for FolderError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(error) => Self::Io(error),
            error @ (StoreError::Exists(_)
            | StoreError::Missing(_)
            | StoreError::Damaged { .. }) => Self::Store(error),
        }
    }
}
