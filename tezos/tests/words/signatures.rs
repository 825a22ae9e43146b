//! Signatures are those that Octez makes, each message has exactly one, and no other is accepted.

use tezos::possession::{Possession, PossessionError};
use tezos::{Curve, Digest, PublicKey, PublicKeyHash, SecretKey, Signature, VerifyError, wire};

use crate::vectors::{self, bytes, curve, text};

#[test]
fn every_published_signature_is_made_byte_for_byte_and_verifies_r14() {
    let mut made = 0;
    for entry in vectors::octez("sign") {
        let (curve, message) = (curve(&entry), bytes(&entry, "message_hex"));
        if let Some(digest) = entry["digest_blake2b256_hex"].as_str() {
            assert_eq!(Digest::of(&message).to_string(), digest);
        }
        let signature = Signature::parse(curve, text(&entry, "signature")).unwrap();
        assert_eq!(signature.as_raw(), bytes(&entry, "signature_raw_hex"));
        if let Some(generic) = entry["generic_sig"].as_str() {
            assert_eq!(Signature::parse(curve, generic).unwrap(), signature);
        }
        let public: PublicKey = text(&entry, "public_key").parse().unwrap();
        // Octez signs tz3 with a random nonce and takes a high s; we never release one.
        let signature = signature.normalised();
        public.verify(&message, &signature).unwrap();
        if let Some(secret) = entry["secret_key"].as_str() {
            let secret = SecretKey::parse(secret).unwrap();
            assert_eq!(secret.public_key(), &public);
            let ours = secret.sign(&message);
            assert_eq!(
                ours,
                secret.sign(&message),
                "signing twice gives one signature"
            );
            assert_eq!(ours, signature, "as published by {}", entry["source"]);
            made += 1;
        }
        if let Some(hash) = entry["public_key_hash"].as_str() {
            assert_eq!(public.hash().to_string(), hash);
        }
    }
    assert_eq!(made, 12);
}

#[test]
fn the_high_s_twin_is_refused_on_both_ecdsa_curves_and_normalises_to_the_low_one() {
    for entry in vectors::octez("malleability") {
        let (curve, message) = (curve(&entry), bytes(&entry, "message_hex"));
        let public: PublicKey = text(&entry, "public_key").parse().unwrap();
        let low = Signature::from_raw(curve, &bytes(&entry, "low_s_raw")).unwrap();
        let high = Signature::from_raw(curve, &bytes(&entry, "high_s_raw")).unwrap();
        public.verify(&message, &low).unwrap();
        assert_eq!(
            public.verify(&message, &high),
            Err(VerifyError::HighS(curve))
        );
        assert_eq!(high.normalised(), low);
        assert_eq!(low.clone().normalised(), low);
    }
}

#[test]
fn no_bit_of_message_or_signature_can_change() {
    for curve in Curve::ALL {
        let key = SecretKey::generate(*curve).unwrap();
        let message = b"\x13 and some bytes";
        let signature = key.sign(message);
        key.public_key().verify(message, &signature).unwrap();
        for bit in 0..message.len() * 8 {
            let mut other = message.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                key.public_key().verify(&other, &signature),
                Err(VerifyError::Mismatch),
                "{curve}, bit {bit} of the message"
            );
        }
        for bit in 0..signature.as_raw().len() * 8 {
            let mut other = signature.as_raw().to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Signature::from_raw(*curve, &other) {
                key.public_key().verify(message, &other).unwrap_err();
            }
        }
        let stranger = SecretKey::generate(*curve).unwrap();
        assert_eq!(
            stranger.public_key().verify(message, &signature),
            Err(VerifyError::Mismatch)
        );
    }
}

#[test]
fn a_signature_of_another_curve_is_refused_as_that() {
    let [ed, p256] = [Curve::Ed25519, Curve::P256].map(|curve| SecretKey::generate(curve).unwrap());
    assert_eq!(
        ed.public_key().verify(b"m", &p256.sign(b"m")),
        Err(VerifyError::Curve {
            key: Curve::Ed25519,
            signature: Curve::P256
        })
    );
}

#[test]
fn the_generic_spelling_needs_a_curve_and_bls_has_none() {
    let raw = SecretKey::generate(Curve::Secp256k1).unwrap().sign(b"m");
    let generic = vectors::spell(&[0x04, 0x82, 0x2b], raw.as_raw());
    assert!(generic.starts_with("sig"));
    assert_eq!(Signature::parse(Curve::Secp256k1, &generic).unwrap(), raw);
    generic.parse::<Signature>().unwrap_err();
    Signature::parse(Curve::Bls12_381, &generic).unwrap_err();
    assert_eq!(
        Signature::parse(Curve::P256, &raw.to_string())
            .unwrap_err()
            .to_string(),
        "signature does not start with p2sig or sig"
    );
}

#[test]
fn ecdsa_signatures_out_of_range_are_no_signatures() {
    for curve in [Curve::Secp256k1, Curve::P256] {
        let good = SecretKey::generate(curve).unwrap().sign(b"m");
        for half in [0..32, 32..64] {
            for byte in [0x00, 0xff] {
                let mut raw = good.as_raw().to_vec();
                raw[half.clone()].fill(byte);
                Signature::from_raw(curve, &raw).unwrap_err();
            }
        }
        Signature::from_raw(curve, &good.as_raw()[..63]).unwrap_err();
    }
}

#[test]
fn every_published_proof_of_possession_is_made_and_verifies() {
    for entry in vectors::octez("pop") {
        let public: PublicKey = text(&entry, "public_key").parse().unwrap();
        let possession = Possession::new(&public, None).unwrap();
        assert_eq!(possession.message(), public.as_raw());
        assert_eq!(possession.digest(), Digest::of(public.as_raw()));
        let proof: Signature = text(&entry, "proof").parse().unwrap();
        assert_eq!(proof.as_raw(), bytes(&entry, "proof_raw_hex"));
        possession.verify(&public, &proof).unwrap();
        if let Some(secret) = entry["secret_key"].as_str() {
            let secret = SecretKey::parse(secret).unwrap();
            assert_eq!(
                secret.prove_possession(possession.message()).unwrap(),
                proof
            );
        }
    }
}

#[test]
fn a_proof_is_never_a_signature_and_a_signature_never_a_proof() {
    let key = SecretKey::generate(Curve::Bls12_381).unwrap();
    let public = key.public_key();
    let proof = key.prove_possession(public.as_raw()).unwrap();
    assert_eq!(
        public.verify(public.as_raw(), &proof),
        Err(VerifyError::Mismatch)
    );
    let signature = key.sign(public.as_raw());
    assert_eq!(
        public.verify_possession(public.as_raw(), &signature),
        Err(VerifyError::Mismatch)
    );
}

#[test]
fn a_proof_can_be_over_another_tz4_key_and_over_no_other() {
    let key = SecretKey::generate(Curve::Bls12_381).unwrap();
    let other = SecretKey::generate(Curve::Bls12_381).unwrap();
    let over = Possession::new(key.public_key(), Some(other.public_key().clone())).unwrap();
    assert_eq!(over.message(), other.public_key().as_raw());
    let proof = key.prove_possession(over.message()).unwrap();
    over.verify(key.public_key(), &proof).unwrap();
    over.verify(other.public_key(), &proof).unwrap_err();

    let tz1 = SecretKey::generate(Curve::Ed25519).unwrap();
    assert_eq!(
        Possession::new(tz1.public_key(), None),
        Err(PossessionError::Prover(Curve::Ed25519))
    );
    assert_eq!(
        Possession::new(key.public_key(), Some(tz1.public_key().clone())),
        Err(PossessionError::Proved(Curve::Ed25519))
    );
    assert_eq!(tz1.prove_possession(over.message()), None);
}

#[test]
fn the_bytes_to_authenticate_are_those_of_octez() {
    for entry in vectors::octez("auth") {
        let key: PublicKeyHash = text(&entry, "request_pkh").parse().unwrap();
        let message = wire::authentication_message(&key, &bytes(&entry, "data_hex"));
        assert_eq!(message, bytes(&entry, "bytes_to_sign_hex"));
        let client = SecretKey::parse(text(&entry, "client_secret")).unwrap();
        assert_eq!(client.public_key().to_string(), text(&entry, "client_key"));
        assert_eq!(
            client.sign(&message).to_string(),
            text(&entry, "authentication")
        );
    }
}

#[test]
fn a_block_hash_covers_the_signature_which_is_why_one_signature_is_released() {
    for entry in vectors::octez("block_hash") {
        let header = bytes(&entry, "signed_header_hex");
        let hash = |bytes: &[u8]| vectors::spell(&[0x01, 0x34], Digest::of(bytes).as_bytes());
        assert_eq!(hash(&header), text(&entry, "block_hash"));
        let unsigned = &header[..header.len() - 64];
        assert_eq!(hash(unsigned), text(&entry, "hash_of_unsigned_part"));
    }
}
