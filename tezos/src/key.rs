//! Keys: public, secret, and secret under a password.

mod encrypted;
mod hash;
mod public;
mod secret;

pub use encrypted::{DecryptError, EncryptedSecretKey};
pub use hash::PublicKeyHash;
pub use public::{PublicKey, Verified, VerifyError};
pub use secret::{NoRandomness, SecretKey};

/// Domain separation tag of a BLS signature over a message, in the proof-of-possession scheme
/// (Octez, `bls12_381_signature.ml`, `MinPk.Pop`).
const SIGNATURE_TAG: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Domain separation tag of a BLS proof of possession. It differs from [`SIGNATURE_TAG`], so that
/// no proof is ever a signature and no signature a proof.
const POSSESSION_TAG: &[u8] = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
