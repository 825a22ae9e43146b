//! The words of Tezos signing, pure and total: keys, hashes, signatures, and the bytes a baker asks
//! to have signed.
//!
//! **Invariant:** no clock, no file, no socket, no async runtime: the same bytes always give the
//! same answer. The one exception is named: [`SecretKey::generate`] and [`SecretKey::encrypt`]
//! draw from the operating system's random source.

mod base58;
mod chain;
mod curve;
mod fault;
mod hash;
mod key;
pub mod payload;
pub mod possession;
mod signature;
mod slot;
mod two_forms;
mod vocabulary;
pub mod wire;

pub use chain::ChainId;
pub use curve::Curve;
pub use fault::ParseError;
pub use hash::Digest;
pub use key::{
    DecryptError, EncryptedSecretKey, NoRandomness, PublicKey, PublicKeyHash, SecretKey, Verified,
    VerifyError,
};
pub use payload::{BallotVote, Kind, OperationName};
pub use signature::Signature;
pub use slot::{Level, Round, Slot};
