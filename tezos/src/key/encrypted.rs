//! Secret keys under a password, in the format of Octez's wallet.
//!
//! The payload is 8 bytes of salt, then a NaCl secretbox (16 bytes of Poly1305 tag, 32 of
//! XSalsa20 ciphertext) with an all-zero nonce. Its key is PBKDF2-HMAC-SHA512 of the password and
//! the salt, 32,768 rounds, 32 bytes (Octez, `src/lib_signer_backends/encrypted.ml`). The zero
//! nonce is sound because every encryption draws a new salt, hence a new key.

use std::fmt;
use std::str::FromStr;

use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use sha2::Sha512;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{NoRandomness, SecretKey};
use crate::base58::{self, Prefix, Word};
use crate::two_forms::{TwoForms, exactly, serde_in_two_forms};
use crate::{Curve, ParseError};

const ROUNDS: u32 = 32_768;
const SALT: usize = 8;
const TAG: usize = 16;
const SECRET: usize = 32;

/// A secret key that needs a password: `encrypted:edesk...`, `spesk`, `p2esk` or `BLesk`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EncryptedSecretKey {
    curve: Curve,
    salt: [u8; SALT],
    tag: [u8; TAG],
    ciphertext: [u8; SECRET],
}

/// Why a password did not give a secret key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecryptError {
    /// The password is wrong, or the key was altered: the two cannot be told apart.
    #[error("wrong password for this {0} key, or the key was altered")]
    Password(Curve),
    /// The password is right, and what it opens is not a secret key of that curve.
    #[error("the password is right, but what it opens is not a {0} secret key")]
    NotAKey(Curve),
}

impl EncryptedSecretKey {
    /// The curve of the key inside.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// Opens the key. Takes some tens of milliseconds, by design of the format.
    ///
    /// # Errors
    /// [`DecryptError`].
    pub fn decrypt(&self, password: &[u8]) -> Result<SecretKey, DecryptError> {
        let (mut cipher, mac) = secretbox(password, &self.salt);
        if !bool::from(
            mac.compute_unpadded(&self.ciphertext)
                .ct_eq(&self.tag.into()),
        ) {
            return Err(DecryptError::Password(self.curve));
        }
        let mut secret = Zeroizing::new(self.ciphertext);
        cipher.apply_keystream(secret.as_mut_slice());
        SecretKey::from_raw(self.curve, &secret)
            .map_err(|_not_a_scalar| DecryptError::NotAKey(self.curve))
    }

    fn from_payload(curve: Curve, payload: &[u8; SALT + TAG + SECRET]) -> Self {
        let mut key = Self {
            curve,
            salt: [0; SALT],
            tag: [0; TAG],
            ciphertext: [0; SECRET],
        };
        let (salt, sealed) = payload.split_at(SALT);
        let (tag, ciphertext) = sealed.split_at(TAG);
        key.salt.copy_from_slice(salt);
        key.tag.copy_from_slice(tag);
        key.ciphertext.copy_from_slice(ciphertext);
        key
    }

    fn payload(&self) -> Vec<u8> {
        [self.salt.as_slice(), &self.tag, &self.ciphertext].concat()
    }
}

impl SecretKey {
    /// Seals the key under `password`, with a new random salt. Takes some tens of milliseconds.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn encrypt(&self, password: &[u8]) -> Result<EncryptedSecretKey, NoRandomness> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(NoRandomness::Source)?;
        let (mut cipher, mac) = secretbox(password, &salt);
        let mut sealed = self.to_raw();
        cipher.apply_keystream(sealed.as_mut_slice());
        let tag = mac.compute_unpadded(sealed.as_slice()).into();
        Ok(EncryptedSecretKey {
            curve: self.public_key().curve(),
            salt,
            tag,
            ciphertext: *sealed,
        })
    }
}

/// The cipher, at the start of the message, and the authenticator of one NaCl secretbox. The first
/// 32 bytes of the key stream are the authenticator's key.
fn secretbox(password: &[u8], salt: &[u8; SALT]) -> (XSalsa20, Poly1305) {
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, ROUNDS, key.as_mut_slice());
    let mut cipher = XSalsa20::new((&*key).into(), &[0; 24].into());
    let mut mac_key = Zeroizing::new([0; 32]);
    cipher.apply_keystream(mac_key.as_mut_slice());
    let mac = Poly1305::new((&*mac_key).into());
    (cipher, mac)
}

const fn prefix(curve: Curve) -> Prefix {
    match curve {
        Curve::Ed25519 => Prefix::EDESK,
        Curve::Secp256k1 => Prefix::SPESK,
        Curve::P256 => Prefix::P2ESK,
        Curve::Bls12_381 => Prefix::BLESK,
    }
}

impl fmt::Display for EncryptedSecretKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "encrypted:{}",
            base58::encode(prefix(self.curve), &self.payload())
        )
    }
}

impl FromStr for EncryptedSecretKey {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = Word::decode(Self::WHAT, text.strip_prefix("encrypted:").unwrap_or(text))?;
        Curve::ALL
            .iter()
            .find_map(|curve| Some(Self::from_payload(*curve, word.payload(prefix(*curve))?)))
            .ok_or_else(|| word.unexpected("edesk, spesk, p2esk or BLesk"))
    }
}

impl TwoForms for EncryptedSecretKey {
    const WHAT: &'static str = "encrypted secret key";

    fn to_binary(&self) -> Vec<u8> {
        [vec![self.curve.code()], self.payload()].concat()
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ParseError> {
        match bytes {
            [code, payload @ ..] => Ok(Self::from_payload(
                Curve::from_code(*code)?,
                &exactly(Self::WHAT, payload)?,
            )),
            [] => Err(ParseError::Length {
                what: Self::WHAT,
                expected: 57,
                found: 0,
            }),
        }
    }
}

serde_in_two_forms!(EncryptedSecretKey);
