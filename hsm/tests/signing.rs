//! Every curve signs, and a signature that is wrong costs the token its trust (R29).
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

use shim_orders::{Act, Order};
use tezos::Curve;

use token::{CURVES, Token, eventually, key, signed, signs_again, until, well};

#[tokio::test(flavor = "multi_thread")]
async fn every_curve_signs_with_a_low_s_and_ecdsa_never_the_same_way_twice() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
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
async fn r29_a_wrong_signature_comes_back_as_it_is_and_after_suspicion_every_key_proves_itself() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::Secp256k1);
    let public_key = module.standing().borrow().keys[&key].clone();
    let other = self::key(&module, Curve::P256);
    signed(&module, other).await.unwrap();
    token.once("C_Sign", Act::WrongSignature);
    let digest = *tezos::Digest::of(b"message").as_bytes();
    let wrong = module.sign(key, digest).await.unwrap();
    assert!(public_key.verify(b"message", &wrong).is_err());
    let signatures = token.orders.calls("C_Sign");
    module.suspect(key);
    eventually("a fresh process", || token.processes() == 2).await;
    signs_again(&module, key).await;
    // Three proofs, and the one that was asked for.
    assert_eq!(token.orders.calls("C_Sign"), signatures + 4);
    // What the process before has signed says nothing of the next one.
    module.suspect(other);
    signed(&module, other).await.unwrap();
    assert_eq!(token.processes(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn r29_a_token_that_signs_wrongly_for_good_has_its_keys_refused() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
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
    let module = std::sync::Arc::new(token.ready_patient().await);
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
    let mut place = token.place();
    place.within.sign = Duration::from_secs(3);
    let module = std::sync::Arc::new(token.start_at(place));
    well(&module).await;
    let key = key(&module, Curve::P256);
    // Four at once, a second each: of 24 requests most cannot be signed within their three seconds.
    token
        .orders
        .give("slow", &Order::new("C_Sign", Act::DelayMs(1_000)));
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
    assert!(count >= 4, "{count} of 24");
    token.orders.withdraw("slow");
    signs_again(&module, key).await;
    assert_eq!(token.processes(), 1, "the process was replaced under load");
}
