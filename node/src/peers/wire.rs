//! What carries messages between nodes, and knows whose they are.
//!
//! A node speaks over [`Pinned`](super::pinned::Pinned), TLS between pinned keys, and over nothing
//! else. That it asks for this trait lets a simulation carry the same messages, to the same routes,
//! over a network that delays, loses and repeats them as it is told.

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use raft_store::types::{Fingerprint, Member};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::pins::PinSet;

/// Both ends of one node: its own port, and its way to the others.
///
/// **Invariant:** an implementation knows by itself whose key is at the other end. Nothing in a
/// message says it.
pub trait Wire: Debug + Send + Sync + 'static {
    /// Serves `app` to the keys that `pins` names, each request with the [`Peer`] it came from as
    /// its extension, until the future is dropped. Called once.
    ///
    /// # Errors
    /// If this node's own key is of no use.
    fn serve(&self, pins: PinSet, app: Router) -> Result<BoxFuture<'static, ()>, WireError>;

    /// Posts a message to node `to`, if the key there is the one that `member` names, and reads the
    /// whole answer, of whatever status.
    fn post<'a>(
        &'a self,
        to: u64,
        member: &'a Member,
        message: Message,
    ) -> BoxFuture<'a, Result<Answer, CallError>>;
}

/// Why a node cannot serve its peers at all.
pub type WireError = Box<dyn Error + Send + Sync>;

/// Whose connection a request came on. Handlers take it as `Extension<Peer>`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    /// The node that the key is pinned for.
    pub id: u64,
    /// The key that signed the handshake.
    pub key: Fingerprint,
}

/// One message to a peer.
#[derive(Debug)]
pub struct Message {
    /// Its path on the peer port.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// How long the whole exchange may take.
    pub time: Duration,
    /// The largest answer, in bytes.
    pub limit: usize,
}

/// An answer of whatever status, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CallError {
    /// No connection: the peer saw nothing of it.
    #[error("{0}")]
    NotSent(String),
    /// The request left, and what became of it is unknown.
    #[error("{0}")]
    Lost(String),
}
