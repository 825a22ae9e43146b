//! A PIN that is refused is never tried twice (R28, R32).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod token;

use std::time::Duration;

use hsm::TroubleKind;
use shim_orders::{Act, Order};
use tezos::Curve;

use token::{Token, eventually, key, signed, trouble, until, well};

/// Long enough for a PIN to be tried again, if it were: its source is looked at every second.
const A_WHILE: Duration = Duration::from_millis(2500);

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_wrong_pin_is_tried_once_across_a_restart_until_its_source_has_another() {
    let Some(token) = Token::new() else { return };
    token.guard.change(Some(b"4321"));
    let module = token.start_at(token.patient());
    let standing = trouble(&module, "CKR_PIN_INCORRECT").await;
    assert_eq!(standing.trouble.unwrap().kind, TroubleKind::PinRejected);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(token.orders.calls("C_Login"), 1);
    drop(module);
    let module = token.start_at(token.patient());
    trouble(&module, "has refused this PIN before").await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(token.orders.calls("C_Login"), 1);
    token.guard.change(Some(b"1234"));
    well(&module).await;
    signed(&module, key(&module, Curve::P256)).await.unwrap();
    assert_eq!(token.orders.calls("C_Login"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_wrong_pins_that_could_not_be_written_down_are_remembered_while_the_node_runs() {
    let Some(token) = Token::new() else { return };
    token.guard.forget();
    token.guard.change(Some(b"4321"));
    let module = token.start_at(token.patient());
    trouble(&module, "could not be written down").await;
    token.guard.change(Some(b"8765"));
    eventually("a second login", || token.orders.calls("C_Login") == 2).await;
    token.guard.change(Some(b"4321"));
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(token.orders.calls("C_Login"), 2);
    token.guard.change(Some(b"1234"));
    well(&module).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_pin_that_is_changed_in_the_token_alone_is_tried_once_when_the_session_is_lost() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::P256);
    token.tool(&["--change-pin", "--new-pin", "4321"]);
    token.once("C_Sign", Act::Return("CKR_DEVICE_REMOVED".into()));
    let refused = signed(&module, key).await.unwrap_err();
    assert!(refused.is_about_the_pin(), "{refused}");
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(token.orders.calls("C_Login"), 2);
    token.guard.change(Some(b"4321"));
    well(&module).await;
    signed(&module, key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_no_pin_is_tried_on_a_token_that_is_locked_or_would_be() {
    for flag in ["CKF_USER_PIN_LOCKED", "CKF_USER_PIN_FINAL_TRY"] {
        let Some(token) = Token::new() else { return };
        let set = vec![flag.to_owned()];
        token.orders.give(
            "flag",
            &Order::new("C_GetTokenInfo", Act::TokenFlags { set }),
        );
        let module = token.start_at(token.patient());
        let standing = until(&module, "a barred PIN", |now| {
            now.trouble
                .as_ref()
                .is_some_and(|trouble| trouble.kind == TroubleKind::PinBarred)
        })
        .await;
        let what = standing.trouble.unwrap().what;
        assert!(what.contains("quorate key reload"), "{what}");
        tokio::time::sleep(A_WHILE).await;
        module.retry().unwrap();
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(token.orders.calls("C_Login"), 0, "{flag}");
        token.orders.withdraw("flag");
        module.retry().unwrap();
        well(&module).await;
        assert_eq!(token.orders.calls("C_Login"), 1, "{flag}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_token_that_answers_locked_is_asked_once_across_a_restart_and_once_more_on_request() {
    let Some(token) = Token::new() else { return };
    token.orders.give(
        "locked",
        &Order::new("C_Login", Act::Return("CKR_PIN_LOCKED".into())),
    );
    let module = token.start_at(token.patient());
    trouble(&module, "CKR_PIN_LOCKED").await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(token.orders.calls("C_Login"), 1);
    drop(module);
    let module = token.start_at(token.patient());
    until(&module, "a barred PIN", |now| {
        now.trouble
            .as_ref()
            .is_some_and(|trouble| trouble.kind == TroubleKind::PinBarred)
    })
    .await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(token.orders.calls("C_Login"), 1);
    module.retry().unwrap();
    eventually("one more login", || token.orders.calls("C_Login") == 2).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(token.orders.calls("C_Login"), 2);
    token.orders.withdraw("locked");
    module.retry().unwrap();
    well(&module).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_a_source_that_cannot_be_read_is_read_again_until_it_can() {
    let Some(token) = Token::new() else { return };
    token.guard.change(None);
    let module = token.start_at(token.patient());
    trouble(&module, "the source of the PIN is away").await;
    assert_eq!(token.orders.calls("C_Login"), 0);
    token.guard.change(Some(b"1234"));
    well(&module).await;
    // It goes and comes back with the same PIN, which was never refused.
    let key = key(&module, Curve::P256);
    token.guard.change(None);
    token.once("C_Sign", Act::Return("CKR_DEVICE_ERROR".into()));
    signed(&module, key).await.unwrap_err();
    trouble(&module, "the source of the PIN is away").await;
    token.guard.change(Some(b"1234"));
    well(&module).await;
    signed(&module, key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r32_a_pin_of_any_bytes_arrives_whole() {
    for pin in [
        &b"user:pass:word"[..],
        b"caf\xe9\xff\x01 1234",
        "gr\u{fc}n\u{20ac}".as_bytes(),
    ] {
        let Some(token) = Token::with_pin(pin) else {
            return;
        };
        let module = token.ready_patient().await;
        signed(&module, key(&module, Curve::P256)).await.unwrap();
        assert_eq!(token.orders.calls("C_Login"), 1);
        assert_eq!(token.guard.rejected(), 0);
    }
}

/// A module may say of a wrong PIN that something failed; the token counts all the same.
#[tokio::test(flavor = "multi_thread")]
async fn r28_a_pin_whose_login_fails_unclearly_is_tried_three_times_and_no_more() {
    let Some(token) = Token::new() else { return };
    let unclear = Act::Return("CKR_GENERAL_ERROR".into());
    token
        .orders
        .give("unclear", &Order::new("C_Login", unclear));
    let module = token.start_at(token.patient());
    trouble(&module, "did not say why").await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(token.orders.calls("C_Login"), 3);
    token.orders.withdraw("unclear");
    module.retry().unwrap();
    well(&module).await;
    assert_eq!(token.orders.calls("C_Login"), 4);
}

/// A process that hangs in its login holds up nobody for ever, and no PIN is tried beside it.
#[tokio::test(flavor = "multi_thread")]
async fn r28_no_pin_is_tried_beside_another_process_that_tries_one_and_it_is_named() {
    let Some(token) = Token::new() else { return };
    token.guard.elsewhere(Some("process 4711"));
    let module = token.start();
    let standing = trouble(&module, "process 4711 has been logging in").await;
    assert_eq!(standing.trouble.unwrap().kind, TroubleKind::Late);
    assert_eq!(token.orders.calls("C_Login"), 0);
    token.guard.elsewhere(None);
    well(&module).await;
    assert_eq!(token.orders.calls("C_Login"), 1);
}

/// Whoever was waited for may have spent the last try but one.
#[tokio::test(flavor = "multi_thread")]
async fn r28_no_pin_is_tried_on_a_token_that_came_to_its_final_try_while_it_was_waited_for() {
    let Some(token) = Token::new() else { return };
    token.guard.elsewhere(Some("process 4711"));
    let module = token.start_at(token.patient());
    eventually("a wait", || token.guard.held_up() > 0).await;
    let set = vec!["CKF_USER_PIN_FINAL_TRY".to_owned()];
    let flag = Order::new("C_GetTokenInfo", Act::TokenFlags { set });
    token.orders.give("flag", &flag);
    token.guard.elsewhere(None);
    trouble(&module, "locks with the next wrong PIN").await;
    assert_eq!(token.orders.calls("C_Login"), 0);
    token.orders.withdraw("flag");
    module.retry().unwrap();
    well(&module).await;
}

/// To open it again would be to wait for that other process, without signing.
#[tokio::test(flavor = "multi_thread")]
async fn r28_a_look_leaves_a_token_open_while_another_process_logs_in_to_it() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    token.guard.elsewhere(Some("process 4711"));
    let told = module.look_again();
    eventually("an answer to the look", || told.try_recv().is_ok()).await;
    signed(&module, key(&module, Curve::P256)).await.unwrap();
    assert_eq!(token.orders.calls("C_Login"), 1);
    token.guard.elsewhere(None);
}
