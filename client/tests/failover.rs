//! The client against listeners that speak HTTP by hand, so that every fault a node can show is
//! one that really happened on a socket.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod listener;

use client::{Authorized, Client, ClientError, Endpoint, Options, Outage};
use listener::{Behaviour, Listener};
use std::time::Duration;
use tezos::possession::Possession;
use tezos::{Curve, SecretKey, Signature, wire};

const MESSAGE: [u8; 80] = [0x13; 80];

fn secret(curve: Curve) -> SecretKey {
    SecretKey::generate(curve).unwrap()
}

fn client(nodes: &[&Listener]) -> Client {
    with(nodes, Options::default())
}

fn with(nodes: &[&Listener], options: Options) -> Client {
    let endpoints: Vec<Endpoint> = nodes
        .iter()
        .map(|node| node.url().parse().unwrap())
        .collect();
    Client::new(endpoints, options).unwrap()
}

fn signed(secret: &SecretKey) -> Behaviour {
    let signature = secret.sign(&MESSAGE);
    Behaviour::answer(200, &format!("{{\"signature\":\"{signature}\"}}\n"))
}

fn refusal(status: u16) -> Behaviour {
    Behaviour::answer(
        status,
        r#"[{"kind":"temporary","id":"failure","msg":"said so"}]"#,
    )
}

#[tokio::test]
async fn a_signature_is_asked_for_in_octez_bytes_and_returned_verified_on_every_curve() {
    for curve in [
        Curve::Ed25519,
        Curve::Secp256k1,
        Curve::P256,
        Curve::Bls12_381,
    ] {
        let secret = secret(curve);
        let key = secret.public_key().clone();
        let node = Listener::start(signed(&secret)).await;
        let signature = client(&[&node]).sign(&key, &MESSAGE).await.unwrap();
        assert_eq!(signature, secret.sign(&MESSAGE));

        let request = node.requests().remove(0);
        let line = format!("POST /keys/{}?version=3 HTTP/1.1", key.hash());
        assert_eq!(request.line(), line);
        assert_eq!(request.body, format!("\"{}\"", "13".repeat(80)));
        assert_eq!(request.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn a_node_that_refuses_connections_is_followed_by_the_next() {
    let secret = secret(Curve::Ed25519);
    let dead = Listener::start(Behaviour::CloseTheListener).await;
    let alive = Listener::start(signed(&secret)).await;
    let client = client(&[&dead, &alive]);
    client.sign(secret.public_key(), &MESSAGE).await.unwrap();
    assert_eq!(alive.requests().len(), 1);
}

#[tokio::test]
async fn a_node_that_hangs_up_half_way_is_followed_by_the_next() {
    let secret = secret(Curve::Ed25519);
    for half in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
    ] {
        let broken = Listener::start(Behaviour::Write(half.to_owned())).await;
        let alive = Listener::start(signed(&secret)).await;
        let client = client(&[&broken, &alive]);
        client.sign(secret.public_key(), &MESSAGE).await.unwrap();
        assert_eq!(broken.requests().len(), 1, "after {half:?}");
    }
}

#[tokio::test]
async fn a_node_that_never_answers_costs_the_answer_time_and_no_more() {
    let secret = secret(Curve::Ed25519);
    let silent = Listener::start(Behaviour::Hang).await;
    let alive = Listener::start(signed(&secret)).await;
    // The one that answers must do so within it, however busy the machine is.
    let answer_time = Duration::from_secs(2);
    let options = Options {
        answer_time,
        ..Options::default()
    };
    let client = with(&[&silent, &alive], options);
    let started = tokio::time::Instant::now();
    client.sign(secret.public_key(), &MESSAGE).await.unwrap();
    assert!(started.elapsed() >= answer_time);
    assert_eq!((silent.requests().len(), alive.requests().len()), (1, 1));
}

#[tokio::test]
async fn a_502_is_followed_by_the_next_node_and_the_next_call_starts_there() {
    let secret = secret(Curve::Ed25519);
    let leaderless = Listener::start(refusal(502)).await;
    let alive = Listener::start(signed(&secret)).await;
    let client = client(&[&leaderless, &alive]);
    client.sign(secret.public_key(), &MESSAGE).await.unwrap();
    client.sign(secret.public_key(), &MESSAGE).await.unwrap();
    assert_eq!(
        (leaderless.requests().len(), alive.requests().len()),
        (1, 2)
    );
}

#[tokio::test]
async fn every_other_answer_is_the_clusters_decision_and_nobody_else_is_asked() {
    let secret = secret(Curve::Ed25519);
    for status in [400, 401, 403, 404, 409, 413, 500, 503, 504] {
        let first = Listener::start(refusal(status)).await;
        let second = Listener::start(signed(&secret)).await;
        let fault = client(&[&first, &second])
            .sign(secret.public_key(), &MESSAGE)
            .await
            .unwrap_err();
        let ClientError::Answered {
            status: told,
            message,
            ..
        } = fault
        else {
            panic!("{status} became {fault}");
        };
        assert_eq!((told, message.as_str()), (status, "said so"));
        assert_eq!(second.requests().len(), 0, "after {status}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Listener::start(Behaviour::answer(200, "{}")).await;
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/authorized_keys\r\ncontent-length: 0\r\n\r\n",
        elsewhere.url()
    );
    let node = Listener::start(Behaviour::Write(redirect)).await;
    let fault = client(&[&node]).authorized_keys().await.unwrap_err();
    assert!(
        matches!(fault, ClientError::Answered { status: 307, .. }),
        "{fault}"
    );
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn when_no_node_can_answer_the_fault_names_each_and_says_what_it_said() {
    let secret = secret(Curve::Ed25519);
    let dead = Listener::start(Behaviour::CloseTheListener).await;
    let leaderless = Listener::start(refusal(502)).await;
    let fault = client(&[&dead, &leaderless])
        .sign(secret.public_key(), &MESSAGE)
        .await
        .unwrap_err();
    let text = fault.to_string();
    let ClientError::Outage { attempts } = fault else {
        panic!("{fault}");
    };
    assert!(matches!(attempts[0].outage, Outage::Transport(_)));
    assert!(matches!(&attempts[1].outage, Outage::BadGateway(said) if said == "said so"));
    assert!(
        text.contains(&dead.url()) && text.contains("Connection refused"),
        "{text}"
    );
}

#[tokio::test]
async fn a_signature_by_another_key_is_never_returned() {
    let asked = secret(Curve::Ed25519);
    let node = Listener::start(signed(&secret(Curve::Ed25519))).await;
    let fault = client(&[&node])
        .sign(asked.public_key(), &MESSAGE)
        .await
        .unwrap_err();
    assert!(
        matches!(fault, ClientError::Unfit { what: "signature", key, .. } if key == asked.public_key().hash()),
        "{fault}"
    );
}

#[tokio::test]
async fn junk_with_status_200_is_named_and_not_taken_for_an_outage() {
    let secret = secret(Curve::Ed25519);
    for junk in ["", "<html>", "{}", r#"{"signature":"edsigX"}"#] {
        let node = Listener::start(Behaviour::answer(200, junk)).await;
        let fault = client(&[&node])
            .sign(secret.public_key(), &MESSAGE)
            .await
            .unwrap_err();
        assert!(
            matches!(
                fault,
                ClientError::Unreadable { .. } | ClientError::Unparsable { .. }
            ),
            "{junk:?} became {fault}"
        );
    }
}

#[tokio::test]
async fn a_request_is_authenticated_over_the_key_and_the_exact_bytes() {
    let baker = secret(Curve::Ed25519);
    let operator = secret(Curve::Secp256k1);
    let operator_key = operator.public_key().clone();
    let node = Listener::start(signed(&baker)).await;
    let options = Options {
        authentication: Some(operator),
        ..Options::default()
    };
    let client = with(&[&node], options);
    client.sign(baker.public_key(), &MESSAGE).await.unwrap();

    let request = node.requests().remove(0);
    let (_, proof) = request.target().split_once("&authentication=").unwrap();
    let proof = Signature::parse(Curve::Secp256k1, proof).unwrap();
    let bytes = wire::authentication_message(&baker.public_key().hash(), &MESSAGE);
    assert!(operator_key.verify(&bytes, &proof).is_ok());
}

#[tokio::test]
async fn nobody_authorized_is_not_the_same_as_anyone() {
    let key = secret(Curve::P256).public_key().hash();
    let some = format!("{{\"authorized_keys\":[\"{key}\"]}}");
    for (body, wanted) in [
        ("{}", Authorized::Anyone),
        (r#"{"authorized_keys":[]}"#, Authorized::Only(vec![])),
        (some.as_str(), Authorized::Only(vec![key])),
    ] {
        let node = Listener::start(Behaviour::answer(200, body)).await;
        assert_eq!(client(&[&node]).authorized_keys().await.unwrap(), wanted);
        assert_eq!(node.requests()[0].line(), "GET /authorized_keys HTTP/1.1");
    }
}

#[tokio::test]
async fn a_public_key_is_returned_only_if_it_has_the_asked_hash() {
    let key = secret(Curve::Bls12_381).public_key().clone();
    let other = secret(Curve::Bls12_381).public_key().hash();
    let body = format!("{{\"public_key\":\"{key}\"}}");
    let node = Listener::start(Behaviour::answer(200, &body)).await;
    let client = client(&[&node]);
    assert_eq!(client.public_key(&key.hash()).await.unwrap(), key);
    let fault = client.public_key(&other).await.unwrap_err();
    assert!(
        matches!(
            fault,
            ClientError::Unfit {
                what: "public key",
                ..
            }
        ),
        "{fault}"
    );
}

#[tokio::test]
async fn a_proof_of_possession_is_verified_and_exists_for_tz4_only() {
    let secret = secret(Curve::Bls12_381);
    let key = secret.public_key().clone();
    let possession = Possession::new(&key, None).unwrap();
    let proof = secret.prove_possession(possession.message()).unwrap();
    let body = format!("{{\"bls_prove_possession\":\"{proof}\"}}");
    let node = Listener::start(Behaviour::answer(200, &body)).await;
    let client = client(&[&node]);
    assert_eq!(client.prove_possession(&key, None).await.unwrap(), proof);

    // The same answer to a question about another key is a lie.
    let other = SecretKey::generate(Curve::Bls12_381).unwrap();
    let asked_instead = Some(other.public_key().clone());
    let fault = client
        .prove_possession(&key, asked_instead)
        .await
        .unwrap_err();
    assert!(matches!(fault, ClientError::Unfit { .. }), "{fault}");

    let tz1 = SecretKey::generate(Curve::Ed25519).unwrap();
    let fault = client
        .prove_possession(tz1.public_key(), None)
        .await
        .unwrap_err();
    assert!(matches!(fault, ClientError::NoPossession { .. }), "{fault}");
    assert_eq!(node.requests().len(), 2);
}

#[tokio::test]
async fn known_keys_are_listed() {
    let key = secret(Curve::Ed25519).public_key().hash();
    let body = format!("{{\"known_keys\":[\"{key}\"]}}");
    let node = Listener::start(Behaviour::answer(200, &body)).await;
    assert_eq!(client(&[&node]).known_keys().await.unwrap(), vec![key]);
    assert_eq!(node.requests()[0].line(), "GET /known_keys HTTP/1.1");
}

#[test]
fn a_client_of_nobody_and_one_that_trusts_junk_cannot_be_made() {
    assert!(Client::new(vec![], Options::default()).is_err());
    let options = Options {
        trusted: Some(b"no certificate".to_vec()),
        ..Options::default()
    };
    let node = "https://127.0.0.1:1".parse().unwrap();
    assert!(Client::new(vec![node], options).is_err());
}
