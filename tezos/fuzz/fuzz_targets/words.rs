//! Any text as any word: refused, or the one spelling of what it means. Base58 text is rare among
//! random text, so the input is also taken as the raw bytes of keys and signatures.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tezos::{
    ChainId, Curve, Digest, EncryptedSecretKey, PublicKey, PublicKeyHash, SecretKey, Signature,
};

macro_rules! one_spelling {
    ($text:expr; $($word:ty),+) => {$(
        if let Ok(word) = $text.parse::<$word>() {
            assert_eq!(word.to_string(), $text);
        }
    )+};
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        one_spelling!(text; PublicKey, PublicKeyHash, Signature, ChainId, Digest);
        if let Ok(sealed) = text.parse::<EncryptedSecretKey>() {
            assert_eq!(
                sealed.to_string().trim_start_matches("encrypted:"),
                text.trim_start_matches("encrypted:")
            );
        }
        if let Ok(secret) = SecretKey::parse(text) {
            assert!(
                SecretKey::parse(&secret.reveal())
                    .is_ok_and(|same| same.public_key() == secret.public_key())
            );
        }
    }
    for curve in Curve::ALL {
        if let Ok(key) = PublicKey::from_raw(*curve, bytes) {
            assert_eq!(key.as_raw(), bytes);
            assert_eq!(key.to_string().parse::<PublicKey>().as_ref(), Ok(&key));
        }
        if let Ok(signature) = Signature::from_raw(*curve, bytes) {
            assert_eq!(signature.as_raw(), bytes);
            let low = signature.normalised();
            assert_eq!(low.clone().normalised(), low);
        }
    }
});
