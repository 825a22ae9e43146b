//! The four signature curves of Tezos.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// A signature curve. The code is the tag that Tezos itself writes before a key or its hash.
    pub enum Curve as "curve" known "ed25519, secp256k1, p256, bls12-381" {
        /// tz1: Ed25519, deterministic by construction.
        Ed25519 = 0 "ed25519",
        /// tz2: ECDSA over secp256k1; the protocol's verifier demands low s.
        Secp256k1 = 1 "secp256k1",
        /// tz3: ECDSA over NIST P-256; the protocol's verifier accepts low and high s.
        P256 = 2 "p256",
        /// tz4: BLS12-381, public keys in G1, in the proof-of-possession scheme.
        Bls12_381 = 3 "bls12-381",
    }
}

impl Curve {
    /// The length of a public key in bytes, as Tezos writes it (compressed where the curve can).
    #[must_use]
    pub const fn public_key_len(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::Secp256k1 | Self::P256 => 33,
            Self::Bls12_381 => 48,
        }
    }

    /// The length of a signature in bytes.
    #[must_use]
    pub const fn signature_len(self) -> usize {
        match self {
            Self::Ed25519 | Self::Secp256k1 | Self::P256 => 64,
            Self::Bls12_381 => 96,
        }
    }
}
