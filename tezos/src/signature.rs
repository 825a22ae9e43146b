//! Signatures of the four curves.

use std::fmt;
use std::str::FromStr;

use crate::base58::{self, Prefix, Word};
use crate::two_forms::{TwoForms, exactly, serde_in_two_forms};
use crate::{Curve, ParseError};

/// A signature, `edsig...`, `spsig1...`, `p2sig...` or `BLsig...`. Well-formed, not yet verified:
/// only [`PublicKey::verify`](crate::PublicKey::verify) says whose it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signature(Raw);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Raw {
    Ed25519([u8; 64]),
    Secp256k1([u8; 64]),
    P256([u8; 64]),
    Bls12_381([u8; 96]),
}

impl Signature {
    /// The curve of the signature.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        match self.0 {
            Raw::Ed25519(_) => Curve::Ed25519,
            Raw::Secp256k1(_) => Curve::Secp256k1,
            Raw::P256(_) => Curve::P256,
            Raw::Bls12_381(_) => Curve::Bls12_381,
        }
    }

    /// The raw bytes: 64 (for ECDSA r then s, big-endian), or 96 (compressed G2) for BLS.
    #[must_use]
    pub const fn as_raw(&self) -> &[u8] {
        match &self.0 {
            Raw::Ed25519(bytes) | Raw::Secp256k1(bytes) | Raw::P256(bytes) => bytes,
            Raw::Bls12_381(bytes) => bytes,
        }
    }

    /// Reads the raw bytes of a signature of `curve`.
    ///
    /// # Errors
    /// [`ParseError::Length`], or [`ParseError::SignatureRange`] if an ECDSA r or s is zero or not
    /// below the group order.
    pub fn from_raw(curve: Curve, bytes: &[u8]) -> Result<Self, ParseError> {
        let range = ParseError::SignatureRange { curve };
        Ok(Self(match curve {
            Curve::Ed25519 => Raw::Ed25519(exactly(Self::WHAT, bytes)?),
            Curve::Secp256k1 => {
                let bytes = exactly(Self::WHAT, bytes)?;
                k256::ecdsa::Signature::from_slice(&bytes).map_err(|_range| range)?;
                Raw::Secp256k1(bytes)
            }
            Curve::P256 => {
                let bytes = exactly(Self::WHAT, bytes)?;
                p256::ecdsa::Signature::from_slice(&bytes).map_err(|_range| range)?;
                Raw::P256(bytes)
            }
            Curve::Bls12_381 => Raw::Bls12_381(exactly(Self::WHAT, bytes)?),
        }))
    }

    /// Reads the spelling of a signature that should be of `curve`: its own (`edsig` and so on), or
    /// the generic `sig...` that names no curve and that BLS does not have.
    ///
    /// # Errors
    /// [`ParseError`]; [`ParseError::Prefix`] for the spelling of another curve.
    pub fn parse(curve: Curve, text: &str) -> Result<Self, ParseError> {
        let word = Word::decode(Self::WHAT, text)?;
        let wrong = || word.unexpected(names(curve));
        if curve == Curve::Bls12_381 {
            return Self::from_raw(curve, word.payload::<96>(prefix(curve)).ok_or_else(wrong)?);
        }
        let raw = word
            .payload::<64>(prefix(curve))
            .or_else(|| word.payload(Prefix::GENERIC_SIG))
            .ok_or_else(wrong)?;
        Self::from_raw(curve, raw)
    }

    /// The same signature with a low s; unchanged where it has one, and on the curves without s.
    ///
    /// Both (r, s) and (r, n-s) verify. A block hash covers the signature, so two forms of one
    /// signature are two blocks: one form only is ever released.
    #[must_use]
    pub fn normalised(self) -> Self {
        match &self.0 {
            Raw::Secp256k1(bytes) => match k256::ecdsa::Signature::from_slice(bytes) {
                Ok(signature) => Self::of_secp256k1(&signature.normalize_s()),
                Err(_) => self,
            },
            Raw::P256(bytes) => match p256::ecdsa::Signature::from_slice(bytes) {
                Ok(signature) => Self::of_p256(&signature.normalize_s()),
                Err(_) => self,
            },
            Raw::Ed25519(_) | Raw::Bls12_381(_) => self,
        }
    }

    pub(crate) fn has_high_s(&self) -> bool {
        self.clone().normalised() != *self
    }

    pub(crate) fn of_ed25519(signature: &ed25519_dalek::Signature) -> Self {
        Self(Raw::Ed25519(signature.to_bytes()))
    }

    pub(crate) fn of_secp256k1(signature: &k256::ecdsa::Signature) -> Self {
        Self(Raw::Secp256k1(signature.to_bytes().into()))
    }

    pub(crate) fn of_p256(signature: &p256::ecdsa::Signature) -> Self {
        Self(Raw::P256(signature.to_bytes().into()))
    }

    pub(crate) fn of_bls(signature: &blst::min_pk::Signature) -> Self {
        Self(Raw::Bls12_381(signature.compress()))
    }
}

const fn prefix(curve: Curve) -> Prefix {
    match curve {
        Curve::Ed25519 => Prefix::EDSIG,
        Curve::Secp256k1 => Prefix::SPSIG,
        Curve::P256 => Prefix::P2SIG,
        Curve::Bls12_381 => Prefix::BLSIG,
    }
}

const fn names(curve: Curve) -> &'static str {
    match curve {
        Curve::Ed25519 => "edsig or sig",
        Curve::Secp256k1 => "spsig1 or sig",
        Curve::P256 => "p2sig or sig",
        Curve::Bls12_381 => "BLsig",
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&base58::encode(prefix(self.curve()), self.as_raw()))
    }
}

impl FromStr for Signature {
    type Err = ParseError;

    /// Reads a spelling that names its curve; the generic `sig...` needs [`Signature::parse`].
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = Word::decode(Self::WHAT, text)?;
        for curve in [Curve::Ed25519, Curve::Secp256k1, Curve::P256] {
            if let Some(raw) = word.payload::<64>(prefix(curve)) {
                return Self::from_raw(curve, raw);
            }
        }
        word.payload::<96>(Prefix::BLSIG)
            .ok_or_else(|| word.unexpected("edsig, spsig1, p2sig or BLsig"))
            .and_then(|raw| Self::from_raw(Curve::Bls12_381, raw))
    }
}

impl TwoForms for Signature {
    const WHAT: &'static str = "signature";

    fn to_binary(&self) -> Vec<u8> {
        [&[self.curve().code()], self.as_raw()].concat()
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ParseError> {
        match bytes {
            [code, raw @ ..] => Self::from_raw(Curve::from_code(*code)?, raw),
            [] => Err(ParseError::Length {
                what: Self::WHAT,
                expected: 65,
                found: 0,
            }),
        }
    }
}

serde_in_two_forms!(Signature);
