//! Tokens that fail under three real nodes: the session heals, or another node signs.

use std::time::{Duration, Instant};

use node::dev::Settings;
use node::dev::deadline::wait_for;
use node::dev::pulled::{able_again, pull_the_leaders_token};
use node::dev::token::pull;
use shim_orders::{Act, Order};
use tezos::{Curve, Level, PublicKey};

use crate::shimmed::{CURVES, Shimmed};
use crate::world::{CHAIN, Outcome, PATIENCE, World, attestation};

/// Well above the deadline of a request, 2 s.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// R28, R30. The leader's token goes under load through a follower: no request is lost, another
/// node leads, and the token is used again when it is back, without a restart.
#[tokio::test]
async fn the_leaders_token_is_pulled_under_load_and_no_request_is_lost() {
    let shimmed = Shimmed::everywhere(&CURVES).await;
    let world = &shimmed.world;
    let keys: Vec<PublicKey> = CURVES.iter().map(|curve| world.key(*curve)).collect();
    let from = Level::new(1).unwrap();
    let pulled = pull_the_leaders_token(&world.cluster, &keys, CHAIN, from).await;
    let pulled = pulled.unwrap();
    println!("the leader's token was pulled: {pulled:?}");
    assert_eq!(pulled.lost, Vec::<String>::new());
    assert_ne!(pulled.to, pulled.from);
    assert!(pulled.asked > 20, "there was no load: {pulled:?}");
}

/// R30. A token that hangs for a minute holds up neither the heartbeats nor the request, which the
/// next leader answers within its deadline.
#[tokio::test]
async fn a_token_that_hangs_for_a_minute_costs_the_request_no_answer() {
    let mut shimmed = Shimmed::everywhere(&[Curve::P256]).await;
    let key = shimmed.world.key(Curve::P256);
    let hang = Order::new("C_Sign", Act::DelayMs(60_000));
    let a_follower = |leader| if leader == 1 { 2 } else { 1 };
    let met = shimmed.meet("hang", &hang, &key, a_follower).await;
    met.outcome.signature();
    println!(
        "answered after {:?} while the leader's token hung",
        met.took
    );
    let (leader, orders) = (met.leader, shimmed.orders(met.leader));
    // The fresh process asks each key to prove itself, and hangs as well.
    assert_ne!(shimmed.world.leader().await, leader);
    orders.withdraw("hang");
    able_again(&shimmed.world.cluster, leader, &[key])
        .await
        .unwrap();
    shimmed.nothing_misread();
}

/// R28, R31. A module that crashes, a session that is lost, a device that fails, and a signature that
/// was made before the error: the same request is answered, by the same leader.
#[tokio::test]
async fn a_module_that_fails_once_costs_nothing_but_time() {
    let mut shimmed = Shimmed::everywhere(&CURVES).await;
    let failures = [
        ("crash", Act::Crash),
        ("session", Act::Return("CKR_SESSION_HANDLE_INVALID".into())),
        ("login", Act::Return("CKR_USER_NOT_LOGGED_IN".into())),
        ("device", Act::Return("CKR_DEVICE_ERROR".into())),
        ("removed", Act::Return("CKR_DEVICE_REMOVED".into())),
        ("general", Act::Return("CKR_GENERAL_ERROR".into())),
        ("ambiguous", Act::ReturnAfter("CKR_DEVICE_ERROR".into())),
    ];
    for (name, act) in failures {
        for curve in CURVES {
            let key = shimmed.world.key(curve);
            let order = Order::new("C_Sign", act.clone()).times(1);
            let met = shimmed.meet(name, &order, &key, |leader| leader).await;
            met.outcome.signature();
            let (world, message) = (&shimmed.world, met.message);
            for id in 1..=3 {
                world.insist(&[id], &key, &message).await.signature();
            }
        }
    }
    shimmed.nothing_misread();
}

/// R29. A wrong signature is never released: the slot is signed by whoever leads next, or by the
/// same token once its keys have proved themselves again.
#[tokio::test]
async fn a_wrong_signature_is_never_released() {
    let mut shimmed = Shimmed::everywhere(&CURVES).await;
    for curve in CURVES {
        let key = shimmed.world.key(curve);
        // The client verifies what it gets, and so does the judge.
        let wrong = Order::new("C_Sign", Act::WrongSignature).times(1);
        let met = shimmed.meet("wrong", &wrong, &key, |leader| leader).await;
        let message = met.message;
        let signed = wait_for("the signature", PATIENCE, || async {
            match shimmed.world.ask(&[1, 2, 3], &key, &message).await {
                Outcome::Signed(_) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        signed.await.unwrap();
    }
    shimmed.nothing_misread();
}

/// R28. A wrong PIN is tried once, in all starts of the node together; the node goes on serving the
/// cluster without its token, and heals when its PIN is corrected, without a restart.
#[tokio::test]
async fn a_refused_pin_is_tried_once_and_the_node_goes_on_serving_the_cluster() {
    let mut shimmed = Shimmed::everywhere(&[Curve::P256]).await;
    let key = shimmed.world.key(Curve::P256);
    let orders = shimmed.orders(3);
    let pin = shimmed.world.dir().join("node3").join("pin");
    let right = std::fs::read_to_string(&pin).unwrap();
    shimmed.world.kill(3);
    std::fs::write(&pin, "not-the-pin").unwrap();
    let before = orders.calls("C_Login");
    for start in 0..3 {
        shimmed.world.start(3);
        refused(&shimmed.world, start).await;
        // It votes, stores and forwards.
        let slot = shimmed.world.next_slot();
        let message = attestation(&key, slot, 0);
        shimmed.world.insist(&[3], &key, &message).await.signature();
        if start < 2 {
            shimmed.world.kill(3);
        }
    }
    assert_eq!(
        orders.calls("C_Login"),
        before + 1,
        "one try in three starts"
    );
    std::fs::write(&pin, right).unwrap();
    able_again(&shimmed.world.cluster, 3, &[key]).await.unwrap();
    assert_eq!(orders.calls("C_Login"), before + 2);
    shimmed.nothing_misread();
}

/// Waits until node 3 has said that its token refuses the PIN, this time.
async fn refused(world: &World, start: usize) {
    let log = world.dir().join("node3").join("node.log");
    wait_for("the refusal in the log", PATIENCE, || async {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let told = text.matches("cannot sign").count();
        if told > start {
            Ok(())
        } else {
            Err(format!("told {told} times"))
        }
    })
    .await
    .unwrap();
}

/// R28. A network HSM that is late at boot: the connection is tried again, and the PIN is not.
#[tokio::test]
async fn a_token_that_is_late_at_boot_is_waited_for() {
    let mut shimmed = Shimmed::everywhere(&[Curve::P256]).await;
    let key = shimmed.world.key(Curve::P256);
    shimmed.world.kill(3);
    let node = shimmed
        .world
        .cluster
        .nodes()
        .iter()
        .find(|node| node.id() == 3);
    pull(node.unwrap(), true).unwrap();
    let orders = shimmed.orders(3);
    let before = orders.calls("C_Login");
    let tries = orders.calls("C_Initialize");
    shimmed.world.start(3);
    shimmed.world.ready().await;
    wait_for("several tries", PATIENCE, || async {
        match orders.calls("C_Initialize") - tries {
            few @ 0..3 => Err(format!("{few} tries")),
            _ => Ok(()),
        }
    })
    .await
    .unwrap();
    assert_eq!(orders.calls("C_Login"), before, "no token, no PIN");
    let node = shimmed
        .world
        .cluster
        .nodes()
        .iter()
        .find(|node| node.id() == 3);
    pull(node.unwrap(), false).unwrap();
    able_again(&shimmed.world.cluster, 3, &[key]).await.unwrap();
    assert_eq!(orders.calls("C_Login"), before + 1);
}

/// R30. With the token of every node gone, the answer says what is wrong with it, in bounded time.
#[tokio::test]
async fn with_no_token_left_the_answer_is_a_failure_with_its_reason() {
    let mut shimmed = Shimmed::with(
        &[1, 2, 3],
        &[Curve::P256],
        "after-record",
        Settings::default(),
    )
    .await;
    let key = shimmed.world.key(Curve::P256);
    for node in shimmed.world.cluster.nodes() {
        pull(node, true).unwrap();
    }
    let slot = shimmed.world.next_slot();
    let message = attestation(&key, slot, 0);
    let words = wait_for("the failure", PATIENCE, || async {
        let asked = Instant::now();
        let outcome = shimmed.world.ask(&[1], &key, &message).await;
        assert!(asked.elapsed() < ANSWERED_WITHIN, "{outcome:?}");
        match outcome {
            // Not yet, if the token was only just found to be late, or is being opened again.
            Outcome::Refused(500, words)
                if words.contains("is not there") || words.contains("CKR_") =>
            {
                Ok(words)
            }
            other => Err(format!("{other:?}")),
        }
    });
    let words = words.await.unwrap();
    assert!(words.contains("quorate cluster status"), "{words}");
    for node in shimmed.world.cluster.nodes() {
        pull(node, false).unwrap();
    }
    for id in 1..=3 {
        let keys = std::slice::from_ref(&key);
        able_again(&shimmed.world.cluster, id, keys).await.unwrap();
    }
    shimmed.world.insist(&[1], &key, &message).await.signature();
}
