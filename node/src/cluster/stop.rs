//! Why a node must end: it cannot go on, and what it would say could not be trusted.

use openraft::errors::Fatal;
use raft_store::types::Types;

/// The reason and the exit code with which the process is to end.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct Stop {
    /// 65 damaged state, 66 foreign identity, 74 I/O.
    pub exit_code: u8,
    /// What is wrong, where, and the next command.
    pub reason: String,
}

impl Stop {
    /// State that others know to be old, or that contradicts itself (`EX_DATAERR`).
    #[must_use]
    pub fn damaged(reason: impl Into<String>) -> Self {
        Self {
            exit_code: 65,
            reason: reason.into(),
        }
    }

    /// An identity that is not this node's alone (`EX_NOINPUT`).
    #[must_use]
    pub fn foreign(reason: impl Into<String>) -> Self {
        Self {
            exit_code: 66,
            reason: reason.into(),
        }
    }

    /// A disk that does not do what it is told (`EX_IOERR`).
    #[must_use]
    pub fn io(reason: impl Into<String>) -> Self {
        Self {
            exit_code: 74,
            reason: reason.into(),
        }
    }

    /// What a consensus that ended by itself means. A panic is a contradiction in the state. Of a
    /// storage error only the text is left: the system's own errors say so in it, everything else
    /// is a file or an entry that was read and not believed.
    pub(super) fn of(fatal: &Fatal<Types>) -> Option<Self> {
        match fatal {
            Fatal::Stopped => None,
            Fatal::Panicked => {
                let reason = "consensus found a contradiction and stopped; see the log above";
                Some(Self::damaged(reason))
            }
            Fatal::StorageError(error) => {
                let reason = format!("consensus stopped: {error}");
                let system = ["os error", "IO error"]
                    .iter()
                    .any(|words| reason.contains(words));
                Some(if system {
                    Self::io(reason)
                } else {
                    Self::damaged(reason)
                })
            }
        }
    }
}
