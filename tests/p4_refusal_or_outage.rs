//! P4: a refusal is never an outage, and an outage is never a refusal.

use std::time::Duration;

use client::{Client, ClientError, Endpoint, Options};
use tezos::{ChainId, Curve, Kind, PublicKey, SecretKey};
use tokio::time::Instant;

use crate::raw;
use crate::world::{CHAIN, CURVES, Outcome, World, attestation, post, quoted, slot};

/// The deadline of a request is 2.0 s; the rest is for a loaded machine.
const DECIDED_WITHIN: Duration = Duration::from_secs(8);

/// One request that must be refused, and how.
struct Row {
    why: &'static str,
    request: Vec<u8>,
    status: u16,
    /// What the words must contain; the empty text stands for an empty body.
    words: &'static str,
}

fn row(why: &'static str, request: Vec<u8>, status: u16, words: &'static str) -> Row {
    Row {
        why,
        request,
        status,
        words,
    }
}

/// Asked of every node, so that a refusal keeps its type over the hop from a follower (R21).
#[tokio::test]
async fn every_class_of_bad_request_has_its_own_status_and_words_on_every_node() {
    let world = World::of(&CURVES).await;
    let tz1 = world.key(Curve::Ed25519);
    let tz4 = world.key(Curve::Bls12_381);
    let good = attestation(&tz1, slot(7, 0), 0);
    let table = [
        malformed(&tz1, &good),
        layouts(&tz1, &tz4, &good),
        strangers(&good),
        routes(&tz1),
    ];
    for row in table.iter().flatten() {
        for id in 1..=3 {
            let answer = raw::exchange(world.port(id), &row.request).await;
            assert_eq!(
                answer.status, row.status,
                "{} at node {id}: {answer:?}",
                row.why
            );
            if row.words.is_empty() {
                assert_eq!(answer.body, "", "{}", row.why);
            } else {
                let words = answer.message();
                assert!(
                    words.contains(row.words),
                    "{} at node {id}: {words}",
                    row.why
                );
            }
        }
    }
    // Nothing of all this has touched the mark.
    world.insist(&[1], &tz1, &good).await.signature();
}

fn malformed(key: &PublicKey, good: &[u8]) -> Vec<Row> {
    let path = format!("/keys/{}", key.hash());
    let body = |text: &str| raw::post(&path, text);
    let digits = hex::encode(good);
    let chunk_without_length =
        format!("POST {path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n");
    vec![
        row("no body", body(""), 400, "empty body"),
        row("empty string", body("\"\""), 400, "can't sign empty data"),
        row("not a string", body("17"), 400, "JSON"),
        row("an object", body("{\"bytes\":\"11\"}"), 400, "JSON"),
        row("bare digits", body(&format!("x{digits}")), 400, "JSON"),
        row("no end quote", body(&format!("\"{digits}")), 400, "JSON"),
        row(
            "behind the string",
            body(&format!("\"{digits}\" 1")),
            400,
            "JSON",
        ),
        row(
            "half a byte",
            body(&format!("\"{digits}0\"")),
            400,
            "whole number of bytes",
        ),
        row(
            "no digit",
            body(&format!("\"{digits}0g\"")),
            400,
            "no hexadecimal digit",
        ),
        row("0x", body(&format!("\"0x{digits}\"")), 400, "without 0x"),
        row(
            "too large",
            body(&format!("\"{}\"", "00".repeat(70_000))),
            413,
            "longer than",
        ),
        row(
            "broken chunk",
            chunk_without_length.into_bytes(),
            400,
            "request body",
        ),
        row(
            "unknown version",
            raw::post(&format!("{path}?version=9"), &quoted(good)),
            400,
            "version",
        ),
        row(
            "a parameter that nobody knows",
            raw::post(&format!("{path}?vresion=3"), &quoted(good)),
            400,
            "vresion",
        ),
    ]
}

fn layouts(tz1: &PublicKey, tz4: &PublicKey, good: &[u8]) -> Vec<Row> {
    let cut = good.get(..good.len() - 1).unwrap().to_vec();
    let longer = [good, &[0]].concat();
    let with_magic = |magic: u8| [&[magic], good.get(1..).unwrap()].concat();
    let mut beyond = good.to_vec();
    beyond.splice(40..44, [0x80, 0, 0, 0]);
    let bls_vote = attestation(tz4, slot(7, 0), 0);
    vec![
        row("one byte short", post(tz1, &cut), 400, ""),
        row("one byte long", post(tz1, &longer), 400, ""),
        row(
            "unknown magic byte",
            post(tz1, &with_magic(0x14)),
            400,
            "0x14",
        ),
        row(
            "Emmy's magic byte",
            post(tz1, &with_magic(0x02)),
            400,
            "0x02",
        ),
        row(
            "an authentication request",
            post(tz1, &with_magic(0x04)),
            400,
            "0x04",
        ),
        row("Michelson data", post(tz1, &with_magic(0x05)), 400, "0x05"),
        row(
            "a vote with the wrong magic byte",
            post(tz1, &with_magic(0x12)),
            400,
            "",
        ),
        row("a level beyond i32", post(tz1, &beyond), 400, "level"),
        row("a tz1 vote for a tz4 key", post(tz4, good), 400, ""),
        row("a tz4 vote for a tz1 key", post(tz1, &bls_vote), 400, ""),
        row(
            "BLS in the old scheme",
            raw::post(
                &format!("/keys/{}?version=1", tz4.hash()),
                &quoted(&bls_vote),
            ),
            400,
            "version",
        ),
        row(
            "an operation that the key may not sign",
            post(tz1, &reveal(tz1)),
            403,
            "0x03",
        ),
    ]
    .into_iter()
    .map(|row| Row {
        words: if row.words.is_empty() { " " } else { row.words },
        ..row
    })
    .collect()
}

/// A reveal of the key itself: magic byte, branch, tag 107, source, fee, counter, gas, storage,
/// public key (octez, `operation_repr.ml`), and in 025 no proof.
fn reveal(key: &PublicKey) -> Vec<u8> {
    let mut bytes = vec![0x03];
    bytes.extend([0xb5; 32]);
    bytes.push(107);
    bytes.extend(key.hash().to_bytes());
    bytes.extend([1, 1, 1, 0, 0]);
    bytes.extend(key.as_raw());
    bytes.push(0);
    bytes
}

fn strangers(good: &[u8]) -> Vec<Row> {
    let stranger = SecretKey::generate(Curve::Ed25519).unwrap();
    let stranger = stranger.public_key();
    vec![
        row(
            "a key that is not enrolled",
            post(stranger, good),
            404,
            "no keys for the source contract",
        ),
        row(
            "its public key",
            raw::get(&format!("/keys/{}", stranger.hash())),
            404,
            "",
        ),
        row(
            "no address",
            raw::post("/keys/tz9nonsense", &quoted(good)),
            400,
            "tz9nonsense",
        ),
    ]
}

fn routes(key: &PublicKey) -> Vec<Row> {
    let hash = key.hash();
    let method = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").into_bytes()
    };
    vec![
        row("no such path", raw::get("/mode/rpc"), 404, ""),
        row("a list that is off", raw::get("/known_keys"), 403, "List known keys request not allowed."),
        row(
            "a proof that is off",
            raw::get(&format!("/bls_prove_possession/{hash}")),
            403,
            "Request to prove possession is not allowed.",
        ),
        row("another method", method("DELETE", &format!("/keys/{hash}")), 405, ""),
        row("a POST to a list", method("POST", "/authorized_keys"), 405, ""),
        row(
            "another content type",
            format!("POST /keys/{hash} HTTP/1.1\r\nhost: a\r\ncontent-type: text/xml\r\ncontent-length: 2\r\n\r\n\"\"")
                .into_bytes(),
            415,
            "",
        ),
    ]
}

/// What depends on marks and policy: each is a decision of the cluster, and the words say which.
#[tokio::test]
async fn every_refusal_of_the_rule_is_a_409_or_403_with_the_slot_in_its_words() {
    let world = World::of(&[Curve::Ed25519]).await;
    let key = world.key(Curve::Ed25519);
    let hash = key.hash().to_string();
    let signed = attestation(&key, slot(5_000, 2), 0);
    world.insist(&[1], &key, &signed).await.signature();
    for (why, message, words) in [
        ("conflict", attestation(&key, slot(5_000, 2), 1), "5000"),
        (
            "round below",
            attestation(&key, slot(5_000, 1), 0),
            "not above high watermark (5000,2)",
        ),
        (
            "level below",
            attestation(&key, slot(4_999, 9), 0),
            "below high watermark 5000",
        ),
        (
            "a jump",
            attestation(&key, slot(9_000_000, 0), 0),
            "quorate key raise",
        ),
    ] {
        for id in 1..=3 {
            let said = world.insist(&[id], &key, &message).await.conflict();
            assert!(said.contains(words), "{why} at node {id}: {said}");
        }
    }
    // The chain becomes a list of one, which is not the chain of these messages.
    let other = ChainId([1, 2, 3, 4]);
    let listed = format!("{other}=0");
    world
        .quorate(1, &["key", "edit", &hash, "--chain", &listed, "--yes"])
        .await;
    let next = attestation(&key, slot(5_001, 0), 0);
    for id in 1..=3 {
        let Outcome::Refused(403, said) = world.insist(&[id], &key, &next).await else {
            panic!("chain {CHAIN} is not allowed any more");
        };
        assert!(said.contains(&CHAIN.to_string()), "{said}");
    }
}

/// R44. Authentication belongs to the key and is the same on all nodes.
#[tokio::test]
async fn a_key_with_authorized_clients_answers_401_to_nobody_and_403_to_strangers() {
    let mut world = World::of(&[Curve::Ed25519, Curve::P256]).await;
    let (key, open) = (world.key(Curve::Ed25519), world.key(Curve::P256));
    let (baker, stranger) = (generated(), generated());
    let words = [
        "key",
        "edit",
        &key.hash().to_string(),
        "--authorized",
        &baker.public_key().to_string(),
        "--yes",
    ];
    world.quorate(3, &words).await;
    let next = world.next_slot();
    let message = attestation(&key, next, 0);
    let listed = format!(
        "{{\"authorized_keys\":[\"{}\"]}}",
        baker.public_key().hash()
    );
    for id in 1..=3 {
        let outcome = world.insist(&[id], &key, &message).await;
        assert!(
            matches!(&outcome, Outcome::Refused(401, words) if words.contains("missing authentication")),
            "{outcome:?}"
        );
        let answer = raw::exchange(world.port(id), &raw::get("/authorized_keys")).await;
        assert_eq!(answer.body.trim(), listed);
    }
    let fault = authenticated(&world, stranger)
        .sign(&key, &message)
        .await
        .unwrap_err();
    assert!(
        matches!(fault, ClientError::Answered { status: 403, .. }),
        "{fault}"
    );
    authenticated(&world, baker)
        .sign(&key, &message)
        .await
        .unwrap();
    world
        .insist(&[1], &open, &attestation(&open, next, 0))
        .await
        .signature();
}

fn generated() -> SecretKey {
    SecretKey::generate(Curve::Secp256k1).unwrap()
}

fn authenticated(world: &World, secret: SecretKey) -> Client {
    let urls = world.cluster.nodes().iter().map(|node| node.signer_url());
    let nodes: Vec<Endpoint> = urls.map(|url| url.parse().unwrap()).collect();
    let options = Options {
        authentication: Some(secret),
        ..Options::default()
    };
    Client::new(nodes, options).unwrap()
}

/// R15. Without a majority nothing is decided: 502 within the deadline, never 409, and nothing is
/// signed. What is only read still answers.
#[tokio::test]
async fn with_two_nodes_down_nothing_is_signed_and_the_answer_is_502_in_bounded_time() {
    let mut world = World::of(&[Curve::Ed25519]).await;
    let key = world.key(Curve::Ed25519);
    let decided = world.next_slot();
    world
        .insist(&[1], &key, &attestation(&key, decided, 0))
        .await
        .signature();
    let asked = world.next_slot();
    for survivor in 1..=3 {
        world
            .marked(survivor, &key, Kind::Attestation, decided)
            .await;
        (1..=3)
            .filter(|id| *id != survivor)
            .for_each(|id| world.kill(id));
        for flavour in 0..4 {
            let start = Instant::now();
            let request = post(&key, &attestation(&key, asked, flavour));
            let answer = raw::exchange(world.port(survivor), &request).await;
            assert_eq!(answer.status, 502, "{answer:?}");
            assert!(!answer.message().is_empty());
            assert!(start.elapsed() < DECIDED_WITHIN, "{:?}", start.elapsed());
        }
        let read = raw::exchange(
            world.port(survivor),
            &raw::get(&format!("/keys/{}", key.hash())),
        )
        .await;
        assert_eq!(read.status, 200, "{read:?}");
        (1..=3)
            .filter(|id| *id != survivor)
            .for_each(|id| world.start(id));
        world.ready().await;
    }
    // Whatever became of the entries of then: at most one of the four messages can be signed now.
    let mut signed = 0;
    for flavour in 0..4 {
        match world
            .insist(&[1, 2, 3], &key, &attestation(&key, asked, flavour))
            .await
        {
            Outcome::Signed(_) => signed += 1,
            outcome => drop(outcome.conflict()),
        }
    }
    assert_eq!(signed, 1);
}
