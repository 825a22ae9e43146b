//! Secret keys held in this process.

use std::fmt;

use k256::ecdsa::signature::hazmat::PrehashSigner;
use zeroize::Zeroizing;

use super::{POSSESSION_TAG, PublicKey, SIGNATURE_TAG};
use crate::base58::{self, Prefix, Word};
use crate::{Curve, Digest, ParseError, Signature};

/// A secret key. Signing with it is deterministic on every curve: the same message always gives the
/// same signature.
///
/// **Invariant:** it is wiped when dropped, it cannot be cloned, and neither `Debug` nor any
/// serialisation shows it; [`SecretKey::reveal`] and [`SecretKey::to_raw`] are the ways out.
pub struct SecretKey {
    // Boxed so that moving the key does not leave copies of it along the stack.
    secret: Box<Secret>,
    public: PublicKey,
}

enum Secret {
    Ed25519(ed25519_dalek::SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
    P256(p256::ecdsa::SigningKey),
    Bls12_381(blst::min_pk::SecretKey),
}

/// The operating system gave no usable random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum NoRandomness {
    /// It gave none.
    #[error("the operating system's random source gave no bytes: {0}")]
    Source(getrandom::Error),
    /// It gave bytes of which none was a secret key, which a source that works never does.
    #[error("the operating system's random source gave {DRAWS} draws that are no secret key")]
    Unusable,
}

/// How often a seed is drawn. One draw in 2^32 (P-256) or 2^128 (secp256k1) is not below the group
/// order and is drawn again.
const DRAWS: u32 = 8;

impl SecretKey {
    /// Makes a new key from the operating system's random source.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate(curve: Curve) -> Result<Self, NoRandomness> {
        for _ in 0..DRAWS {
            let mut seed = Zeroizing::new([0; 32]);
            getrandom::fill(seed.as_mut_slice()).map_err(NoRandomness::Source)?;
            let made = match curve {
                Curve::Bls12_381 => blst::min_pk::SecretKey::key_gen(seed.as_slice(), &[])
                    .map_err(|_too_short| ParseError::Scalar { curve })
                    .and_then(|key| Self::own(Secret::Bls12_381(key))),
                Curve::Ed25519 | Curve::Secp256k1 | Curve::P256 => Self::from_raw(curve, &seed),
            };
            if let Ok(key) = made {
                return Ok(key);
            }
        }
        Err(NoRandomness::Unusable)
    }

    /// Reads a plain secret key: `edsk...` (32 or 64 bytes), `spsk...`, `p2sk...` or `BLsk...`, bare
    /// or after `unencrypted:`.
    ///
    /// # Errors
    /// [`ParseError`]; [`ParseError::Encrypted`] for the `encrypted:` form.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.starts_with("encrypted:") {
            return Err(ParseError::Encrypted);
        }
        let word = Word::decode(
            "secret key",
            text.strip_prefix("unencrypted:").unwrap_or(text),
        )?;
        if let Some(pair) = word.payload::<64>(Prefix::EDSK_PAIR) {
            return ed25519_dalek::SigningKey::from_keypair_bytes(pair)
                .map_err(|_halves_differ| ParseError::Scalar {
                    curve: Curve::Ed25519,
                })
                .and_then(|key| Self::own(Secret::Ed25519(key)));
        }
        for (curve, prefix) in [
            (Curve::Ed25519, Prefix::EDSK_SEED),
            (Curve::Secp256k1, Prefix::SPSK),
            (Curve::P256, Prefix::P2SK),
            (Curve::Bls12_381, Prefix::BLSK),
        ] {
            if let Some(raw) = word.payload(prefix) {
                return Self::from_raw(curve, raw);
            }
        }
        for prefix in [Prefix::EDESK, Prefix::SPESK, Prefix::P2ESK, Prefix::BLESK] {
            if word.payload::<56>(prefix).is_some() {
                return Err(ParseError::Encrypted);
            }
        }
        Err(word.unexpected("edsk, spsk, p2sk or BLsk"))
    }

    /// The key that these 32 bytes are: an Ed25519 seed, a big-endian ECDSA scalar, or a
    /// *little-endian* BLS scalar, as Octez stores them.
    pub(super) fn from_raw(curve: Curve, raw: &[u8; 32]) -> Result<Self, ParseError> {
        let scalar = ParseError::Scalar { curve };
        Self::own(match curve {
            Curve::Ed25519 => Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(raw)),
            Curve::Secp256k1 => Secret::Secp256k1(
                k256::ecdsa::SigningKey::from_slice(raw).map_err(|_range| scalar)?,
            ),
            Curve::P256 => {
                Secret::P256(p256::ecdsa::SigningKey::from_slice(raw).map_err(|_range| scalar)?)
            }
            Curve::Bls12_381 => {
                let mut big_endian = Zeroizing::new(*raw);
                big_endian.reverse();
                Secret::Bls12_381(
                    blst::min_pk::SecretKey::from_bytes(big_endian.as_slice())
                        .map_err(|_range| scalar)?,
                )
            }
        })
    }

    fn own(secret: Secret) -> Result<Self, ParseError> {
        let secret = Box::new(secret);
        let public = match &*secret {
            Secret::Ed25519(key) => {
                PublicKey::from_raw(Curve::Ed25519, key.verifying_key().as_bytes())
            }
            Secret::Secp256k1(key) => PublicKey::from_raw(
                Curve::Secp256k1,
                key.verifying_key().to_sec1_point(true).as_bytes(),
            ),
            Secret::P256(key) => PublicKey::from_raw(
                Curve::P256,
                key.verifying_key().to_sec1_point(true).as_bytes(),
            ),
            Secret::Bls12_381(key) => {
                PublicKey::from_raw(Curve::Bls12_381, &key.sk_to_pk().compress())
            }
        }?;
        Ok(Self { secret, public })
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`: its BLAKE2b-256 digest for tz1 to tz3 (ECDSA with the nonce of RFC 6979 and
    /// a low s), the message itself in the proof-of-possession scheme for tz4.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let digest = Digest::of(message);
        match &*self.secret {
            Secret::Ed25519(key) => {
                use ed25519_dalek::Signer as _;
                Signature::of_ed25519(&key.sign(digest.as_bytes()))
            }
            Secret::Secp256k1(key) => {
                Signature::of_secp256k1(&deterministic(key, digest)).normalised()
            }
            Secret::P256(key) => Signature::of_p256(&deterministic(key, digest)).normalised(),
            Secret::Bls12_381(key) => Signature::of_bls(&key.sign(message, SIGNATURE_TAG, &[])),
        }
    }

    /// Proves possession over `message`, the raw public key being proved; `None` unless this is a
    /// tz4 key. No proof is a signature of anything else, since its domain tag is its own.
    #[must_use]
    pub fn prove_possession(&self, message: &[u8]) -> Option<Signature> {
        match &*self.secret {
            Secret::Bls12_381(key) => {
                Some(Signature::of_bls(&key.sign(message, POSSESSION_TAG, &[])))
            }
            Secret::Ed25519(_) | Secret::Secp256k1(_) | Secret::P256(_) => None,
        }
    }

    /// The plain spelling, as Octez exports it.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let prefix = match self.public.curve() {
            Curve::Ed25519 => Prefix::EDSK_SEED,
            Curve::Secp256k1 => Prefix::SPSK,
            Curve::P256 => Prefix::P2SK,
            Curve::Bls12_381 => Prefix::BLSK,
        };
        base58::encode_secret(prefix, self.to_raw().as_slice())
    }

    /// The 32 bytes: an Ed25519 seed, a big-endian ECDSA scalar, or a little-endian BLS scalar. For
    /// the import into a token, which knows no base58.
    #[must_use]
    pub fn to_raw(&self) -> Zeroizing<[u8; 32]> {
        match &*self.secret {
            Secret::Ed25519(key) => Zeroizing::new(key.to_bytes()),
            Secret::Secp256k1(key) => Zeroizing::new(key.to_bytes().into()),
            Secret::P256(key) => Zeroizing::new(key.to_bytes().into()),
            Secret::Bls12_381(key) => {
                let mut raw = Zeroizing::new(key.to_bytes());
                raw.reverse();
                raw
            }
        }
    }
}

/// An ECDSA signature of `digest` with the nonce of RFC 6979 (SHA-256, no additional data).
#[expect(
    clippy::expect_used,
    reason = "RFC 6979 draws nonces until one gives a signature"
)]
fn deterministic<S>(key: &impl PrehashSigner<S>, digest: Digest) -> S {
    key.sign_prehash(digest.as_bytes())
        .expect("every 32-byte digest has a signature")
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SecretKey(of {})", self.public.hash())
    }
}
