//! Keys to sign with: one that always makes the same signature, and one that never does.

use std::convert::Infallible;

use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::RandomizedPrehashSigner as _;
use p256::elliptic_curve::rand_core::{TryCryptoRng, TryRng};
use tezos::{Curve, Digest, PublicKey, SecretKey, Signature};

pub(crate) fn ed25519() -> SecretKey {
    SecretKey::generate(Curve::Ed25519).unwrap()
}

pub(crate) fn bls() -> SecretKey {
    SecretKey::generate(Curve::Bls12_381).unwrap()
}

/// A P-256 key as in most HSMs: each signature of a message is another one.
pub(crate) struct Randomised {
    secret: SigningKey,
    noise: Noise,
}

impl Randomised {
    pub(crate) fn new() -> Self {
        Self {
            secret: SigningKey::from_slice(&[7; 32]).unwrap(),
            noise: Noise(0),
        }
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        let point = self.secret.verifying_key().to_sec1_point(true);
        PublicKey::from_raw(Curve::P256, point.as_bytes()).unwrap()
    }

    pub(crate) fn sign(&mut self, digest: Digest) -> Signature {
        let signature: p256::ecdsa::Signature = self
            .secret
            .sign_prehash_with_rng(&mut self.noise, digest.as_bytes())
            .unwrap();
        Signature::from_raw(Curve::P256, &signature.to_bytes()).unwrap()
    }
}

/// Not random at all, but never the same twice.
struct Noise(u8);

impl TryRng for Noise {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 += 1;
        Ok(self.0.into())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 += 1;
        Ok(self.0.into())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0 += 1;
        bytes.fill(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Noise {}
