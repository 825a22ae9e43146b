//! Requests that a follower hands to the leader: one hop, and never a second one.
//!
//! What is left of the deadline travels as milliseconds, never as a time of day, since the clocks of
//! two machines do not agree.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use raft_store::{codec, runtime};
use serde::{Serialize, de::DeserializeOwned};

/// The hop marker: it must be there, and be `1`.
pub const HOP: HeaderName = HeaderName::from_static("quorate-hop");
/// What is left of the deadline, in milliseconds.
pub const REMAINING: HeaderName = HeaderName::from_static("quorate-remaining-ms");

/// The longest deadline that a peer may ask for.
const REMAINING_MAX: Duration = Duration::from_secs(60);

/// Where a forwarded request comes from, and how long its answer may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hop {
    /// The node that forwarded it.
    pub from: u64,
    /// What is left of its deadline.
    pub remaining: Duration,
}

/// Why a forwarded request has no answer. A refusal is an answer: it crosses the hop as a value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ForwardError {
    /// This node itself: it must decide and not ask.
    #[error("node {0} was to forward to itself")]
    ToSelf(u64),
    /// The peer saw nothing of it: no such member, no connection, not admitted.
    #[error("not sent to node {to}: {reason}")]
    NotSent {
        /// Where it was to go.
        to: u64,
        /// Why it did not.
        reason: String,
    },
    /// It left, and what became of it is unknown.
    #[error("no answer from node {to}: {reason}")]
    Lost {
        /// Where it went.
        to: u64,
        /// What is known.
        reason: String,
    },
}

type Handler = Arc<dyn Fn(Hop, Bytes) -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync>;

/// Who answers forwarded requests, by name.
#[derive(Clone, Default)]
pub struct Handlers(Arc<RwLock<BTreeMap<&'static str, Handler>>>);

impl fmt::Debug for Handlers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handlers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        out.debug_set().entries(handlers.keys()).finish()
    }
}

impl Handlers {
    /// Answers requests forwarded under `name` with `answer`, from now on. It runs in a task of its
    /// own, so that a caller that goes away leaves no grant half way.
    pub fn route<Q, A, F>(
        &self,
        name: &'static str,
        answer: impl Fn(Hop, Q) -> F + Clone + Send + Sync + 'static,
    ) where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize + Send + 'static,
        F: Future<Output = A> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |hop, body| {
            let answer = answer.clone();
            Box::pin(async move {
                let question: Q = codec::decode(&body).map_err(|error| error.to_string())?;
                let answered = runtime::spawn(answer(hop, question)).await;
                let answered = answered.map_err(|error| format!("the answer failed: {error}"))?;
                codec::encode(&answered).map_err(|error| error.to_string())
            })
        });
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, handler);
    }

    pub(super) async fn answer(
        &self,
        name: &str,
        from: u64,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Vec<u8>, (StatusCode, String)> {
        let bad = |text: &str| (StatusCode::BAD_REQUEST, text.to_owned());
        if headers.get(HOP).is_none_or(|hop| hop != "1") {
            return Err(bad("a forwarded request needs the header `quorate-hop: 1`"));
        }
        let remaining = headers.get(REMAINING).and_then(|value| value.to_str().ok());
        let remaining = remaining
            .and_then(|text| text.parse().ok())
            .map(Duration::from_millis);
        let remaining = remaining.ok_or_else(|| bad("no usable header `quorate-remaining-ms`"))?;
        let hop = Hop {
            from,
            remaining: remaining.min(REMAINING_MAX),
        };
        let handler = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        let Some(handler) = handler else {
            return Err((
                StatusCode::NOT_FOUND,
                format!("nobody answers {name:?} on this node yet"),
            ));
        };
        handler(hop, body)
            .await
            .map_err(|error| (StatusCode::BAD_REQUEST, error))
    }
}

/// Marks a request as forwarded, with what is left of its deadline.
pub(crate) fn mark(headers: &mut HeaderMap, remaining: Duration) {
    headers.insert(HOP, HeaderValue::from_static("1"));
    let remaining = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
    headers.insert(REMAINING, HeaderValue::from(remaining));
}
