//! What can go wrong with a token, sorted by what helps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a token did not do what it was asked. Its text names the function and the `CKR_` code, and
/// never holds a secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
#[error("{what}")]
pub struct Trouble {
    /// What helps against it.
    pub kind: TroubleKind,
    /// What happened.
    pub what: String,
}

/// What helps.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum TroubleKind {
    /// The session, the login or a handle is gone; opening sessions again in this process may do.
    Session,
    /// Only a fresh process may help: the device failed, the token is not there, the module answered
    /// what it should not.
    Device,
    /// The token refused the PIN. Trying it again may lock the token for ever.
    PinRejected,
    /// The token refuses every PIN, or one more wrong one would lock it: only an operator helps.
    PinBarred,
    /// What was asked for is not there, not unique, or not usable; asking again gives the same.
    Unfit,
    /// The process that held the module is gone; a fresh one may do.
    Process,
    /// The module did not answer in time: what it does is unknown, and its process is replaced.
    Late,
}

impl Trouble {
    /// Trouble of a kind.
    #[must_use]
    pub fn new(kind: TroubleKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
        }
    }

    /// Something missing, ambiguous or unusable.
    #[must_use]
    pub fn unfit(what: impl Into<String>) -> Self {
        Self::new(TroubleKind::Unfit, what)
    }

    /// Whether asking again, with the same PIN, is out of the question.
    #[must_use]
    pub const fn is_about_the_pin(&self) -> bool {
        matches!(self.kind, TroubleKind::PinRejected | TroubleKind::PinBarred)
    }

    /// The same trouble, told with what was being done.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        Self {
            what: format!("{what}: {}", self.what),
            ..self
        }
    }
}
