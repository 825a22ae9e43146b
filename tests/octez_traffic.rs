//! The bytes that octez clients and balancers really put on the wire, replayed one by one.
//!
//! The mix that a baker behind a load balancer makes: a health probe in HTTP/1.0 that asks to close, `GET
//! /authorized_keys` before every signature on a connection of its own, and then the request in chunks.

use tezos::{Curve, PublicKey};

use crate::raw::{self, Answer};
use crate::world::{CURVES, World, attestation, quoted};

/// What cohttp sends for octez (`src/lib_rpc_http/media_type.ml`: JSON first, then two binary
/// forms that nobody has to know).
const ACCEPT: &str =
    "accept: application/json;q=1000,application/bson;q=100,application/octet-stream;q=200\r\n";

#[tokio::test]
async fn the_traffic_of_2020_is_answered_byte_for_byte_as_octez_expects() {
    let mut world = World::of(&CURVES).await;
    for curve in CURVES {
        let key = world.key(curve);
        for id in 1..=3 {
            let port = world.port(id);
            probe(port).await;
            authorized_keys(port).await;
            let slot = world.next_slot();
            let message = attestation(&key, slot, 0);
            let answer = raw::exchange(port, &chunked(port, &key, &message, &[1, 64])).await;
            let signature = signature(&key, &message, &answer);
            // The balancer lost the answer and asks again, in another shape, elsewhere.
            let other = world.port(id % 3 + 1);
            let again = raw::exchange(other, &chunked(other, &key, &message, &[7, 1, 1, 30])).await;
            assert_eq!(again.signature(), signature);
        }
    }
}

/// HAProxy's probe: HTTP/1.0, `Connection: close`, no host.
async fn probe(port: u16) {
    let bytes = b"GET /authorized_keys HTTP/1.0\r\nConnection: close\r\n\r\n";
    let answer = raw::exchange(port, bytes).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        !answer.headers.contains_key("transfer-encoding"),
        "HTTP/1.0 knows no chunks"
    );
    assert_eq!(answer.body.trim(), "{}");
}

async fn authorized_keys(port: u16) {
    let request = format!(
        "GET /authorized_keys HTTP/1.1\r\n{ACCEPT}host: 127.0.0.1:{port}\r\nuser-agent: ocaml-cohttp/5.3.1\r\nconnection: close\r\n\r\n"
    );
    let answer = raw::exchange(port, request.as_bytes()).await;
    assert_eq!((answer.status, answer.body.trim()), (200, "{}"));
    assert_eq!(
        answer.headers.get("content-type").unwrap(),
        "application/json"
    );
}

/// A POST without a length, in chunks of these sizes and a last one with the rest.
fn chunked(port: u16, key: &PublicKey, message: &[u8], sizes: &[usize]) -> Vec<u8> {
    let body = quoted(message);
    let mut rest = body.as_str();
    let mut request = format!(
        "POST /keys/{}?version=3 HTTP/1.1\r\n{ACCEPT}content-type: application/json\r\nhost: 127.0.0.1:{port}\r\ntransfer-encoding: chunked\r\nuser-agent: ocaml-cohttp/5.3.1\r\n\r\n",
        key.hash()
    );
    for size in sizes.iter().copied().chain([usize::MAX]) {
        let (chunk, behind) = rest.split_at(size.min(rest.len()));
        request.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
        rest = behind;
    }
    request.push_str("0\r\n\r\n");
    request.into_bytes()
}

fn signature(key: &PublicKey, message: &[u8], answer: &Answer) -> String {
    let text = answer.signature();
    let signature = tezos::Signature::parse(key.curve(), &text).unwrap();
    assert!(key.verify(message, &signature).is_ok());
    assert!(
        answer.headers.contains_key("content-length"),
        "octez wants a fixed length"
    );
    assert_eq!(
        answer.headers.get("content-type").unwrap(),
        "application/json"
    );
    text
}

/// Every other shape that a client of this protocol has been seen to send.
#[tokio::test]
async fn every_shape_of_a_request_gets_the_same_signature() {
    let mut world = World::of(&[Curve::Ed25519]).await;
    let key = world.key(Curve::Ed25519);
    let slot = world.next_slot();
    let message = attestation(&key, slot, 0);
    let (hash, body) = (key.hash(), quoted(&message));
    let length = body.len();
    let upper = body.to_uppercase();
    let shapes = [
        format!("POST /keys/{hash} HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}"),
        format!("POST /keys/{hash} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}"),
        format!(
            "POST /keys/{hash}?version=2 HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{upper}"
        ),
        format!(
            "POST /some/base/path/keys/{hash}?version=0 HTTP/1.1\r\nHOST: a\r\nCONTENT-LENGTH: {length}\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{body}"
        ),
        format!(
            "POST /keys/{hash}?version=3 HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\naccept: */*\r\ncontent-length: {}\r\n\r\n {body}\n",
            length + 2
        ),
    ];
    let port = world.port(1);
    let first = raw::exchange(port, &raw::post(&format!("/keys/{hash}"), &body))
        .await
        .signature();
    for shape in shapes {
        assert_eq!(
            raw::exchange(port, shape.as_bytes()).await.signature(),
            first,
            "{shape}"
        );
    }
}

/// curl's way with larger bodies. A server that does not say 100 costs such a client a second.
#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_told_to() {
    let mut world = World::of(&[Curve::Ed25519]).await;
    let key = world.key(Curve::Ed25519);
    let slot = world.next_slot();
    let body = quoted(&attestation(&key, slot, 0));
    let head = format!(
        "POST /keys/{} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        key.hash(),
        body.len()
    );
    let mut sent = raw::send(world.port(2), head.as_bytes()).await;
    assert_eq!(sent.line().await, "HTTP/1.1 100 Continue");
    sent.write(body.as_bytes()).await;
    assert_eq!(sent.answer().await.unwrap().status, 200);
}
