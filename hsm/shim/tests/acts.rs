//! Each act of an order, as a program sees it that uses the shim as its module.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod rig;

use std::{
    os::unix::process::ExitStatusExt as _,
    time::{Duration, Instant},
};

use rig::{READY, Rig, until, write};
use shim_orders::{Act, Order};

#[test]
fn without_orders_the_shim_is_the_module_behind_it() {
    let Some(rig) = Rig::start() else { return };
    assert_eq!(
        rig.run_ready(&["slots", "flags", "sign", "verify"]),
        [
            "slots: 1",
            "flags: final try false, login required true",
            "sign: ok",
            "verify: ok"
        ]
    );
    assert_eq!(rig.orders.calls("C_GetFunctionList"), 1);
    assert_eq!(rig.orders.calls("C_Login"), 1);
    assert_eq!(rig.orders.calls("C_Sign"), 1);
    assert_eq!(rig.orders.complaints(), Vec::<String>::new());
}

#[test]
fn a_code_is_returned_in_place_of_the_call_and_the_next_call_is_as_any_other() {
    let Some(rig) = Rig::start() else { return };
    for (function, code, steps, said) in [
        (
            "C_Sign",
            "CKR_SESSION_HANDLE_INVALID",
            ["sign", "sign"],
            "SessionHandleInvalid",
        ),
        (
            "C_Sign",
            "CKR_USER_NOT_LOGGED_IN",
            ["sign", "sign"],
            "UserNotLoggedIn",
        ),
        (
            "C_Sign",
            "CKR_DEVICE_ERROR",
            ["sign", "sign"],
            "DeviceError",
        ),
        (
            "C_SignInit",
            "CKR_DEVICE_REMOVED",
            ["sign", "sign"],
            "DeviceRemoved",
        ),
        (
            "C_Sign",
            "CKR_GENERAL_ERROR",
            ["sign", "sign"],
            "GeneralError",
        ),
        (
            "C_OpenSession",
            "CKR_TOKEN_NOT_PRESENT",
            ["open", "open"],
            "TokenNotPresent",
        ),
    ] {
        let skip = u64::from(function == "C_OpenSession");
        let order = Order::new(function, Act::Return(code.into()));
        rig.orders.give("once", &order.times(1).skip(skip));
        let [first, second] = steps;
        assert_eq!(
            rig.run_ready(&steps),
            [format!("{first}: {said}"), format!("{second}: ok")],
            "{function} {code}"
        );
        assert_eq!(rig.orders.used("once"), 1);
    }
}

#[test]
fn a_login_fails_as_ordered_and_the_device_never_hears_of_it() {
    let Some(rig) = Rig::start() else { return };
    for (code, said) in [
        ("CKR_PIN_INCORRECT", "PinIncorrect"),
        ("CKR_PIN_LOCKED", "PinLocked"),
        ("CKR_USER_ALREADY_LOGGED_IN", "UserAlreadyLoggedIn"),
    ] {
        let order = Order::new("C_Login", Act::Return(code.into()));
        rig.orders.give("login", &order.times(1));
        assert_eq!(
            rig.run(&["initialize", "open", "login", "login"]),
            [
                "initialize: ok",
                "open: ok",
                &format!("login: {said}"),
                "login: ok"
            ]
        );
    }
    assert_eq!(rig.orders.calls("C_Login"), 6);
}

#[test]
fn a_code_is_returned_after_the_device_has_signed() {
    let Some(rig) = Rig::start() else { return };
    let order = Order::new("C_Sign", Act::ReturnAfter("CKR_DEVICE_ERROR".into()));
    rig.orders.give("ambiguous", &order.times(1));
    assert_eq!(
        rig.run_ready(&["sign", "sign", "verify"]),
        ["sign: DeviceError", "sign: ok", "verify: ok"]
    );
    let signed = |line: &&str| line.ends_with(" C_Sign CKR_DEVICE_ERROR after CKR_OK");
    assert_eq!(rig.log().lines().filter(signed).count(), 1, "{}", rig.log());
}

#[test]
fn a_call_is_delayed_and_then_answered() {
    let Some(rig) = Rig::start() else { return };
    rig.orders
        .give("slow", &Order::new("C_Sign", Act::DelayMs(700)).times(1));
    let begun = Instant::now();
    assert_eq!(
        rig.run_ready(&["sign", "verify"]),
        ["sign: ok", "verify: ok"]
    );
    assert!(begun.elapsed() >= Duration::from_millis(700));
    assert_eq!(rig.orders.used("slow"), 1);
}

#[test]
fn a_call_that_hangs_never_returns_and_others_go_on() {
    let Some(rig) = Rig::start() else { return };
    rig.orders
        .give("hang", &Order::new("C_Sign", Act::Hang).times(1));
    let mut hanging = rig.start_probe(&[&READY[..], &["sign"]].concat());
    until("the hang", || rig.orders.calls("C_Sign") == 1);
    assert_eq!(rig.orders.used("hang"), 1);
    assert!(rig.log().contains(" C_Sign hang\n"), "{}", rig.log());
    assert_eq!(rig.run_ready(&["sign"]), ["sign: ok"]);
    assert!(hanging.is_running());
    hanging.end();
}

#[test]
fn a_module_that_crashes_ends_the_process_by_a_segmentation_fault() {
    const SIGSEGV: i32 = 11;
    let Some(rig) = Rig::start() else { return };
    rig.orders
        .give("crash", &Order::new("C_Sign", Act::Crash).times(1));
    let steps = [&READY[..], &["sign"]].concat();
    assert_eq!(rig.start_probe(&steps).ended().signal(), Some(SIGSEGV));
    assert!(rig.log().contains(" C_Sign crash\n"), "{}", rig.log());
    assert_eq!(rig.run_ready(&["sign"]), ["sign: ok"], "it was once only");
}

#[test]
fn a_wrong_signature_has_the_right_form_and_does_not_verify() {
    let Some(rig) = Rig::start() else { return };
    rig.orders
        .give("wrong", &Order::new("C_Sign", Act::WrongSignature).times(1));
    assert_eq!(
        rig.run_ready(&["sign", "verify", "sign", "verify"]),
        [
            "sign: ok",
            "verify: SignatureInvalid",
            "sign: ok",
            "verify: ok"
        ]
    );
}

#[test]
fn a_token_says_the_flags_that_were_ordered_besides_its_own() {
    let Some(rig) = Rig::start() else { return };
    let set = vec!["CKF_USER_PIN_FINAL_TRY".to_owned()];
    rig.orders.give(
        "last",
        &Order::new("C_GetTokenInfo", Act::TokenFlags { set }),
    );
    assert_eq!(
        rig.run(&["initialize", "flags"]),
        [
            "initialize: ok",
            "flags: final try true, login required true"
        ]
    );
}

#[test]
fn a_token_is_absent_and_comes_back_while_the_program_runs() {
    let Some(rig) = Rig::start() else { return };
    // Two calls list the slots in `initialize`, and two make one listing.
    let order = Order::new("C_GetSlotList", Act::NoSlots).skip(2).times(2);
    rig.orders.give("absent", &order);
    assert_eq!(
        rig.run(&["initialize", "slots", "slots"]),
        ["initialize: ok", "slots: 0", "slots: 1"]
    );
    assert_eq!(rig.orders.used("absent"), 2);
}

#[test]
fn an_order_counts_across_processes_and_ends_when_it_is_withdrawn() {
    let Some(rig) = Rig::start() else { return };
    rig.orders.give(
        "login",
        &Order::new("C_Login", Act::Return(0xa4.into())).times(3),
    );
    let steps = ["initialize", "open", "login", "login"];
    assert_eq!(
        rig.run(&steps)[2..],
        ["login: PinLocked", "login: PinLocked"]
    );
    assert_eq!(rig.run(&steps)[2..], ["login: PinLocked", "login: ok"]);
    rig.orders
        .give("login", &Order::new("C_Login", Act::Return(0xa4.into())));
    assert_eq!(
        rig.run(&steps)[2..],
        ["login: PinLocked", "login: PinLocked"]
    );
    rig.orders.withdraw("login");
    assert_eq!(rig.run(&steps)[2], "login: ok");
    assert_eq!(rig.orders.used("login"), 2);
}

#[test]
fn an_order_that_makes_no_sense_fails_every_call_and_is_complained_of() {
    let Some(rig) = Rig::start() else { return };
    write(
        &rig.folder.join("bad.json"),
        r#"{"function": "C_Sing", "act": "hang"}"#,
    );
    assert_eq!(rig.run(&["initialize"]), ["initialize: GeneralError"]);
    let complaints = rig.orders.complaints();
    assert!(
        complaints[0].contains("bad.json: there is no function C_Sing"),
        "{complaints:?}"
    );
}

#[test]
fn a_module_that_cannot_be_loaded_is_complained_of() {
    let Some(mut rig) = Rig::start() else { return };
    rig.module = "/nonexistent/module.so".into();
    assert_eq!(rig.run(&["initialize"]), ["initialize: GeneralError"]);
    let complaints = rig.orders.complaints();
    assert!(
        complaints[0].contains("/nonexistent/module.so"),
        "{complaints:?}"
    );
}

#[test]
fn the_log_never_holds_a_pin() {
    let Some(rig) = Rig::start() else { return };
    assert_eq!(
        rig.run(&["initialize", "open", "mistype"])[2],
        "mistype: PinIncorrect"
    );
    // A process may have the number 1234, so its number is left out.
    for line in rig.log().lines() {
        let (_, rest) = line.split_once(' ').unwrap();
        assert!(!rest.contains("4321") && !rest.contains("1234"), "{line}");
    }
}
