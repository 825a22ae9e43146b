//! The keys of every simulation. They are made once, so that a seed costs no key generation, and
//! they are published here: nobody may ever bake with them.

use std::sync::{Arc, LazyLock};

use k256::ecdsa::signature::hazmat::RandomizedPrehashSigner as _;
use tezos::{Curve, Digest, PublicKey, SecretKey, Signature};

use super::dice::Dice;

/// One key pair, as a file holds it and as a randomising HSM does.
pub struct Pair {
    secret: SecretKey,
    in_hsm: Option<InHsm>,
}

/// A secret that signs differently each time, as most HSMs do with ECDSA.
enum InHsm {
    Secp256k1(k256::ecdsa::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl Pair {
    /// The public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        self.secret.public_key()
    }

    /// Whether signing twice in an HSM gives two signatures.
    #[must_use]
    pub const fn randomises(&self) -> bool {
        self.in_hsm.is_some()
    }

    /// Signs as software does: the same bytes each time.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.secret.sign(message)
    }

    /// Signs as an HSM does: with a nonce of its own, where the curve has one.
    #[must_use]
    pub fn sign_in_hsm(&self, message: &[u8], dice: &mut Dice) -> Signature {
        let digest = Digest::of(message);
        let made = match &self.in_hsm {
            None => None,
            Some(InHsm::Secp256k1(key)) => {
                let made = key.sign_prehash_with_rng(dice.rng(), digest.as_bytes());
                let made: Option<k256::ecdsa::Signature> = made.ok();
                made.map(|made| (Curve::Secp256k1, made.to_bytes().to_vec()))
            }
            Some(InHsm::P256(key)) => {
                let made = key.sign_prehash_with_rng(dice.rng(), digest.as_bytes());
                let made: Option<p256::ecdsa::Signature> = made.ok();
                made.map(|made| (Curve::P256, made.to_bytes().to_vec()))
            }
        };
        let made = made.and_then(|(curve, bytes)| Signature::from_raw(curve, &bytes).ok());
        made.unwrap_or_else(|| self.secret.sign(message))
    }
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Pair({})", self.public().hash())
    }
}

/// The key of a curve; there are three sets of them.
#[must_use]
pub fn pair(curve: Curve, set: usize) -> Option<Arc<Pair>> {
    let mut of_curve = KEYS.iter().filter(|pair| pair.public().curve() == curve);
    of_curve.nth(set).cloned()
}

static KEYS: LazyLock<Vec<Arc<Pair>>> = LazyLock::new(|| {
    let pairs = WRITTEN.iter().filter_map(|text| read(text));
    pairs.map(Arc::new).collect()
});

fn read(text: &str) -> Option<Pair> {
    let secret = SecretKey::parse(text).ok()?;
    let decoded = bs58::decode(text).into_vec().ok()?;
    // Prefix of 4 bytes, the scalar, checksum of 4 bytes, which `parse` has looked at.
    let scalar = decoded.get(4..36)?;
    let in_hsm = match secret.public_key().curve() {
        Curve::Ed25519 | Curve::Bls12_381 => None,
        Curve::Secp256k1 => Some(InHsm::Secp256k1(
            k256::ecdsa::SigningKey::from_slice(scalar).ok()?,
        )),
        Curve::P256 => Some(InHsm::P256(
            p256::ecdsa::SigningKey::from_slice(scalar).ok()?,
        )),
    };
    Some(Pair { secret, in_hsm })
}

/// SHA-256 of "quorate simulation <prefix> <set>", in base58check.
const WRITTEN: [&str; 12] = [
    "edsk3uucfGwwRtThBTbGQNVC9LJ92hahZPuKSe7MBeA4aE6EtpEwKw",
    "BLsk2CJUxyrmySecKusqjgygShcAMLsGFMu1dn4C2khJhdkvegobP6",
    "edsk49N98MEqXNkedew5Q5gV5pegT84yUxZdmHphQcQBAVi5TqEkvu",
    "BLsk3KhJfTL6AA4xJztWPx3ML8oViyfDPMRmp1nGMYrbddj8fCEwQN",
    "edsk2gBGKhSDFKiN89bwMZNcQmg9WPQnDaQdc8fMJWDyStYmfacnVS",
    "BLsk1kuBdsVBWsQDchprd4TWAWBG1kFGsnW6G3Nmgqd4nmAk1K6HWS",
    "spsk2Fy19QHBjNt3e1uP33avXDNuniw9MRpdQs7Uk9WP3UAZnw3EkH",
    "p2sk3qGvds6D5MdTERB2gsynECCBK2aeZifmigTrorf5sYa9HubEzx",
    "spsk23MwweRrZN1eSSqddbBLGALp3cgZVpf4WjPsrDwwgjWvwuodya",
    "p2sk2ovAUQcnMwBvBTNVMuV72aCatrDDTQquAj4HWrm7VMDoJPUYT3",
    "spsk218K2rX3BpdAC1rvyHfqJqxxUa6KLhq8pwwC6GPMUoZuAYHqaM",
    "p2sk3RQV7P85VmVcM1pzCkwrtEVM5ZoSzLyzr5QPNtS7LYhtwGtA5r",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::dice::Concern;

    #[test]
    fn every_curve_has_three_keys_and_an_hsm_signs_validly_and_never_the_same() {
        let mut dice = Dice::new(1, Concern::Signer, 0);
        for curve in [
            Curve::Ed25519,
            Curve::Secp256k1,
            Curve::P256,
            Curve::Bls12_381,
        ] {
            for set in 0..3 {
                let pair = pair(curve, set).unwrap();
                let [one, two] = [(); 2].map(|()| pair.sign_in_hsm(b"\x13message", &mut dice));
                assert_eq!(one != two, pair.randomises(), "{curve}");
                for signature in [one, two, pair.sign(b"\x13message")] {
                    let signature = signature.normalised();
                    pair.public().verify(b"\x13message", &signature).unwrap();
                }
            }
        }
    }
}
