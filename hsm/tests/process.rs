//! The process that holds a module ends with its parent, and is replaced when it is late (R30).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod token;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hsm::TroubleKind;
use rustix::process::{Pid, Signal, kill_process};
use shim_orders::{Act, Order};
use tezos::Curve;

use token::{Token, eventually, eventually_within, key, signed, signs_again, trouble, well};

/// The variable by which a test tells [`parent`] where its token is.
const HOME: &str = "QUORATE_TEST_HOME";

/// The variable by which a test tells [`parent`] how many signatures to ask for, which hang.
const HANGS: &str = "QUORATE_TEST_HANGS";

/// Within this time a process ends that is killed, on a slow machine too.
const SOON: Duration = Duration::from_secs(10);

/// The process that a test kills: a test by name only, and one that does nothing unless it is started so.
#[tokio::test(flavor = "multi_thread")]
async fn parent() {
    let Some(home) = std::env::var_os(HOME) else {
        return;
    };
    let hangs: usize = std::env::var(HANGS).unwrap().parse().unwrap();
    let token = Token::at(Path::new(&home), b"1234");
    let mut place = token.place();
    place.sessions = hangs.max(1);
    place.within.sign = Duration::from_secs(60);
    let module = Arc::new(token.start_at(place));
    well(&module).await;
    let key = key(&module, Curve::P256);
    if hangs > 0 {
        token.orders.give("hang", &Order::new("C_Sign", Act::Hang));
    }
    for _ in 0..hangs {
        let module = Arc::clone(&module);
        tokio::spawn(async move { signed(&module, key).await });
    }
    println!("ready");
    std::future::pending::<()>().await;
}

fn start_parent(token: &Token, hangs: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "parent", "--nocapture"])
        .env(HOME, token.path())
        .env(HANGS, hangs.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn r30_a_process_ends_within_a_second_of_its_parent_also_if_all_of_it_hangs_in_the_module() {
    for hangs in [0, 16] {
        let Some(token) = Token::new() else { return };
        let mut parent = start_parent(&token, hangs);
        let minute = Duration::from_secs(60);
        eventually_within(minute, "a ready parent", || match hangs {
            0 => token.orders.calls("C_GetSessionInfo") > 0,
            _ => token.orders.used("hang") == hangs,
        });
        let child = token.pid();
        assert!(runs(child));
        parent.kill().unwrap();
        parent.wait().unwrap();
        eventually_within(Duration::from_secs(1), "the end of the child", || {
            !runs(child)
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_ends_with_its_module() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    token
        .orders
        .give("hang", &Order::new("C_GetSessionInfo", Act::Hang));
    eventually("a hang", || token.orders.used("hang") >= 1).await;
    let child = token.pid();
    drop(module);
    eventually_within(SOON, "the end of the child", || !runs(child));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_nobody_asks_is_missed_when_it_is_killed() {
    let Some(token) = Token::new() else { return };
    let module = token.ready_patient().await;
    let key = key(&module, Curve::Ed25519);
    signal(token.pid(), Signal::KILL);
    eventually("a fresh process", || token.processes() == 2).await;
    // Not before it has logged in: SoftHSM writes its token then, and loses it when it is killed.
    signs_again(&module, key).await;
    signal(token.pid(), Signal::KILL);
    // And a request that finds it gone is signed all the same.
    signed(&module, key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_requests_that_lose_their_process_together_are_all_signed_by_one_next_process() {
    let Some(token) = Token::new() else { return };
    let module = Arc::new(token.ready_patient().await);
    let key = key(&module, Curve::P256);
    token
        .orders
        .give("hang", &Order::new("C_Sign", Act::Hang).times(4));
    let all: Vec<_> = (0..4)
        .map(|_| {
            let module = Arc::clone(&module);
            tokio::spawn(async move { signed(&module, key).await })
        })
        .collect();
    eventually("four hangs", || token.orders.used("hang") == 4).await;
    signal(token.pid(), Signal::KILL);
    for one in all {
        one.await.unwrap().unwrap();
    }
    // Each of the four has asked for healing, and once was enough.
    signed(&module, key).await.unwrap();
    assert_eq!((token.processes(), token.orders.calls("C_Login")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn r30_a_process_that_is_stopped_is_replaced_once_it_is_late() {
    let Some(token) = Token::new() else { return };
    let module = token.ready().await;
    let (child, key) = (token.pid(), key(&module, Curve::P256));
    signal(child, Signal::STOP);
    let late = signed(&module, key).await.unwrap_err();
    assert_eq!(late.kind, TroubleKind::Late, "{late}");
    signs_again(&module, key).await;
    eventually_within(SOON, "the end of the stopped one", || !runs(child));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_speak_is_told_and_ended() {
    let Some(token) = Token::new() else { return };
    // The last but one is an answer in due form, to a question that was never asked.
    let unasked =
        r#"printf '\042\0\0\0\0\0\0\0{"number":99,"said":{"Ok":"Well"}}' >&0; exec sleep 60"#;
    for (script, words) in [
        ("exec sleep 60 <&- ", "closed its socket"),
        ("exec cat /dev/zero >&0", "nonsense"),
        ("exec cat /dev/urandom >&0", "nonsense"),
        (unasked, "answered what nobody had asked"),
        ("exit 3", "exit status: 3"),
    ] {
        let mut place = token.place();
        place.launch.program = "/bin/sh".into();
        let note = token.path().join("pid");
        let script = format!("echo $$ > {}; {script}", note.display());
        place.launch.arguments = vec!["-c".into(), script.into()];
        let module = token.start_at(place);
        // It is started again and again: a slow machine may not see at once how it ended.
        let told = trouble(&module, words).await.trouble.unwrap().what;
        assert!(told.contains("process of the module"), "{told}");
        let pid = || fs::read_to_string(&note).ok()?.trim().parse().ok();
        drop(module);
        eventually_within(SOON, "the end of it", || !pid().is_some_and(runs));
    }
    let mut place = token.place();
    place.launch.program = "/nonexistent/quorate".into();
    trouble(&token.start_at(place), "cannot start /nonexistent/quorate").await;
}

/// Whether a process runs; one that has ended and is not buried does not.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim().chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}
