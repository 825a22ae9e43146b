//! A key that is not what it should be is refused by name, and the others go on (R29, R41).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod token;

use std::path::Path;

use hsm::KeyName;
use hsm::parent::Wanted;
use shim_orders::Act;
use tezos::{Curve, SecretKey};

use token::{PATIENCE, Token, key, signed, until, wanted, well};

#[tokio::test(flavor = "multi_thread")]
async fn r29_a_key_that_was_not_enrolled_is_refused_by_name_and_the_others_go_on() {
    let Some(token) = Token::new() else { return };
    let other = SecretKey::generate(Curve::P256).unwrap();
    let mut place = token.patient();
    place.keys[0].public_key_hash = Some(other.public_key().hash());
    let module = token.start_at(place);
    let standing = well(&module).await;
    assert_eq!(standing.keys.len(), 2, "{standing:?}");
    let [refused] = &standing.refused[..] else {
        panic!("{standing:?}")
    };
    assert_eq!(refused.name, wanted(1).name);
    assert!(refused.why.contains("it should be"), "{}", refused.why);
    for curve in [Curve::Secp256k1, Curve::Ed25519] {
        signed(&module, key(&module, curve)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r29_a_public_key_of_another_private_key_is_refused_by_name_and_the_others_go_on() {
    let Some(token) = Token::new() else { return };
    token.generate(5, "EC:prime256v1");
    token.tool(&["--delete-object", "--type", "pubkey", "--id", "01"]);
    token.tool(&["--set-id", "01", "--type", "pubkey", "--id", "05"]);
    let module = token.start_at(token.patient());
    let standing = well(&module).await;
    assert_eq!(standing.keys.len(), 2, "{standing:?}");
    let why = &standing.refused[0].why;
    assert_eq!(standing.refused[0].name, wanted(1).name);
    assert!(why.contains("does not sign for"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r41_a_name_that_fits_none_or_two_is_refused_and_the_others_go_on() {
    let Some(token) = Token::new() else { return };
    token.generate(1, "EC:prime256v1");
    let mut place = token.patient();
    place.keys.push(wanted(9));
    let module = token.start_at(place);
    let standing = well(&module).await;
    assert_eq!(standing.keys.len(), 2, "{standing:?}");
    let [two, none] = &standing.refused[..] else {
        panic!("{standing:?}")
    };
    assert_eq!(two.name, wanted(1).name);
    assert!(two.why.contains("2 private keys"), "{}", two.why);
    assert_eq!(none.name, wanted(9).name);
    assert!(none.why.contains("no private key"), "{}", none.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn r41_without_names_every_key_that_may_sign_is_found_and_one_that_may_not_harms_none() {
    let Some(token) = Token::new() else { return };
    let make = |kind, id, label| {
        let arguments = [
            "--keypairgen",
            "--key-type",
            kind,
            "--id",
            id,
            "--label",
            label,
        ];
        token.tool(&[&arguments[..], &["--always-auth"]].concat());
    };
    make("EC:prime256v1", "06", "asks");
    token.tool(&[
        "--keypairgen",
        "--key-type",
        "EC:secp384r1",
        "--id",
        "07",
        "--label",
        "long",
    ]);
    // The first key that is asked to prove itself may not sign.
    token.once(
        "C_SignInit",
        Act::Return("CKR_KEY_FUNCTION_NOT_PERMITTED".into()),
    );
    let mut place = token.patient();
    place.keys.clear();
    let module = token.start_at(place);
    let standing = well(&module).await;
    assert_eq!(standing.keys.len(), 2, "{standing:?}");
    let why: Vec<_> = standing.refused.iter().map(|it| it.why.as_str()).collect();
    for words in [
        "CKA_ALWAYS_AUTHENTICATE",
        "CKA_EC_PARAMS",
        "CKR_KEY_FUNCTION_NOT_PERMITTED",
    ] {
        assert!(
            why.iter().any(|why| why.contains(words)),
            "{words}: {why:?}"
        );
    }
    assert_eq!(why.len(), 3, "{why:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r41_without_names_two_keys_that_are_called_the_same_are_both_refused() {
    let Some(token) = Token::new() else { return };
    token.generate(1, "EC:prime256v1");
    let mut place = token.patient();
    place.keys.clear();
    let module = token.start_at(place);
    let standing = well(&module).await;
    assert_eq!(standing.keys.len(), 2, "{standing:?}");
    assert_eq!(standing.refused.len(), 1, "{standing:?}");
    assert!(
        standing.refused[0].why.contains("2 private keys"),
        "{standing:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r29_after_a_token_was_exchanged_its_key_is_refused_by_name_until_the_right_one_is_back() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let p256 = key(&module, Curve::P256);
    let secp256k1 = key(&module, Curve::Secp256k1);
    let kept = token.path().join("kept");
    copy(&token.path().join("tokens"), &kept);
    token.take_away();
    until(&module, "trouble", |now| now.trouble.is_some()).await;
    token.delete(1);
    token.generate(1, "EC:prime256v1");
    token.bring_back();
    let standing = until(&module, "refusal", |now| {
        !now.refused.is_empty() && now.trouble.is_none()
    })
    .await;
    assert_eq!(standing.refused[0].name, wanted(1).name);
    assert!(
        standing.refused[0].why.contains(&p256.to_string()),
        "{standing:?}"
    );
    assert!(signed(&module, p256).await.is_err());
    signed(&module, secp256k1).await.unwrap();
    // The right token comes back.
    token.take_away();
    until(&module, "trouble", |now| now.trouble.is_some()).await;
    std::fs::remove_dir_all(token.path().join("away")).unwrap();
    rustix::fs::rename(&kept, token.path().join("away")).unwrap();
    token.bring_back();
    until(&module, "acceptance", |now| {
        now.refused.is_empty() && now.trouble.is_none()
    })
    .await;
    signed(&module, p256).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r41_a_key_that_is_made_later_signs_after_an_operator_has_asked_for_a_look() {
    let Some(token) = Token::new() else { return };
    let mut place = token.patient();
    place.keys.push(Wanted {
        name: KeyName {
            id: None,
            label: Some("late".to_owned()),
        },
        public_key_hash: None,
    });
    let module = token.start_at(place);
    assert_eq!(well(&module).await.refused.len(), 1);
    token.tool(&[
        "--keypairgen",
        "--key-type",
        "EC:edwards25519",
        "--id",
        "08",
        "--label",
        "late",
    ]);
    module.retry().unwrap();
    let standing = until(&module, "the late key", |now| now.keys.len() == 4).await;
    assert!(standing.refused.is_empty(), "{standing:?}");
}

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([from, to])
        .status();
    assert!(copied.unwrap().success());
}

/// Whoever asks for a look is answered when the standing says what came of it, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn r28_a_look_is_answered_once_its_outcome_is_told() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let look = async |what: &str| {
        let told = module.look_again();
        let told = tokio::task::spawn_blocking(move || told.recv_timeout(PATIENCE));
        told.await.unwrap().expect(what);
        module.standing().borrow().clone()
    };
    assert_eq!(look("all is well").await.keys.len(), 3);
    token.delete(1);
    let without = look("a key is gone").await;
    assert_eq!((without.keys.len(), without.refused.len()), (2, 1));
    token.take_away();
    assert!(look("the token is away").await.trouble.is_some());
    token.bring_back();
    let back = look("the token is back").await;
    assert_eq!((back.trouble, back.keys.len()), (None, 2));
}
