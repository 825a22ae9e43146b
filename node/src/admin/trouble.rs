//! Answers of the admin socket that are no success, in words that end in the next command.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use raft_store::command::Refusal;
use raft_store::ledger::Unavailable;

use super::words::Trouble;
use crate::cluster::StartError;
use crate::keys::KeyFaults;

/// A status and its words.
#[derive(Debug)]
pub(super) struct No {
    status: StatusCode,
    error: String,
}

impl No {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            status,
            error: error.into(),
        }
    }

    /// This node belongs to no cluster yet.
    pub(super) fn unformed() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "this node is not in a cluster yet; run `quorate cluster form` with the line of every \
             node",
        )
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        (self.status, Json(Trouble { error: self.error })).into_response()
    }
}

impl From<StartError> for No {
    fn from(error: StartError) -> Self {
        Self::new(StatusCode::CONFLICT, error.to_string())
    }
}

impl From<KeyFaults> for No {
    fn from(faults: KeyFaults) -> Self {
        let what = format!("{faults}\nthe keys that were loaded before stay in use");
        Self::new(StatusCode::CONFLICT, what)
    }
}

impl From<Unavailable> for No {
    fn from(unavailable: Unavailable) -> Self {
        let next = match &unavailable {
            Unavailable::NotLeader { .. } => {
                "nothing was changed; see `quorate cluster status`, and ask again"
            }
            Unavailable::Deposed { .. } | Unavailable::OutOfTime => {
                "look with `quorate key list` whether it was; the same command is safe to repeat, \
                 since it names the generation"
            }
            Unavailable::Stopped { .. } => "see this node's log; another node may take the command",
        };
        Self::new(StatusCode::BAD_GATEWAY, format!("{unavailable}; {next}"))
    }
}

impl From<Refusal> for No {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an advice is a help to the reader; the refusal itself is always told"
    )]
    fn from(refusal: Refusal) -> Self {
        let next = match &refusal {
            Refusal::Unknown => "; enrol it with `quorate key enrol`",
            Refusal::Generation { .. } => {
                "; it was changed meanwhile: look with `quorate key list` and decide again"
            }
            Refusal::AlreadyEnrolled => "; change it with `quorate key edit`",
            Refusal::ImportIntoEnabled => "; stop it with `quorate key disable` first",
            Refusal::FloorAtMark { .. } => "; name a level above the mark",
            _ => "",
        };
        Self::new(StatusCode::CONFLICT, format!("refused: {refusal}{next}"))
    }
}
