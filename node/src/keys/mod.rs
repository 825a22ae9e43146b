//! The secrets of this node, and the only way to use them: a [`Signer`] takes a grant or a permit
//! and signs what that grant owns.
//!
//! **Invariant:** nothing here signs bytes for anybody: what takes a message and a key is private to
//! the signer that took the message out of a grant or a permit.

pub mod alone;
mod fault;
pub mod file;
mod keyring;
mod memory;
mod opening;
pub mod password;
pub mod pin;
mod reload;
pub mod sealed;
pub mod token;
mod vault;

#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use raft_store::ledger::{Grant, Permit, Released, Signed};
use tezos::{PublicKey, PublicKeyHash};

pub use fault::{KeyFault, KeyFaults};
pub use keyring::Keyring;
pub use reload::Reloaded;

/// One secret key, wherever it lives.
pub trait Signer: Send + Sync {
    /// Signs the message that the grant owns. The grant is spent, on failure too; the signature is
    /// verified against the enrolled key before it comes back.
    fn sign(&self, grant: Grant) -> BoxFuture<'static, Result<Signed, SignFailure>>;

    /// Signs the message without a slot that the permit owns, likewise.
    fn permit(&self, permit: Permit) -> BoxFuture<'static, Result<Released, SignFailure>>;

    /// Whether signing the same message again gives the same bytes by construction, on every node
    /// and for ever. A key that is released after the commit demands it.
    fn deterministic(&self) -> bool;

    /// The public key.
    fn public_key(&self) -> &PublicKey;
}

/// Why a granted message was not signed. The grant is gone; the mark stays.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignFailure {
    /// This node has no secret for the key.
    #[error(
        "this node holds no secret of {key}; put its file into the key folder, or see `quorate key list`"
    )]
    NoSigner {
        /// The key.
        key: PublicKeyHash,
    },
    /// The token that may hold the secret cannot be used now.
    #[error("this node cannot sign with {key} now: {what}")]
    TokenAway {
        /// The key.
        key: PublicKeyHash,
        /// What keeps each of this node's tokens from it.
        what: String,
    },
    /// The key is enrolled `after_commit`, and this node's backend gives another signature each time.
    #[error(
        "{key} is enrolled after_commit, which this node's backend must not serve since it signs \
         differently each time; run `quorate key edit {key} --release after-record`"
    )]
    NotDeterministic {
        /// The key.
        key: PublicKeyHash,
    },
    /// The backend answered with a signature that the enrolled key does not verify.
    #[error("the backend made a signature that {key} does not verify; nothing was released")]
    WrongSignature {
        /// The key.
        key: PublicKeyHash,
    },
    /// The backend failed, or cannot sign such a message.
    #[error("the backend of {key} failed: {what}")]
    Backend {
        /// The key.
        key: PublicKeyHash,
        /// What it said; never a secret.
        what: String,
    },
}
