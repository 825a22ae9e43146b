//! A session that is lost heals with the request that finds it lost (R28, R31).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hsm::parent::{Module, Standing};
use shim_orders::{Act, Order};
use tezos::Curve;
use tokio::sync::watch;

use token::{PATIENCE, Token, eventually, key, signed, signs_again, well};

/// A session that comes back within this time was never gone.
const GRACE: Duration = Duration::from_millis(300);

/// What is cured by opening sessions again, in the same process.
const OF_THE_SESSION: [&str; 5] = [
    "CKR_SESSION_HANDLE_INVALID",
    "CKR_SESSION_CLOSED",
    "CKR_USER_NOT_LOGGED_IN",
    "CKR_OBJECT_HANDLE_INVALID",
    "CKR_KEY_HANDLE_INVALID",
];

/// What only a fresh process may cure.
const OF_THE_DEVICE: [&str; 6] = [
    "CKR_DEVICE_ERROR",
    "CKR_DEVICE_REMOVED",
    "CKR_TOKEN_NOT_PRESENT",
    "CKR_GENERAL_ERROR",
    "CKR_FUNCTION_FAILED",
    "CKR_CRYPTOKI_NOT_INITIALIZED",
];

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_request_that_loses_its_session_is_signed_all_the_same_in_the_same_process() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::Secp256k1);
    let mut standing = module.standing();
    standing.borrow_and_update();
    for function in ["C_Sign", "C_SignInit"] {
        for code in OF_THE_SESSION {
            token.once(function, Act::Return(code.into()));
            let asked = Instant::now();
            let signed = signed(&module, key).await;
            let took = asked.elapsed();
            assert!(signed.is_ok(), "{function} {code}: {signed:?}");
            assert_eq!(token.orders.used(function), 1);
            assert_eq!(token.processes(), 1, "{function} {code}");
            told_only_if_slow(&module, &mut standing, took).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_request_that_loses_its_device_is_signed_all_the_same_by_the_next_process() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::Secp256k1);
    let mut processes = 1;
    for function in ["C_Sign", "C_SignInit"] {
        for code in OF_THE_DEVICE {
            token.once(function, Act::Return(code.into()));
            let signed = signed(&module, key).await;
            assert!(signed.is_ok(), "{function} {code}: {signed:?}");
            processes += 1;
            assert_eq!(token.processes(), processes, "{function} {code}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_request_is_signed_all_the_same_if_opening_again_fails_too() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::Ed25519);
    for lost in ["CKR_SESSION_HANDLE_INVALID", "CKR_DEVICE_ERROR"] {
        for function in [
            "C_GetTokenInfo",
            "C_OpenSession",
            "C_Login",
            "C_FindObjectsInit",
            "C_GetAttributeValue",
            "C_SignInit",
        ] {
            for code in OF_THE_SESSION.iter().chain(&OF_THE_DEVICE) {
                token.once(function, Act::Return((*code).into()));
                token.once("C_Sign", Act::Return(lost.into()));
                let signed = signed(&module, key).await;
                assert!(signed.is_ok(), "{lost}, {function} {code}: {signed:?}");
                assert_eq!(token.orders.used(function), 1, "{lost}, {function} {code}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_someone_who_is_logged_in_already_is_logged_in() {
    let Some(token) = Token::new() else { return };
    // The device logs in, and says that it was before.
    let already = Act::ReturnAfter("CKR_USER_ALREADY_LOGGED_IN".into());
    token.once("C_Login", already);
    let module = token.ready_patient().await;
    signed(&module, key(&module, Curve::P256)).await.unwrap();
    assert_eq!(token.orders.used("C_Login"), 1);
    assert_eq!((token.orders.calls("C_Login"), token.processes()), (1, 1));
    assert_eq!(token.guard.rejected(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_of_many_requests_that_fail_at_once_all_are_signed_and_the_token_is_opened_once() {
    let Some(token) = Token::new() else { return };
    let module = Arc::new(token.ready_patient().await);
    let key = key(&module, Curve::P256);
    for (code, processes) in [("CKR_SESSION_HANDLE_INVALID", 1), ("CKR_DEVICE_ERROR", 2)] {
        let logins = token.orders.calls("C_Login");
        // Each of the four sessions fails once.
        let order = Order::new("C_SignInit", Act::Return(code.into())).times(4);
        token.orders.give("C_SignInit", &order);
        let all: Vec<_> = (0..16)
            .map(|_| {
                let module = Arc::clone(&module);
                tokio::spawn(async move { signed(&module, key).await })
            })
            .collect();
        let mut refusals = Vec::new();
        for one in all {
            refusals.extend(one.await.unwrap().err());
        }
        assert_eq!(refusals, [], "{code}");
        let again = token.orders.calls("C_Login") - logins;
        assert!((1..=4).contains(&again), "{code}: opened {again} times");
        assert!(token.processes() <= processes + 3, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r31_what_failed_after_it_was_signed_is_signed_again_and_one_signature_comes_back() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::Secp256k1);
    for code in ["CKR_DEVICE_ERROR", "CKR_SESSION_HANDLE_INVALID"] {
        token.once("C_Sign", Act::ReturnAfter(code.into()));
        signed(&module, key).await.unwrap();
        assert_eq!(token.orders.used("C_Sign"), 1);
    }
    let ambiguous = token
        .orders
        .log()
        .into_iter()
        .filter(|call| call.after.is_some());
    assert_eq!(ambiguous.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_login_that_ended_is_noticed_and_healed_without_a_request() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::P256);
    let logins = token.orders.calls("C_Login");
    token.once(
        "C_GetSessionInfo",
        Act::Return("CKR_SESSION_HANDLE_INVALID".into()),
    );
    eventually("another login", || token.orders.calls("C_Login") > logins).await;
    signs_again(&module, key).await;
    assert_eq!(token.processes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_key_that_the_token_does_not_hold_is_refused_and_disturbs_nothing() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let other = tezos::SecretKey::generate(Curve::P256).unwrap();
    let trouble = signed(&module, other.public_key().hash())
        .await
        .unwrap_err();
    assert_eq!(trouble.kind, hsm::TroubleKind::Unfit);
    signed(&module, key(&module, Curve::P256)).await.unwrap();
    assert_eq!((token.orders.calls("C_Login"), token.processes()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_an_operator_asks_for_costs_no_request_its_signature() {
    let Some(token) = Token::new() else { return };
    let module = Arc::new(token.ready_patient().await);
    let mut standing = module.standing();
    standing.borrow_and_update();
    let looking = Arc::new(AtomicBool::new(true));
    let asked: [Arc<AtomicUsize>; 3] = Default::default();
    let all: Vec<_> = [Curve::P256, Curve::Secp256k1, Curve::Ed25519]
        .into_iter()
        .zip(asked.clone())
        .map(|(curve, asked)| {
            let (key, module) = (key(&module, curve), Arc::clone(&module));
            let looking = Arc::clone(&looking);
            tokio::spawn(async move {
                let mut refusals = Vec::new();
                while asked.load(Ordering::Relaxed) < 50 || looking.load(Ordering::Relaxed) {
                    if let Err(trouble) = signed(&module, key).await {
                        refusals.push(trouble);
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                refusals
            })
        })
        .collect();
    let so_far = || asked.each_ref().map(|asked| asked.load(Ordering::Relaxed));
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let begun = Instant::now();
        let told = module.retry().unwrap();
        let told = tokio::task::spawn_blocking(move || told.recv_timeout(PATIENCE));
        told.await.unwrap().unwrap();
        let took = begun.elapsed();
        slowest = slowest.max(took);
        told_only_if_slow(&module, &mut standing, took).await;
        // No request meets more looks than it has tries.
        let before = so_far();
        eventually("the end of each request", || {
            so_far()
                .iter()
                .zip(before)
                .all(|(now, before)| *now > before)
        })
        .await;
    }
    looking.store(false, Ordering::Relaxed);
    for one in all {
        let refusals = one.await.unwrap();
        // Who asks when trouble is told already is refused at once.
        assert!(
            refusals.is_empty() || slowest >= GRACE,
            "{slowest:?}: {refusals:?}"
        );
    }
    assert!(token.orders.calls("C_Login") >= 6);
    assert_eq!(token.processes(), 1);
}

/// Trouble may be told only of a session that did not come back within the grace, as may happen on a
/// slow machine: what was asked `took` at least as long as the session was gone.
async fn told_only_if_slow(
    module: &Module,
    standing: &mut watch::Receiver<Standing>,
    took: Duration,
) {
    if standing.has_changed().unwrap() {
        assert!(took >= GRACE, "{took:?}: {:?}", standing.borrow());
        well(module).await;
        standing.borrow_and_update();
    }
}
