//! What the process exits with, and why.

use std::process::ExitCode;

use raft_store::folder::FolderError;

use crate::audit::AuditError;
use crate::config::ConfigError;
use crate::keys::{KeyFault, KeyFaults};

/// Exit codes, after `sysexits.h`. The systemd unit does not restart on 64, 65, 66 and 77: a
/// restart would only repeat them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// The command was refused, or could not be decided.
    Failed,
    /// The command line or the configuration is wrong (`EX_USAGE`).
    Config,
    /// The state on disk is damaged (`EX_DATAERR`).
    Damaged,
    /// The identity is missing or of another cluster (`EX_NOINPUT`).
    Identity,
    /// The disk failed (`EX_IOERR`).
    Io,
    /// A password is missing or wrong (`EX_NOPERM`).
    Password,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Config => 64,
            Self::Damaged => 65,
            Self::Identity => 66,
            Self::Io => 74,
            Self::Password => 77,
        }
    }

    /// The exit of a number that another crate chose by the same table.
    pub fn of_code(code: u8) -> Self {
        let all = [
            Self::Config,
            Self::Damaged,
            Self::Identity,
            Self::Io,
            Self::Password,
        ];
        all.into_iter()
            .find(|exit| exit.code() == code)
            .unwrap_or(Self::Failed)
    }
}

/// Why a command ends without having done what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// What the process exits with.
    pub exit: Exit,
    /// What went wrong, where, and what to do; may have several lines.
    pub what: String,
}

impl Failure {
    /// A failure with this exit.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
        }
    }

    /// A failure of the command itself.
    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure.exit.code())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Config, error.to_string())
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        Self::new(Exit::Config, error.to_string())
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        Self::new(Exit::of_code(error.exit_code()), error.to_string())
    }
}

impl From<KeyFault> for Failure {
    fn from(fault: KeyFault) -> Self {
        Self::new(fault.exit(), fault.to_string())
    }
}

impl From<KeyFaults> for Failure {
    fn from(faults: KeyFaults) -> Self {
        Self::new(faults.exit(), faults.to_string())
    }
}
