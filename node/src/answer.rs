//! Every answer a signing request can get, and the one place that turns it into HTTP.
//!
//! A refusal is a decision, a failure is the lack of one (P4): they are different types here, have
//! different statuses, and are counted by different metrics. The text of each is the user
//! interface: octez prints it verbatim in the baker's log.

mod denial;
mod failed;
mod refused;
mod ruling;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use raft_store::ledger::Unavailable;
use serde::{Deserialize, Serialize};
use tezos::Signature;

pub use failed::Failed;
pub use refused::{Asked, Message, Refused};

/// The answer to one request. It crosses the hop between two nodes as this type, so a refusal
/// stays a refusal (R21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// A signature leaves.
    Signed {
        /// The signature.
        signature: Signature,
        /// Whether it had been recorded before, and no key was used for this answer.
        replayed: bool,
    },
    /// A proof of possession leaves.
    Proven {
        /// The proof.
        proof: Signature,
    },
    /// A decision not to sign.
    Refused(Box<Refused>),
    /// Unable to decide, or to sign what was decided.
    Failed(Failed),
}

impl Reply {
    /// The answer as HTTP: the one match over every row.
    #[must_use]
    pub fn http(&self) -> Response<Full<Bytes>> {
        match self {
            Self::Signed {
                signature,
                replayed: _,
            } => json(
                StatusCode::OK,
                &serde_json::json!({ "signature": signature.to_string() }),
            ),
            Self::Proven { proof } => json(
                StatusCode::OK,
                &serde_json::json!({ "bls_prove_possession": proof.to_string() }),
            ),
            Self::Refused(refused) => trace(refused.status(), &refused.to_string()),
            Self::Failed(failed) => {
                let mut response = trace(failed.status(), &failed.to_string());
                if let Failed::Overloaded { .. } = failed {
                    response
                        .headers_mut()
                        .insert(header::RETRY_AFTER, RETRY_AFTER_S);
                }
                response
            }
        }
    }

    /// What came of the request, in one word for logs and metrics.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Signed {
                replayed: false, ..
            } => "signed",
            Self::Signed { replayed: true, .. } => "replayed",
            Self::Proven { .. } => "proven",
            Self::Refused(_) => "refused",
            Self::Failed(Failed::Overloaded { .. }) => "overloaded",
            Self::Failed(_) => "failed",
        }
    }

    /// Why nothing leaves, in one word for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Signed { .. } | Self::Proven { .. } => None,
            Self::Refused(refused) => Some(refused.reason()),
            Self::Failed(failed) => Some(failed.reason()),
        }
    }
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<Failed> for Reply {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl From<Unavailable> for Reply {
    fn from(unavailable: Unavailable) -> Self {
        Failed::from(unavailable).into()
    }
}

/// What an overloaded node asks for, in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// An error trace as octez reads it.
pub(crate) fn trace(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let failure = serde_json::json!({ "kind": "temporary", "id": "failure", "msg": message });
    json(status, &serde_json::Value::Array(vec![failure]))
}

/// Minified JSON and a line feed, as octez-signer writes it. Head and body are one buffer of known
/// length, so they leave in one write.
pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{value}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// A status and nothing else.
pub(crate) fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}
