//! Public keys, and what verifying with one proves.

use std::fmt;
use std::str::FromStr;

use k256::ecdsa::signature::hazmat::PrehashVerifier as _;

use super::{POSSESSION_TAG, PublicKeyHash, SIGNATURE_TAG};
use crate::base58::{self, Prefix, Word};
use crate::hash;
use crate::two_forms::{TwoForms, exactly, serde_in_two_forms};
use crate::{Curve, Digest, ParseError, Signature};

/// A public key, `edpk...`, `sppk...`, `p2pk...` or `BLpk...`: a valid point of its curve.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PublicKey(Raw);

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Raw {
    Ed25519([u8; 32]),
    Secp256k1([u8; 33]),
    P256([u8; 33]),
    Bls12_381([u8; 48]),
}

/// The proof that a signature was verified. Only verifying makes one.
#[derive(Debug, Eq, PartialEq)]
pub struct Verified(());

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VerifyError {
    /// The signature is of another curve than the key.
    #[error("a {signature} signature cannot be of a {key} key")]
    Curve {
        /// The curve of the key.
        key: Curve,
        /// The curve of the signature.
        signature: Curve,
    },
    /// An ECDSA signature in its high-s form: [`Signature::normalised`] gives the low one.
    #[error("this {0} signature has a high s, which is never released")]
    HighS(Curve),
    /// Not this key's signature of this message.
    #[error("the signature is not this key's signature of this message")]
    Mismatch,
}

impl PublicKey {
    /// The curve of the key.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        match self.0 {
            Raw::Ed25519(_) => Curve::Ed25519,
            Raw::Secp256k1(_) => Curve::Secp256k1,
            Raw::P256(_) => Curve::P256,
            Raw::Bls12_381(_) => Curve::Bls12_381,
        }
    }

    /// The hash of the key.
    #[must_use]
    pub fn hash(&self) -> PublicKeyHash {
        PublicKeyHash::new(self.curve(), hash::of_public_key(self.as_raw()))
    }

    /// The bytes of the key as Tezos writes them after the tag: 32 (Ed25519), 33 (ECDSA, compressed)
    /// or 48 (BLS, compressed G1).
    #[must_use]
    pub const fn as_raw(&self) -> &[u8] {
        match &self.0 {
            Raw::Ed25519(bytes) => bytes,
            Raw::Secp256k1(bytes) | Raw::P256(bytes) => bytes,
            Raw::Bls12_381(bytes) => bytes,
        }
    }

    /// Reads the raw bytes of a key of `curve`.
    ///
    /// # Errors
    /// [`ParseError::Length`], or [`ParseError::Point`] if the bytes are not a point of the curve,
    /// are not its one canonical encoding, are the point at infinity, lie outside the prime-order
    /// group (BLS) or have a small order (Ed25519).
    pub fn from_raw(curve: Curve, bytes: &[u8]) -> Result<Self, ParseError> {
        let point = ParseError::Point { curve };
        let raw = match curve {
            Curve::Ed25519 => {
                let bytes = exactly(Self::WHAT, bytes)?;
                match ed25519_dalek::VerifyingKey::from_bytes(&bytes) {
                    Ok(key) if !key.is_weak() && key.to_edwards().compress().0 == bytes => {
                        Raw::Ed25519(bytes)
                    }
                    Ok(_) | Err(_) => return Err(point),
                }
            }
            Curve::Secp256k1 => {
                let bytes: [u8; 33] = exactly(Self::WHAT, bytes)?;
                match k256::ecdsa::VerifyingKey::from_sec1_bytes(&bytes) {
                    Ok(key) if key.to_sec1_point(true).as_bytes() == bytes => Raw::Secp256k1(bytes),
                    Ok(_) | Err(_) => return Err(point),
                }
            }
            Curve::P256 => {
                let bytes: [u8; 33] = exactly(Self::WHAT, bytes)?;
                match p256::ecdsa::VerifyingKey::from_sec1_bytes(&bytes) {
                    Ok(key) if key.to_sec1_point(true).as_bytes() == bytes => Raw::P256(bytes),
                    Ok(_) | Err(_) => return Err(point),
                }
            }
            Curve::Bls12_381 => {
                let bytes = exactly(Self::WHAT, bytes)?;
                blst::min_pk::PublicKey::key_validate(&bytes).map_err(|_off| point)?;
                Raw::Bls12_381(bytes)
            }
        };
        Ok(Self(raw))
    }

    /// Checks that `signature` is this key's signature of `message`: of its BLAKE2b-256 digest for
    /// tz1 to tz3, of the message itself in the proof-of-possession scheme for tz4.
    ///
    /// Low s is demanded on both ECDSA curves, although Octez accepts a high one for tz3.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<Verified, VerifyError> {
        self.same_curve(signature)?;
        let digest = Digest::of(message);
        let right = match &self.0 {
            Raw::Ed25519(key) => ed25519_is_right(key, digest, signature),
            Raw::Secp256k1(key) => k256::ecdsa::VerifyingKey::from_sec1_bytes(key)
                .and_then(|key| {
                    let signature = k256::ecdsa::Signature::from_slice(signature.as_raw())?;
                    key.verify_prehash(digest.as_bytes(), &signature)
                })
                .is_ok(),
            Raw::P256(key) => p256::ecdsa::VerifyingKey::from_sec1_bytes(key)
                .and_then(|key| {
                    let signature = p256::ecdsa::Signature::from_slice(signature.as_raw())?;
                    key.verify_prehash(digest.as_bytes(), &signature)
                })
                .is_ok(),
            Raw::Bls12_381(key) => bls_is_right(key, message, SIGNATURE_TAG, signature),
        };
        if right {
            Ok(Verified(()))
        } else {
            Err(VerifyError::Mismatch)
        }
    }

    /// Checks that `proof` is this key's proof of possession over `message`, which is the raw public
    /// key that is being proved. Only tz4 keys have one.
    ///
    /// # Errors
    /// [`VerifyError::Mismatch`] also for every key that is not tz4.
    pub fn verify_possession(
        &self,
        message: &[u8],
        proof: &Signature,
    ) -> Result<Verified, VerifyError> {
        self.same_curve(proof)?;
        match &self.0 {
            Raw::Bls12_381(key) if bls_is_right(key, message, POSSESSION_TAG, proof) => {
                Ok(Verified(()))
            }
            Raw::Bls12_381(_) | Raw::Ed25519(_) | Raw::Secp256k1(_) | Raw::P256(_) => {
                Err(VerifyError::Mismatch)
            }
        }
    }

    fn same_curve(&self, signature: &Signature) -> Result<(), VerifyError> {
        let (key, signature_curve) = (self.curve(), signature.curve());
        if key != signature_curve {
            return Err(VerifyError::Curve {
                key,
                signature: signature_curve,
            });
        }
        if signature.has_high_s() {
            return Err(VerifyError::HighS(key));
        }
        Ok(())
    }
}

fn ed25519_is_right(key: &[u8; 32], digest: Digest, signature: &Signature) -> bool {
    ed25519_dalek::VerifyingKey::from_bytes(key)
        .and_then(|key| {
            let signature = ed25519_dalek::Signature::from_slice(signature.as_raw())?;
            key.verify_strict(digest.as_bytes(), &signature)
        })
        .is_ok()
}

fn bls_is_right(key: &[u8; 48], message: &[u8], tag: &[u8], signature: &Signature) -> bool {
    let (Ok(key), Ok(signature)) = (
        blst::min_pk::PublicKey::from_bytes(key),
        blst::min_pk::Signature::sig_validate(signature.as_raw(), true),
    ) else {
        return false;
    };
    // The key was validated when it was read, the signature just now: neither is checked again.
    signature.verify(false, message, tag, &[], &key, false) == blst::BLST_ERROR::BLST_SUCCESS
}

const fn prefix(curve: Curve) -> Prefix {
    match curve {
        Curve::Ed25519 => Prefix::EDPK,
        Curve::Secp256k1 => Prefix::SPPK,
        Curve::P256 => Prefix::P2PK,
        Curve::Bls12_381 => Prefix::BLPK,
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&base58::encode(prefix(self.curve()), self.as_raw()))
    }
}

impl FromStr for PublicKey {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = Word::decode(Self::WHAT, text)?;
        if let Some(raw) = word.payload::<32>(Prefix::EDPK) {
            Self::from_raw(Curve::Ed25519, raw)
        } else if let Some(raw) = word.payload::<33>(Prefix::SPPK) {
            Self::from_raw(Curve::Secp256k1, raw)
        } else if let Some(raw) = word.payload::<33>(Prefix::P2PK) {
            Self::from_raw(Curve::P256, raw)
        } else if let Some(raw) = word.payload::<48>(Prefix::BLPK) {
            Self::from_raw(Curve::Bls12_381, raw)
        } else {
            Err(word.unexpected("edpk, sppk, p2pk or BLpk"))
        }
    }
}

impl TwoForms for PublicKey {
    const WHAT: &'static str = "public key";

    fn to_binary(&self) -> Vec<u8> {
        [&[self.curve().code()], self.as_raw()].concat()
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ParseError> {
        match bytes {
            [tag, raw @ ..] => Self::from_raw(Curve::from_code(*tag)?, raw),
            [] => Err(ParseError::Length {
                what: Self::WHAT,
                expected: 33,
                found: 0,
            }),
        }
    }
}

serde_in_two_forms!(PublicKey);
