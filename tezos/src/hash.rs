//! BLAKE2b: the hash under every Tezos signature and every public key hash.

use std::fmt;
use std::str::FromStr;

use blake2::digest::consts::{U20, U32};
use blake2::{Blake2b, Digest as _};

use crate::ParseError;
use crate::two_forms::{TwoForms, exactly, serde_in_two_forms};

/// BLAKE2b-256 of a *whole* signable message: its identity. Two messages are the same request only
/// if their digests are equal.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `message`.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        Self(Blake2b::<U32>::digest(message).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The 20 bytes of a public key hash: BLAKE2b-160 of the raw public key.
pub(crate) fn of_public_key(raw: &[u8]) -> [u8; 20] {
    Blake2b::<U20>::digest(raw).into()
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = ParseError::NotHex {
            what: Self::WHAT,
            digits: 64,
        };
        // Lower case only, as it is written: one digest has one spelling.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refused);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_not_64_digits| refused)?;
        Ok(Self(bytes))
    }
}

impl TwoForms for Digest {
    const WHAT: &'static str = "digest";

    fn to_binary(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ParseError> {
        exactly(Self::WHAT, bytes).map(Self)
    }
}

serde_in_two_forms!(Digest);
