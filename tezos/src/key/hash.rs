//! The hash of a public key: the name under which a baker asks for a key.

use std::fmt;
use std::str::FromStr;

use crate::base58::{self, Prefix, Word};
use crate::two_forms::{TwoForms, exactly, serde_in_two_forms};
use crate::{Curve, ParseError};

/// A public key hash, `tz1...` to `tz4...`: the curve and BLAKE2b-160 of the raw public key.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PublicKeyHash {
    curve: Curve,
    hash: [u8; 20],
}

impl PublicKeyHash {
    /// The length of the binary form.
    pub const LEN: usize = 21;

    pub(crate) const fn new(curve: Curve, hash: [u8; 20]) -> Self {
        Self { curve, hash }
    }

    /// The curve of the key.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// The binary form that Tezos uses: the curve's tag, then the 20 bytes of the hash.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [self.curve.code(); Self::LEN];
        let (_tag, hash) = bytes.split_at_mut(1);
        hash.copy_from_slice(&self.hash);
        bytes
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// [`ParseError::CurveTag`] for a curve this version does not know (4 is tz5, ML-DSA-44, which
    /// cannot be a consensus key in any known protocol).
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, ParseError> {
        let [tag, hash @ ..] = bytes;
        let curve = Curve::from_code(*tag).map_err(|_unknown| ParseError::CurveTag {
            what: Self::WHAT,
            tag: *tag,
        })?;
        Ok(Self { curve, hash: *hash })
    }
}

const fn prefix(curve: Curve) -> Prefix {
    match curve {
        Curve::Ed25519 => Prefix::TZ1,
        Curve::Secp256k1 => Prefix::TZ2,
        Curve::P256 => Prefix::TZ3,
        Curve::Bls12_381 => Prefix::TZ4,
    }
}

impl fmt::Display for PublicKeyHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&base58::encode(prefix(self.curve), &self.hash))
    }
}

impl FromStr for PublicKeyHash {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = Word::decode(Self::WHAT, text)?;
        Curve::ALL
            .iter()
            .find_map(|curve| Some(Self::new(*curve, *word.payload(prefix(*curve))?)))
            .ok_or_else(|| word.unexpected("tz1, tz2, tz3 or tz4"))
    }
}

impl TwoForms for PublicKeyHash {
    const WHAT: &'static str = "public key hash";

    fn to_binary(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::from_bytes(&exactly(Self::WHAT, bytes)?)
    }
}

serde_in_two_forms!(PublicKeyHash);
