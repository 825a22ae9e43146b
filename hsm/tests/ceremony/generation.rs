//! Making keys in a token, and bringing them in.

use tezos::{Curve, SecretKey};

use super::tokens::{Tokens, named};

const CURVES: [Curve; 3] = [Curve::Ed25519, Curve::Secp256k1, Curve::P256];

#[tokio::test]
async fn a_key_that_was_made_is_there_in_another_process_and_signs() {
    let Some(tokens) = Tokens::new() else { return };
    let mut token = tokens.fresh("one").await;
    for curve in CURVES {
        let name = named(&curve.to_string());
        let made = token.generate(curve, &name, false).await.unwrap();
        assert_eq!(made.public_key.curve(), curve);
        let found = tokens.open("one").await.keys().await.unwrap();
        let found = found.iter().find(|found| found.name == made.name).unwrap();
        assert_eq!(found.key.as_ref().unwrap().public_key, made.public_key);
    }
}

#[tokio::test]
async fn a_key_that_was_brought_in_is_the_same_and_its_secret_is_in_no_file() {
    let Some(tokens) = Tokens::new() else { return };
    let mut token = tokens.fresh("one").await;
    for curve in CURVES {
        let secret = SecretKey::generate(curve).unwrap();
        let made = token.import(&secret, &named(&curve.to_string())).await;
        assert_eq!(made.unwrap().public_key, *secret.public_key(), "{curve}");
        for file in tokens.files() {
            let bytes = std::fs::read(&file).unwrap();
            let raw = secret.to_raw();
            assert!(
                !bytes.windows(32).any(|window| window == raw.as_slice()),
                "{} holds the secret",
                file.display()
            );
        }
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_what_bears_it_stays() {
    let Some(tokens) = Tokens::new() else { return };
    let mut token = tokens.fresh("one").await;
    let first = token.generate(Curve::P256, &named("key"), false).await;
    let first = first.unwrap();
    let secret = SecretKey::generate(Curve::P256).unwrap();
    let taken = [
        token.generate(Curve::Secp256k1, &named("key"), false).await,
        token.import(&secret, &named("key")).await,
        token.generate(Curve::P256, &first.name, false).await,
    ];
    for taken in taken {
        let trouble = taken.unwrap_err();
        assert!(trouble.what.contains("nothing is overwritten"), "{trouble}");
    }
    let found = token.keys().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key.as_ref().unwrap().public_key, first.public_key);
}

#[tokio::test]
async fn a_tz4_key_is_refused_with_the_way_to_keep_it() {
    let Some(tokens) = Tokens::new() else { return };
    let mut token = tokens.fresh("one").await;
    let made = token.generate(Curve::Bls12_381, &named("key"), false).await;
    let trouble = made.unwrap_err();
    assert!(trouble.what.contains("sealed"), "{trouble}");
}
