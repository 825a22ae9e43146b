//! P2 with tokens, which sign differently each time: the leader dies at every point of a request,
//! the baker asks again, and gets a signature; and only one signature of a message ever leaves.

use node::dev::Settings;
use node::dev::deadline::wait_for;
use rustix::process::Signal;
use shim_orders::{Act, Order};
use tezos::{Kind, PublicKey, Slot};

use crate::raw;
use crate::shimmed::{CURVES, Shimmed};
use crate::world::{CHAIN, PATIENCE, World, attestation, post};

/// Where the leader is when it dies.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// The grant is committed; the token was asked and has not signed.
    BeforeTheToken,
    /// The token has signed; the node has not heard of it.
    AfterTheToken,
    /// The node has the signature and wants it recorded, and no majority answers.
    BeforeRecord,
    /// The signature is recorded; the baker has not read it.
    AfterRecord,
}

const POINTS: [Point; 4] = [
    Point::BeforeTheToken,
    Point::AfterTheToken,
    Point::BeforeRecord,
    Point::AfterRecord,
];

/// R14, R31. On three nodes with tokens.
#[tokio::test]
async fn the_leader_dies_at_every_point_of_a_request_and_one_signature_leaves() {
    let mut shimmed = Shimmed::everywhere(&CURVES).await;
    every_point(&mut shimmed).await;
}

/// The same half way through a move from files to tokens: two nodes have the keys in tokens, one has
/// them in files still, and all are enrolled `after_record`.
#[tokio::test]
async fn the_same_holds_while_one_node_still_has_the_keys_in_files() {
    let settings = Settings::default();
    let mut shimmed = Shimmed::with(&[1, 2], &CURVES, "after-record", settings).await;
    every_point(&mut shimmed).await;
}

/// The words that release a key after the commit.
fn after_commit(hash: &str) -> [&str; 6] {
    ["key", "edit", hash, "--release", "after-commit", "--yes"]
}

/// The reverse: a token would sign a retry differently, so no key that some node has in a token is
/// released after the commit, whichever node is asked (R31).
#[tokio::test]
async fn r31_a_key_in_a_token_of_some_node_is_not_released_after_the_commit() {
    let settings = Settings::default();
    let shimmed = Shimmed::with(&[1], &CURVES, "after-record", settings).await;
    let world = &shimmed.world;
    for curve in CURVES {
        let key = world.key(curve);
        let (hash, public_key) = (key.hash().to_string(), key.to_string());
        let enrol = ["key", "enrol", &public_key, "--release", "after-commit"];
        let enrol = [&enrol[..], &["--any-chain-from", "0", "--yes"]].concat();
        for asked in [1, 2] {
            for words in [&after_commit(&hash)[..], &enrol] {
                let (done, said) = world.said(asked, words).await;
                assert!(!done && said.contains("node 1 holds"), "{said}");
                assert!(said.contains("--release after-record"), "{said}");
            }
        }
    }
}

/// If a node comes to such a key all the same, it does not serve it: the nodes with files lead and
/// sign, and it says why it does not.
#[tokio::test]
async fn a_token_does_not_serve_a_key_that_is_released_after_the_commit() {
    let settings = Settings::default();
    let mut shimmed = Shimmed::with(&[1], &CURVES, "after-record", settings).await;
    let world = &mut shimmed.world;
    let hashes: Vec<String> = CURVES
        .iter()
        .map(|curve| world.key(*curve).hash().to_string())
        .collect();
    // Nobody knows what is in a token that is away.
    world.pull(1, true);
    let (done, said) = world.said(1, &["key", "reload"]).await;
    assert!(!done && said.contains("no key of the token"), "{said}");
    for hash in &hashes {
        world.quorate(2, &after_commit(hash)).await;
    }
    world.pull(1, false);
    // It returns when the token is open.
    let (done, said) = world.said(1, &["key", "reload"]).await;
    assert!(done && said.contains("3 keys are loaded"), "{said}");
    for asked in [1, 2] {
        let compared = || async {
            let (done, said) = world.said(asked, &["key", "compare"]).await;
            let why = "  node 1: ".to_owned() + &hashes[0] + " is enrolled after_commit";
            match !done && said.contains(&why) && said.contains("node 2 can sign") {
                true => Ok(()),
                false => Err(said),
            }
        };
        wait_for("the reason of node 1", PATIENCE, compared)
            .await
            .unwrap();
    }
    let elsewhere = wait_for("a leader that can sign", PATIENCE, || async {
        match world.leader().await {
            1 => Err("a node that can sign nothing leads".to_owned()),
            _ => Ok(()),
        }
    });
    elsewhere.await.unwrap();
    for curve in CURVES {
        let (key, slot) = (world.key(curve), world.next_slot());
        let message = attestation(&key, slot, 0);
        for asked in 1..=3 {
            world.insist(&[asked], &key, &message).await.signature();
        }
    }
}

async fn every_point(shimmed: &mut Shimmed) {
    for curve in CURVES {
        for point in POINTS {
            let leader = shimmed.world.leader().await;
            let key = shimmed.world.key(curve);
            let slot = shimmed.world.next_slot();
            let message = attestation(&key, slot, 0);
            let sent = die_at(shimmed, point, leader, &key, slot, &message).await;
            let world = &mut shimmed.world;
            // What reached the baker, if anything, counts as released.
            if let Some(answer) = sent.answer().await.filter(|answer| answer.status == 200) {
                let signature = tezos::Signature::parse(curve, &answer.signature()).unwrap();
                world.judge.saw(key.hash(), &message, &signature);
            }
            let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
            for other in &others {
                let again = world.insist(&[*other], &key, &message).await;
                again.signature();
            }
            world.start(leader);
            world.ready().await;
            let again = world.insist(&[leader], &key, &message).await;
            again.signature();
            println!("{curve}, the leader {leader} died at {point:?}");
        }
    }
    assert_eq!(shimmed.world.judge.places(), CURVES.len() * POINTS.len());
    shimmed.nothing_misread();
}

/// Asks the leader, and kills it at that point. On a node with files, which signs too fast to be
/// stopped in between, it is killed at once.
async fn die_at(
    shimmed: &mut Shimmed,
    point: Point,
    leader: u64,
    key: &PublicKey,
    slot: Slot,
    message: &[u8],
) -> raw::Sent {
    let orders = shimmed.orders(leader);
    let world = &mut shimmed.world;
    let has_token = std::fs::read_to_string(world.cluster.node(leader).unwrap().config())
        .unwrap()
        .contains("pkcs11");
    let before = orders.calls("C_Sign");
    let act = match point {
        Point::BeforeTheToken => Some(Act::Hang),
        Point::AfterTheToken | Point::BeforeRecord => Some(Act::DelayMs(300)),
        Point::AfterRecord => None,
    };
    if let Some(act) = act.clone() {
        orders.give("point", &Order::new("C_Sign", act).times(1));
    }
    let sent = raw::send(world.port(leader), &post(key, message)).await;
    if has_token && act.is_some() {
        until("the token to be asked", || orders.used("point") == 1).await;
    }
    let signed = || orders.calls("C_Sign") > before;
    match point {
        Point::AfterTheToken if has_token => {
            signal(world, &[leader], Signal::STOP);
            until("the token to have signed", signed).await;
        }
        Point::BeforeRecord if has_token => {
            let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
            signal(world, &others, Signal::STOP);
            until("the token to have signed", signed).await;
            // Nothing can be committed any more, however long the leader is given for it.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            world.kill(leader);
            signal(world, &others, Signal::CONT);
        }
        Point::AfterRecord => recorded(world, leader, key, slot).await,
        Point::BeforeTheToken | Point::AfterTheToken | Point::BeforeRecord => {}
    }
    world.kill(leader);
    orders.withdraw("point");
    sent
}

fn signal(world: &mut World, nodes: &[u64], signal: Signal) {
    for id in nodes {
        world.cluster.node(*id).unwrap().signal(signal).unwrap();
    }
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let look = || async {
        if done() {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    };
    wait_for(what, PATIENCE, look).await.unwrap();
}

/// Waits until another node has the signature of this slot.
async fn recorded(world: &World, leader: u64, key: &PublicKey, slot: Slot) {
    let other = if leader == 1 { 2 } else { 1 };
    let look = || async {
        let reports = world.cluster.key_reports(other).await;
        let reports = reports.map_err(|fault| fault.to_string())?;
        let report = reports.into_iter().find(|report| report.public_key == *key);
        let marks = report
            .and_then(|report| report.enrolled)
            .map(|key| key.marks);
        let recorded = marks.iter().flatten().any(|mark| {
            (mark.chain, mark.kind) == (CHAIN, Kind::Attestation)
                && Slot::new(mark.level, mark.round) == slot
                && mark.recorded
        });
        if recorded {
            Ok(())
        } else {
            Err(format!("{marks:?}"))
        }
    };
    wait_for("the record", PATIENCE, look).await.unwrap();
}
