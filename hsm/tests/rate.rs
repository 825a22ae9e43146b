//! How many signatures a token makes through the process that holds it, beside what it makes alone.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod token;

use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use tezos::Curve;

use token::{Token, key, well};

const SESSIONS: usize = 4;
const TIME: Duration = Duration::from_secs(2);

/// Not a test: the token alone, in a process of its own, with as many sessions.
#[test]
fn alone() {
    if std::env::var_os("SOFTHSM2_CONF").is_none() {
        return;
    }
    let module = Pkcs11::new(shim_orders::softhsm().unwrap()).unwrap();
    module
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let login = module.open_ro_session(slot).unwrap();
    login
        .login(UserType::User, Some(&AuthPin::new("1234".into())))
        .unwrap();
    let until = Instant::now() + TIME;
    let threads: Vec<_> = (0..SESSIONS)
        .map(|_| {
            let session = module.open_ro_session(slot).unwrap();
            thread::spawn(move || {
                let template = [
                    Attribute::Class(ObjectClass::PRIVATE_KEY),
                    Attribute::Id(vec![2]),
                ];
                let key = session.find_objects(&template).unwrap()[0];
                let mut count = 0_u64;
                while Instant::now() < until {
                    session.sign(&Mechanism::Ecdsa, key, &[7; 32]).unwrap();
                    count += 1;
                }
                count
            })
        })
        .collect();
    let count: u64 = threads.into_iter().map(|it| it.join().unwrap()).sum();
    println!("rate {count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_through_the_process_is_told_beside_that_of_the_token_alone() {
    let Some(token) = Token::new() else { return };
    let mut place = token.patient();
    place.module = shim_orders::softhsm().unwrap();
    let alone = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "alone", "--nocapture"])
        .envs(&place.launch.set)
        .output()
        .unwrap();
    let text = String::from_utf8(alone.stdout).unwrap();
    let alone = text
        .split("rate ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let alone: f64 = alone.unwrap().parse().unwrap();
    let module = Arc::new(token.start_at(place));
    well(&module).await;
    let key = key(&module, Curve::Secp256k1);
    let until = Instant::now() + TIME;
    // Each session has work waiting.
    let all: Vec<_> = (0..SESSIONS * 2)
        .map(|_| {
            let module = Arc::clone(&module);
            tokio::spawn(async move {
                let mut count = 0_f64;
                while Instant::now() < until {
                    module.sign(key, [7; 32]).await.unwrap();
                    count += 1.0;
                }
                count
            })
        })
        .collect();
    let mut through = 0.0;
    for one in all {
        through += one.await.unwrap();
    }
    let seconds = TIME.as_secs_f64();
    println!(
        "secp256k1, {SESSIONS} sessions: {:.0}/s through the process, {:.0}/s alone, ratio {:.2}",
        through / seconds,
        alone / seconds,
        through / alone
    );
    assert!(through > 0.0);
}
