//! Signatures and public keys, read and verified by the judge itself.
//!
//! tz1, tz2 and tz3 sign the BLAKE2b-256 of the message (Octez, `src/lib_crypto`); tz2 must have the
//! low s, tz3 may have either. tz4 signs the message itself, in the proof-of-possession scheme of
//! BLS with public keys in G1: without augmentation.

use blake2::digest::consts::{U20, U32};
use blake2::{Blake2b, Digest as _};
use k256::ecdsa::signature::hazmat::PrehashVerifier as _;

use crate::base58::{
    self, BLPK, BLSIG, EDPK, EDSIG, P2PK, P2SIG, SIG, SPPK, SPSIG, TZ1, TZ2, TZ3, TZ4,
};

/// The domain of a signature in the proof-of-possession scheme (Octez, `bls12_381_signature.ml`).
const POP: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Curve {
    Ed25519,
    Secp256k1,
    P256,
    Bls12_381,
}

/// What a text that should be a signature is.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Signature {
    /// These bytes. Which form they were written in makes no other signature of them.
    Bytes(Vec<u8>),
    /// None.
    Unreadable(String),
}

/// Reads a signature in any form that octez accepts.
pub(crate) fn read(text: &str) -> Signature {
    let forms = [EDSIG, SPSIG, P2SIG, BLSIG, SIG].map(|form| (form, ()));
    match base58::read(text, &forms) {
        Some((bytes, ())) => Signature::Bytes(bytes),
        None => Signature::Unreadable(text.to_owned()),
    }
}

/// A public key that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PublicKey {
    curve: Curve,
    bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads `edpk...` to `BLpk...`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let forms = [
            (EDPK, Curve::Ed25519),
            (SPPK, Curve::Secp256k1),
            (P2PK, Curve::P256),
            (BLPK, Curve::Bls12_381),
        ];
        base58::read(text, &forms).map(|(bytes, curve)| Self { curve, bytes })
    }

    /// Whether `text`, `tz1...` to `tz4...`, is its hash.
    pub(crate) fn hashes_to(&self, text: &str) -> bool {
        let forms = [
            (TZ1, Curve::Ed25519),
            (TZ2, Curve::Secp256k1),
            (TZ3, Curve::P256),
            (TZ4, Curve::Bls12_381),
        ];
        let hash = Blake2b::<U20>::digest(&self.bytes);
        base58::read(text, &forms)
            .is_some_and(|(bytes, curve)| curve == self.curve && bytes == hash[..])
    }

    /// Whether `signature` is one of `message` by this key, as the protocol would accept it.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let digest = Blake2b::<U32>::digest(message);
        match self.curve {
            Curve::Ed25519 => {
                ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, &self.bytes)
                    .verify(&digest, signature)
                    .is_ok()
            }
            Curve::Secp256k1 => secp256k1(&self.bytes, &digest, signature).unwrap_or(false),
            Curve::P256 => p256(&self.bytes, &digest, signature).unwrap_or(false),
            Curve::Bls12_381 => bls(&self.bytes, message, signature).unwrap_or(false),
        }
    }
}

fn secp256k1(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<bool> {
    let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = k256::ecdsa::Signature::from_slice(signature).ok()?;
    let low = signature.normalize_s() == signature;
    Some(low && key.verify_prehash(digest, &signature).is_ok())
}

fn p256(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<bool> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
    Some(key.verify_prehash(digest, &signature).is_ok())
}

fn bls(key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let key = blst::min_pk::PublicKey::from_bytes(key).ok()?;
    let signature = blst::min_pk::Signature::from_bytes(signature).ok()?;
    let verdict = signature.verify(true, message, POP, &[], &key, true);
    Some(verdict == blst::BLST_ERROR::BLST_SUCCESS)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::vectors;

    #[derive(Deserialize)]
    struct Signed {
        key: String,
        public_key: String,
        bytes: String,
        signature: String,
    }

    #[derive(Deserialize)]
    struct Twins {
        public_key: String,
        bytes: String,
        low: String,
        high: String,
        high_verifies: bool,
    }

    fn bytes(digits: &str) -> Vec<u8> {
        hex::decode(digits).unwrap()
    }

    #[test]
    fn genuine_signatures_of_every_curve_verify_and_with_one_bit_changed_do_not() {
        let mut curves = std::collections::BTreeSet::new();
        for vector in vectors::of::<Signed>("sign") {
            let key = PublicKey::read(&vector.public_key).unwrap();
            assert!(key.hashes_to(&vector.key), "{}", vector.key);
            assert!(!key.hashes_to("tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSy"));
            let message = bytes(&vector.bytes);
            let Signature::Bytes(mut signature) = read(&vector.signature) else {
                panic!("{} is a signature", vector.signature);
            };
            assert!(key.verifies(&message, &signature), "{}", vector.signature);
            let mut other = message.clone();
            other[1] ^= 1;
            assert!(!key.verifies(&other, &signature));
            signature[40] ^= 1;
            assert!(!key.verifies(&message, &signature));
            assert!(!key.verifies(&message, &signature[1..]));
            curves.insert(key.curve);
        }
        assert_eq!(curves.len(), 4);
    }

    #[test]
    fn the_twin_of_a_signature_verifies_where_the_protocol_takes_it() {
        for twins in vectors::of::<Twins>("twins") {
            let key = PublicKey::read(&twins.public_key).unwrap();
            let message = bytes(&twins.bytes);
            assert!(key.verifies(&message, &bytes(&twins.low)));
            assert_eq!(
                key.verifies(&message, &bytes(&twins.high)),
                twins.high_verifies
            );
        }
    }

    #[test]
    fn one_signature_in_two_forms_is_one_signature() {
        let generic = "sigRUobRZ4oG7CvdtQfNoDe3Gqn8zrLw6RXjXVa84rX3HMzWuCuncWgDqY8wRkssofLUsfbdR6MNGJzDWaNXEwTxDktfrKmj";
        let Signature::Bytes(raw) = read(generic) else {
            panic!("it is a signature");
        };
        let mut body = vec![0x36, 0xf0, 0x2c, 0x34];
        body.extend(&raw);
        let once = ring::digest::digest(&ring::digest::SHA256, &body);
        let twice = ring::digest::digest(&ring::digest::SHA256, once.as_ref());
        body.extend(&twice.as_ref()[..4]);
        assert_eq!(
            read(&bs58::encode(body).into_string()),
            Signature::Bytes(raw)
        );
    }
}
