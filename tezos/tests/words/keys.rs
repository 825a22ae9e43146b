//! Keys of all four curves are read, derived and spelled as Octez does.

use tezos::{Curve, EncryptedSecretKey, ParseError, PublicKey, PublicKeyHash, SecretKey};

use crate::vectors::{self, bytes, curve, text};

#[test]
fn every_published_key_has_the_published_public_key_and_hash() {
    for entry in vectors::octez("key_encoding") {
        let key = SecretKey::parse(text(&entry, "secret_key")).unwrap();
        assert_eq!(key.public_key().curve(), curve(&entry));
        assert_eq!(key.public_key().to_string(), text(&entry, "public_key"));
        assert_eq!(
            key.public_key().hash().to_string(),
            text(&entry, "public_key_hash")
        );
        assert_eq!(key.reveal().as_str(), text(&entry, "secret_key"));
        let prefixed = format!("unencrypted:{}", text(&entry, "secret_key"));
        assert_eq!(
            SecretKey::parse(&prefixed).unwrap().public_key(),
            key.public_key()
        );
        let public: PublicKey = text(&entry, "public_key").parse().unwrap();
        assert_eq!(public, *key.public_key());
        let hash: PublicKeyHash = text(&entry, "public_key_hash").parse().unwrap();
        assert_eq!(hash, public.hash());
    }
}

#[test]
fn the_published_seed_is_the_secret_in_the_published_spelling() {
    let mut seen = 0;
    for entry in vectors::octez("key_encoding") {
        if entry["seed_hex"].is_null() {
            continue;
        }
        let seed = bytes(&entry, "seed_hex");
        let raw = match curve(&entry) {
            Curve::Bls12_381 => {
                let mut scalar = blst::min_pk::SecretKey::key_gen(&seed, &[])
                    .unwrap()
                    .to_bytes();
                scalar.reverse();
                scalar.to_vec()
            }
            Curve::Ed25519 | Curve::Secp256k1 | Curve::P256 => seed,
        };
        assert_eq!(vectors::unspell(4, text(&entry, "secret_key")), raw);
        seen += 1;
    }
    assert_eq!(seen, 27);
}

#[test]
fn an_encrypted_key_of_taquito_opens_with_its_password_and_no_other() {
    let entries = vectors::octez("sign");
    let entry = entries
        .iter()
        .find(|entry| !entry["encrypted_secret_key"].is_null())
        .unwrap();
    let word = text(entry, "encrypted_secret_key");
    let encrypted: EncryptedSecretKey = word.parse().unwrap();
    assert_eq!(encrypted.to_string(), format!("encrypted:{word}"));
    assert_eq!(
        encrypted.to_string().parse::<EncryptedSecretKey>().unwrap(),
        encrypted
    );
    assert_eq!(encrypted.curve(), Curve::P256);
    let key = encrypted
        .decrypt(text(entry, "password").as_bytes())
        .unwrap();
    assert_eq!(key.public_key().to_string(), text(entry, "public_key"));
    let wrong = encrypted.decrypt(b"test1235").unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "wrong password for this p256 key, or the key was altered"
    );
    assert_eq!(SecretKey::parse(word).unwrap_err(), ParseError::Encrypted);
    assert_eq!(
        SecretKey::parse(&encrypted.to_string())
            .unwrap_err()
            .to_string(),
        "this secret key is encrypted: it needs its password"
    );
}

#[test]
fn a_new_key_of_each_curve_survives_encryption_and_no_bit_of_it_can_be_altered() {
    for curve in Curve::ALL {
        let key = SecretKey::generate(*curve).unwrap();
        let sealed = key.encrypt(b"correct horse").unwrap();
        let again = key.encrypt(b"correct horse").unwrap();
        assert_ne!(sealed, again, "the salt is new each time");
        let opened = sealed.to_string().parse::<EncryptedSecretKey>().unwrap();
        let opened = opened.decrypt(b"correct horse").unwrap();
        assert_eq!(opened.reveal(), key.reveal());
        sealed.decrypt(b"").unwrap_err();

        let word = sealed.to_string();
        let payload = vectors::unspell(5, word.strip_prefix("encrypted:").unwrap());
        let prefix = &bs58::decode(&word["encrypted:".len()..])
            .into_vec()
            .unwrap()[..5];
        for byte in [0, 8, 24, 55] {
            let mut altered = payload.clone();
            altered[byte] ^= 1;
            let altered: EncryptedSecretKey = vectors::spell(prefix, &altered).parse().unwrap();
            altered.decrypt(b"correct horse").unwrap_err();
        }
    }
}

#[test]
fn two_new_keys_differ() {
    for curve in Curve::ALL {
        let (one, other) = (
            SecretKey::generate(*curve).unwrap(),
            SecretKey::generate(*curve).unwrap(),
        );
        assert_ne!(one.public_key(), other.public_key());
        assert_eq!(one.public_key().curve(), *curve);
    }
}

#[test]
fn nothing_that_is_printed_shows_a_secret_r32() {
    let entry = &vectors::octez("key_encoding")[0];
    let word = text(entry, "secret_key");
    let key = SecretKey::parse(word).unwrap();
    assert_eq!(
        format!("{key:?}"),
        format!("SecretKey(of {})", text(entry, "public_key_hash"))
    );
    let mut mistyped = word.to_owned();
    mistyped.pop();
    mistyped.push('1');
    let error = SecretKey::parse(&mistyped).unwrap_err();
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains(&word[..12]), "{shown}");
    }
}

#[test]
fn a_64_byte_ed25519_secret_whose_halves_do_not_belong_together_is_refused() {
    let pair = "edskS3DtVSbWbPD1yviMGebjYwWJtruMjDcfAZsH9uba22EzKeYhmQkkraFosFETmEMfFNVcDYQ5QbFerj9ozDKroXZ6mb5oxV";
    assert_eq!(
        SecretKey::parse(pair).unwrap().public_key().to_string(),
        "edpkvJELH15q7a8ShGRsoULGxLQfUQaGahwRTFywCsnWPPdwnmASRH"
    );
    let mut halves = vectors::unspell(4, pair);
    halves[40] ^= 1;
    let other = vectors::spell(&[0x2b, 0xf6, 0x4e, 0x07], &halves);
    assert_eq!(
        SecretKey::parse(&other).unwrap_err(),
        ParseError::Scalar {
            curve: Curve::Ed25519
        }
    );
}

#[test]
fn scalars_that_are_zero_or_not_below_the_group_order_are_refused() {
    for (prefix, curve) in [
        ([0x11, 0xa2, 0xe0, 0xc9], Curve::Secp256k1),
        ([0x10, 0x51, 0xee, 0xbd], Curve::P256),
        ([0x03, 0x96, 0xc0, 0x28], Curve::Bls12_381),
    ] {
        for raw in [[0; 32], [0xff; 32]] {
            let word = vectors::spell(&prefix, &raw);
            assert_eq!(
                SecretKey::parse(&word).unwrap_err(),
                ParseError::Scalar { curve }
            );
        }
    }
}

#[test]
fn bytes_that_are_no_point_of_the_curve_are_no_public_key() {
    let refused = |curve, bytes: &[u8]| {
        assert_eq!(
            PublicKey::from_raw(curve, bytes),
            Err(ParseError::Point { curve })
        );
    };
    // y = 2 is on no point of Edwards25519; y = 1 is its neutral element.
    let mut y = [0; 32];
    y[0] = 2;
    refused(Curve::Ed25519, &y);
    y[0] = 1;
    refused(Curve::Ed25519, &y);
    // y = p + 3 is another spelling of y = 3.
    let mut second_spelling = [0xff; 32];
    second_spelling[0] = 0xf0;
    second_spelling[31] = 0x7f;
    refused(Curve::Ed25519, &second_spelling);
    for curve in [Curve::Secp256k1, Curve::P256] {
        refused(curve, &[0; 33]);
        refused(curve, &[0xff; 33]);
        let key = SecretKey::generate(curve).unwrap();
        let mut raw = key.public_key().as_raw().to_vec();
        // 05 announces a compact point, which Tezos never writes.
        raw[0] = 5;
        refused(curve, &raw);
    }
    // The point at infinity, and x = 4, which is on the curve but outside the group.
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    refused(Curve::Bls12_381, &infinity);
    let mut outside = [0; 48];
    outside[0] = 0x80;
    outside[47] = 4;
    assert!(
        blst::min_pk::PublicKey::uncompress(&outside).is_ok(),
        "x = 4 is on the curve"
    );
    refused(Curve::Bls12_381, &outside);
    assert_eq!(
        PublicKey::from_raw(Curve::P256, &[2; 32]),
        Err(ParseError::Length {
            what: "public key",
            expected: 33,
            found: 32
        })
    );
}

#[test]
fn a_hash_of_a_curve_this_version_does_not_know_is_refused_by_its_tag() {
    let mut tz5 = [7; 21];
    tz5[0] = 4;
    assert_eq!(
        PublicKeyHash::from_bytes(&tz5).unwrap_err().to_string(),
        "public key hash has the curve tag 4, this version knows 0 (tz1) to 3 (tz4)"
    );
    let word = vectors::spell(&[0x06, 0xa1, 0xa9], &tz5[1..]);
    assert!(word.starts_with("tz5"));
    assert_eq!(
        word.parse::<PublicKeyHash>().unwrap_err().to_string(),
        "public key hash does not start with tz1, tz2, tz3 or tz4"
    );
}
