//! Which key belongs to which node: from the folder's binding at first, then from the membership.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use raft_store::types::{Fingerprint, Member};
use rustls::{CertificateError, Error, OtherError};
use tokio::sync::watch;

/// The keys that may connect, each with the node it stands for.
pub type Pins = BTreeMap<Fingerprint, u64>;

/// The pins that a set of members asks for.
pub fn of<'a>(members: impl IntoIterator<Item = (&'a u64, &'a Member)>) -> Pins {
    members
        .into_iter()
        .map(|(id, member)| (member.fingerprint, *id))
        .collect()
}

/// The pins in force. Every clone sees a replacement at once; open connections subscribe to it, and
/// those of a removed key close.
#[derive(Clone, Debug)]
pub struct PinSet(Arc<watch::Sender<Pins>>);

impl PinSet {
    /// These pins, until they are replaced.
    #[must_use]
    pub fn new(pins: Pins) -> Self {
        Self(Arc::new(watch::Sender::new(pins)))
    }

    /// Puts other pins in force, and closes the connections of keys that are no longer among them.
    pub fn replace(&self, pins: Pins) {
        self.0.send_if_modified(|now| {
            let changed = *now != pins;
            *now = pins;
            changed
        });
    }

    /// The node that a key stands for now.
    #[must_use]
    pub fn node(&self, key: &Fingerprint) -> Option<u64> {
        self.0.borrow().get(key).copied()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Pins> {
        self.0.subscribe()
    }

    pub(super) fn refusal(&self, key: Fingerprint) -> PinError {
        if self.0.borrow().is_empty() {
            PinError::Unformed(key)
        } else {
            PinError::UnknownClient(key)
        }
    }
}

/// Why a key was refused in the handshake.
#[derive(Clone, Copy, Eq, PartialEq, thiserror::Error)]
pub enum PinError {
    /// The server at a member's address has another key.
    #[error(
        "node {node} is pinned to {want}, but the server's key is {got}; its data folder is another \
         one, or its address leads elsewhere"
    )]
    WrongServer {
        /// The node that was called.
        node: u64,
        /// The key it is known by.
        want: Fingerprint,
        /// The key that answered.
        got: Fingerprint,
    },
    /// A client whose key is no member's.
    #[error(
        "the client's key {0} is not pinned for any node; a node whose folder was made anew must \
         join as a new node"
    )]
    UnknownClient(Fingerprint),
    /// This node has no cluster yet, so it knows nobody.
    #[error(
        "the client's key is {0}, but this node belongs to no cluster yet; run `quorate cluster form`"
    )]
    Unformed(Fingerprint),
}

// rustls shows the error inside an `OtherError` by its `Debug`.
impl fmt::Debug for PinError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl From<PinError> for Error {
    fn from(error: PinError) -> Self {
        CertificateError::Other(OtherError(Arc::new(error))).into()
    }
}
