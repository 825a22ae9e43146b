//! Proofs of possession: how a tz4 key shows that whoever registers it holds its secret.

use crate::{Curve, Digest, PublicKey, Signature, Verified, VerifyError};

/// The bytes of a proof of possession: the raw public key that is proved, 48 bytes. That is the
/// signing key itself, or another tz4 key that the request names in its place (`bls_pk`).
///
/// It has no slot, and its domain tag is its own, so that no proof is ever a consensus signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Possession {
    proved: PublicKey,
    digest: Digest,
}

/// Why there is nothing to prove.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PossessionError {
    /// The key that should prove is not a tz4 key.
    #[error("a {0} key has no proof of possession, only tz4 keys do")]
    Prover(Curve),
    /// The key to be proved (`bls_pk`) is not a tz4 key.
    #[error("bls_pk is a {0} key, only a tz4 key can be proved")]
    Proved(Curve),
}

impl Possession {
    /// What `own` signs to prove possession of itself, or of `bls_pk_override` where the request
    /// names one.
    ///
    /// # Errors
    /// [`PossessionError`] unless both are tz4 keys.
    pub fn new(
        own: &PublicKey,
        bls_pk_override: Option<PublicKey>,
    ) -> Result<Self, PossessionError> {
        if own.curve() != Curve::Bls12_381 {
            return Err(PossessionError::Prover(own.curve()));
        }
        let proved = bls_pk_override.unwrap_or_else(|| own.clone());
        if proved.curve() != Curve::Bls12_381 {
            return Err(PossessionError::Proved(proved.curve()));
        }
        let digest = Digest::of(proved.as_raw());
        Ok(Self { proved, digest })
    }

    /// BLAKE2b-256 of the message.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The 48 bytes to prove.
    #[must_use]
    pub const fn message(&self) -> &[u8] {
        self.proved.as_raw()
    }

    /// Checks that `proof` is the proof that `prover` gives of this.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify(&self, prover: &PublicKey, proof: &Signature) -> Result<Verified, VerifyError> {
        prover.verify_possession(self.message(), proof)
    }
}
