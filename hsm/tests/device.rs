//! A device that fails, hangs, crashes, goes away and comes back (R28, R30).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod token;

use std::time::{Duration, Instant};

use hsm::TroubleKind;
use shim_orders::{Act, Order};
use tezos::Curve;

use token::{SIGN, Token, eventually, key, signed, signs_again, trouble, until, well};

/// Within this time it is noticed that a token has gone, or has come back, on a slow machine too.
const SOON: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_token_that_goes_away_is_noticed_without_a_request_and_signs_when_it_is_back() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::Secp256k1);
    let gone = Instant::now();
    token.take_away();
    let standing = until(&module, "trouble", |now| now.trouble.is_some()).await;
    assert!(gone.elapsed() < SOON, "{:?}", gone.elapsed());
    assert!(standing.keys.is_empty());
    trouble(&module, "is not there").await;
    let refused = signed(&module, key).await.unwrap_err();
    assert!(refused.what.contains("is not there"), "{refused}");
    token.bring_back();
    let back = Instant::now();
    well(&module).await;
    assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
    signed(&module, key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_token_that_is_late_at_boot_is_waited_for_and_no_pin_is_tried_meanwhile() {
    let Some(token) = Token::new() else { return };
    token.take_away();
    let module = token.start_at(token.patient());
    trouble(&module, "is not there").await;
    eventually("five tries", || token.processes() >= 5).await;
    assert_eq!(token.orders.calls("C_Login"), 0);
    token.bring_back();
    let back = Instant::now();
    well(&module).await;
    assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
    signed(&module, key(&module, Curve::P256)).await.unwrap();
    assert_eq!(token.orders.calls("C_Login"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_while_a_token_is_away_its_trouble_is_told_once_and_not_at_every_try() {
    let Some(token) = Token::new() else { return };
    // Finding out takes longer than a session that comes back at once would.
    token
        .orders
        .give("slow", &Order::new("C_GetSlotList", Act::DelayMs(400)));
    token.orders.give(
        "absent",
        &Order::new("C_GetTokenInfo", Act::Return("CKR_DEVICE_REMOVED".into())),
    );
    let module = token.start_at(token.patient());
    trouble(&module, "is not there").await;
    let mut standing = module.standing();
    standing.borrow_and_update();
    let tries = token.processes();
    eventually("three more tries", || token.processes() >= tries + 3).await;
    assert!(!standing.has_changed().unwrap(), "{:?}", standing.borrow());
}

#[tokio::test(flavor = "multi_thread")]
async fn r30_a_signature_that_hangs_fails_in_time_and_the_next_one_is_made_by_another_process() {
    let Some(token) = Token::new() else { return };
    let module = token.ready().await;
    let key = key(&module, Curve::Secp256k1);
    token.once("C_Sign", Act::DelayMs(60_000));
    let asked = Instant::now();
    let late = signed(&module, key).await.unwrap_err();
    assert!(
        asked.elapsed() < SIGN + Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(late.kind, TroubleKind::Late, "{late}");
    signs_again(&module, key).await;
    eventually("a fresh process", || token.processes() >= 2).await;
    signs_again(&module, key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r30_a_signature_that_hangs_when_nobody_waits_for_it_any_more_is_noticed_too() {
    let Some(token) = Token::new() else { return };
    // All four hang before the first of them is late.
    let module = token.ready_patient().await;
    let key = key(&module, Curve::Secp256k1);
    token
        .orders
        .give("C_Sign", &Order::new("C_Sign", Act::Hang).times(4));
    for used in 1..=4 {
        let gone = signed(&module, key);
        tokio::select! {
            _ = gone => panic!("it should hang"),
            () = eventually("a hang", || token.orders.used("C_Sign") == used) => {}
        }
    }
    eventually("a fresh process", || token.processes() >= 2).await;
    well(&module).await;
    signed(&module, key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r30_a_module_that_hangs_while_it_is_opened_is_replaced() {
    for function in [
        "C_Initialize",
        "C_Login",
        "C_FindObjectsInit",
        "C_CloseSession",
    ] {
        let Some(token) = Token::new() else { return };
        let module = token.ready().await;
        let key = key(&module, Curve::P256);
        token.once(function, Act::Hang);
        let lost = match function {
            "C_Initialize" => "CKR_DEVICE_ERROR",
            _ => "CKR_SESSION_HANDLE_INVALID",
        };
        token.once("C_Sign", Act::Return(lost.into()));
        signed(&module, key).await.unwrap_err();
        eventually(function, || token.orders.used(function) == 1).await;
        signs_again(&module, key).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r30_a_module_that_hangs_when_nobody_asks_is_noticed_and_replaced() {
    let Some(token) = Token::new() else { return };
    let module = token.ready().await;
    let key = key(&module, Curve::P256);
    token.once("C_GetSessionInfo", Act::Hang);
    let standing = until(&module, "trouble", |now| now.trouble.is_some()).await;
    assert_eq!(standing.trouble.unwrap().kind, TroubleKind::Late);
    well(&module).await;
    signs_again(&module, key).await;
    assert!(token.processes() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_check_that_hangs_does_not_hold_up_the_healing_of_a_request() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::P256);
    token.once("C_GetSessionInfo", Act::Hang);
    eventually("a hang", || token.orders.used("C_GetSessionInfo") == 1).await;
    token.once("C_Sign", Act::Return("CKR_DEVICE_ERROR".into()));
    signed(&module, key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_module_that_crashes_takes_no_request_with_it() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::Ed25519);
    for (function, processes) in [("C_Sign", 2), ("C_SignInit", 3)] {
        token.once(function, Act::Crash);
        signed(&module, key).await.unwrap();
        assert_eq!(token.orders.used(function), 1);
        assert_eq!(token.processes(), processes);
    }
    token.once("C_GetSessionInfo", Act::Crash);
    eventually("a crash without a request", || token.processes() >= 4).await;
    signs_again(&module, key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_module_that_crashes_at_every_signature_is_told_and_not_started_without_a_pause() {
    let Some(token) = Token::new() else { return };
    let module = token.ready().await;
    let key = key(&module, Curve::P256);
    token
        .orders
        .give("crash", &Order::new("C_Sign", Act::Crash));
    signed(&module, key).await.unwrap_err();
    trouble(&module, "ended").await;
    let (begun, before) = (Instant::now(), token.processes());
    eventually("three more tries", || token.processes() >= before + 3).await;
    assert!(
        begun.elapsed() > Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
    token.orders.withdraw("crash");
    well(&module).await;
    signs_again(&module, key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_no_module_is_told_by_its_path_and_started_when_it_is_one() {
    let Some(token) = Token::new() else { return };
    let mut place = token.patient();
    let (real, path) = (place.module.clone(), token.path().join("module.so"));
    place.module.clone_from(&path);
    let module = token.start_at(place);
    trouble(&module, "module.so").await;
    std::os::unix::fs::symlink(real, path).unwrap();
    well(&module).await;
    signed(&module, key(&module, Curve::P256)).await.unwrap();
}
