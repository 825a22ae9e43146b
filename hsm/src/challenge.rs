//! What a key signs to prove that the token holds its private half, and can sign with it now (R29).

use tezos::{Digest, PublicKey, Signature};

use crate::{Trouble, TroubleKind};

/// How every challenge begins.
///
/// **Invariant:** no message that Tezos knows begins with `Q`, so such a signature is of use to
/// nobody.
const PROOF: &[u8] = b"Quorate: this token holds the private key. ";

/// A message that nobody has asked a key to sign before.
#[derive(Debug)]
pub(crate) struct Challenge(Vec<u8>);

impl Challenge {
    /// A new one.
    ///
    /// # Errors
    /// Without randomness.
    pub(crate) fn new() -> Result<Self, Trouble> {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(|error| {
            Trouble::new(TroubleKind::Device, format!("no randomness: {error}"))
        })?;
        Ok(Self([PROOF, &nonce].concat()))
    }

    /// What the token is asked to sign.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// Whether this is the key's signature of it.
    pub(crate) fn is_met(&self, key: &PublicKey, signature: &Signature) -> bool {
        key.verify(&self.0, signature).is_ok()
    }
}
