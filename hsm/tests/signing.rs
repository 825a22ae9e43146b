//! Every curve signs, and a key that is not what it should be is refused by name (R29, R41).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod token;

use std::collections::BTreeSet;
use std::time::Duration;

use hsm::KeyName;
use hsm::parent::Wanted;
use shim_orders::{Act, Order};
use tezos::{Curve, SecretKey};

use token::{CURVES, Token, eventually, key, signed, until, wanted, well};

#[tokio::test(flavor = "multi_thread")]
async fn every_curve_signs_with_a_low_s_and_ecdsa_never_the_same_way_twice() {
    let Some(token) = Token::new() else { return };
    let module = token.ready().await;
    for (_, curve, _) in CURVES {
        let key = key(&module, curve);
        let public_key = module.standing().borrow().keys[&key].clone();
        let digest = *tezos::Digest::of(b"the same message").as_bytes();
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let signature = module.sign(key, digest).await.unwrap();
            // Verifying demands a low s; a token gives a high one every second time.
            public_key.verify(b"the same message", &signature).unwrap();
            assert_eq!(signature.as_raw().len(), 64);
            seen.insert(signature.as_raw().to_vec());
        }
        let different = if curve == Curve::Ed25519 { 1 } else { 200 };
        assert_eq!(seen.len(), different, "{curve}");
    }
    assert_eq!(token.processes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r29_a_key_that_was_not_enrolled_is_refused_by_name_and_the_others_go_on() {
    let Some(token) = Token::new() else { return };
    let other = SecretKey::generate(Curve::P256).unwrap();
    let mut place = token.place();
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
    let module = token.start();
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
    let mut place = token.place();
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
    let mut place = token.place();
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
    let mut place = token.place();
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
    let module = token.ready().await;
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
    let mut place = token.place();
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

#[tokio::test(flavor = "multi_thread")]
async fn r29_a_wrong_signature_comes_back_as_it_is_and_after_suspicion_every_key_proves_itself() {
    let Some(token) = Token::new() else { return };
    let module = token.ready().await;
    let key = key(&module, Curve::Secp256k1);
    let public_key = module.standing().borrow().keys[&key].clone();
    token.once("C_Sign", Act::WrongSignature);
    let digest = *tezos::Digest::of(b"message").as_bytes();
    let wrong = module.sign(key, digest).await.unwrap();
    assert!(public_key.verify(b"message", &wrong).is_err());
    let signatures = token.orders.calls("C_Sign");
    module.suspect(key);
    eventually("a fresh process", || token.processes() == 2).await;
    signed(&module, key).await.unwrap();
    // Three proofs, and the one that was asked for.
    assert_eq!(token.orders.calls("C_Sign"), signatures + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn r29_a_token_that_signs_wrongly_for_good_has_its_keys_refused() {
    let Some(token) = Token::new() else { return };
    let module = token.ready().await;
    token
        .orders
        .give("wrong", &Order::new("C_Sign", Act::WrongSignature));
    module.suspect(key(&module, Curve::P256));
    let standing = until(&module, "refusal", |now| now.refused.len() == 3).await;
    assert!(standing.keys.is_empty(), "{standing:?}");
    token.orders.withdraw("wrong");
    module.retry().unwrap();
    until(&module, "all keys", |now| now.keys.len() == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_requests_at_once_are_all_signed_over_four_sessions() {
    let Some(token) = Token::new() else { return };
    let module = std::sync::Arc::new(token.ready().await);
    let key = key(&module, Curve::P256);
    let before = token.orders.calls("C_OpenSession");
    let all: Vec<_> = (0..64)
        .map(|_| {
            let module = std::sync::Arc::clone(&module);
            tokio::spawn(async move { signed(&module, key).await.unwrap() })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
    assert_eq!(token.processes(), 1);
    assert_eq!(
        token.orders.calls("C_OpenSession"),
        before,
        "no session beside the four"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r30_a_token_that_is_merely_slow_is_not_taken_for_one_that_hangs() {
    let Some(token) = Token::new() else { return };
    let module = std::sync::Arc::new(token.ready().await);
    let key = key(&module, Curve::P256);
    // Four at once, 300 ms each: of 24 requests most cannot be signed within their 700 ms.
    token
        .orders
        .give("slow", &Order::new("C_Sign", Act::DelayMs(300)));
    let all: Vec<_> = (0..24)
        .map(|_| {
            let module = std::sync::Arc::clone(&module);
            tokio::spawn(async move { signed(&module, key).await.is_ok() })
        })
        .collect();
    let mut count = 0;
    for one in all {
        count += usize::from(one.await.unwrap());
    }
    assert!(count >= 8, "{count} of 24");
    token.orders.withdraw("slow");
    tokio::time::timeout(Duration::from_secs(3), async {
        while signed(&module, key).await.is_err() {}
    })
    .await
    .unwrap();
    assert_eq!(token.processes(), 1, "the process was replaced under load");
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([from, to])
        .status();
    assert!(copied.unwrap().success());
}
