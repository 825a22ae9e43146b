//! The protocol byte by byte: raw sockets on one side, the whole of a one-node cluster on the
//! other. What octez, balancers and taquito really send is here as they send it.

mod bad;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use raft_store::command::Command;
use raft_store::state::ReleaseMode;
use tezos::{Curve, SecretKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::config::{Config, SignerApi};
use crate::sign::tests::attestation;
use crate::sign::tests::secrets::TestSigner;
use crate::sign::tests::world::{World, enrolment};

/// A node that serves, and its one key.
struct Served {
    world: World,
    signer: TestSigner,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

/// Any answer comes sooner; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn config(change: impl FnOnce(&mut SignerApi)) -> SignerApi {
    let text = "data_dir = \"unused\"\npeers.address = \"127.0.0.1:7101\"\n";
    let mut config = Config::parse(text, std::path::Path::new("node.toml"))
        .unwrap()
        .signer;
    change(&mut config);
    config
}

async fn served(change: impl FnOnce(&mut SignerApi)) -> Served {
    let signer = TestSigner::deterministic(Curve::Ed25519);
    let config = config(change);
    let world = World::start_with(1, &config.limits, |_node| vec![signer.shared()]).await;
    world.enrol(&signer.key(), ReleaseMode::AfterCommit).await;
    let node = &world.nodes[&1];
    let service = SignerService::new(
        Arc::clone(&node.path),
        config.clone(),
        Arc::clone(&node.metrics),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let acceptor = config
        .tls
        .as_ref()
        .map(|files| tls::acceptor(files).unwrap());
    let server = tokio::spawn(serve(listener, acceptor, config.limits, service, stopped));
    Served {
        world,
        signer,
        address,
        stop,
        server,
    }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a connection of their own and reads until the node closes it.
    async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_ref()).await.unwrap();
        until_closed(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.exchange(format!("GET {path} HTTP/1.0\r\n\r\n")).await
    }

    /// `POST /keys/<pkh>` with a body of fixed length.
    async fn post(&self, body: &str) -> String {
        self.exchange(self.posted(body, "Connection: close\r\n"))
            .await
    }

    fn posted(&self, body: &str, headers: &str) -> String {
        format!(
            "POST /keys/{}?version=3 HTTP/1.1\r\nHost: signer\r\nContent-Type: application/json\r\n\
             {headers}Content-Length: {}\r\n\r\n{body}",
            self.signer.key().hash(),
            body.len()
        )
    }
}

async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the node closes")
        .unwrap();
    String::from_utf8(answer).unwrap()
}

fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("no answer: {answer:?}"))
        .parse()
        .unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn message(answer: &str) -> String {
    let trace: serde_json::Value = serde_json::from_str(body(answer)).unwrap();
    trace[0]["msg"].as_str().unwrap().to_owned()
}

fn hex_of(bytes: &[u8]) -> String {
    format!("\"{}\"", hex::encode(bytes))
}

#[tokio::test]
async fn keys_are_told_and_asked_for_under_any_base_path() {
    let served = served(|_config| {}).await;
    let key = served.signer.key();
    for base in ["", "/path/to/service", "//odd"] {
        let answer = served.get(&format!("{base}/keys/{}", key.hash())).await;
        assert_eq!(body(&answer), format!("{{\"public_key\":\"{key}\"}}\n"));
        assert!(
            answer.contains("\r\ncontent-type: application/json\r\n"),
            "{answer}"
        );
        let answer = served.get(&format!("{base}/authorized_keys")).await;
        assert_eq!(body(&answer), "{}\n");
    }
    let unknown = TestSigner::deterministic(Curve::P256).key().hash();
    let answer = served.get(&format!("/keys/{unknown}")).await;
    assert_eq!(
        (status(&answer), body(&answer)),
        (404, ""),
        "octez-signer's own answer"
    );
}

#[tokio::test]
async fn the_list_of_keys_and_proofs_of_possession_are_off_until_they_are_allowed() {
    let off = served(|_config| {}).await;
    let key = off.signer.key().hash();
    let answer = off.get("/known_keys").await;
    assert_eq!(status(&answer), 403);
    assert_eq!(message(&answer), "List known keys request not allowed.");
    let answer = off.get(&format!("/bls_prove_possession/{key}")).await;
    assert_eq!(status(&answer), 403);
    assert_eq!(
        message(&answer),
        "Request to prove possession is not allowed."
    );

    let on = served(|config| {
        config.allow_list_known_keys = true;
        config.allow_to_prove_possession = true;
    })
    .await;
    let bls = TestSigner::deterministic(Curve::Bls12_381).key();
    on.world.enrol(&bls, ReleaseMode::AfterCommit).await;
    let mut keys = [on.signer.key().hash(), bls.hash()].map(|key| key.to_string());
    keys.sort();
    let answer = on.get("/known_keys").await;
    assert_eq!(
        body(&answer),
        format!("{{\"known_keys\":[\"{}\",\"{}\"]}}\n", keys[0], keys[1])
    );
    let answer = on
        .get(&format!("/bls_prove_possession/{}", on.signer.key().hash()))
        .await;
    assert_eq!(status(&answer), 403, "tz1 has none: {answer}");
    let answer = on
        .get(&format!("/bls_prove_possession/{}", bls.hash()))
        .await;
    assert_eq!(
        status(&answer),
        500,
        "this node has no secret of it: {answer}"
    );
}

#[tokio::test]
async fn authorized_keys_lists_the_clients_of_all_keys_in_service() {
    let served = served(|_config| {}).await;
    let client = SecretKey::generate(Curve::P256)
        .unwrap()
        .public_key()
        .clone();
    let other = TestSigner::deterministic(Curve::Ed25519).key();
    let mut demanding = enrolment(&other, ReleaseMode::AfterCommit);
    demanding.authorized = vec![client.clone()];
    served
        .world
        .command(Command::Enrol(Box::new(demanding)))
        .await;
    let answer = served.get("/authorized_keys").await;
    assert_eq!(
        body(&answer),
        format!("{{\"authorized_keys\":[\"{}\"]}}\n", client.hash())
    );
    let disable = Command::Disable {
        key: other.hash(),
        generation: 1,
    };
    served.world.command(disable).await;
    assert_eq!(body(&served.get("/authorized_keys").await), "{}\n");
}

#[tokio::test]
async fn a_message_is_signed_once_and_its_conflict_refused_in_octez_words() {
    let served = served(|_config| {}).await;
    let answer = served.post(&hex_of(&attestation(10, 1))).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let signed: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    let signature = signed["signature"].as_str().unwrap().parse().unwrap();
    served
        .signer
        .key()
        .verify(&attestation(10, 1), &signature)
        .unwrap();

    let upper = hex_of(&attestation(10, 1)).to_uppercase();
    assert_eq!(
        body(&served.post(&upper).await),
        body(&answer),
        "digits of either case"
    );
    let conflict = served.post(&hex_of(&attestation(10, 2))).await;
    assert_eq!(status(&conflict), 409);
    let expected = "attestation level 10 and round 0 already signed with different data";
    assert!(message(&conflict).starts_with(expected), "{conflict}");
    let below = served.post(&hex_of(&attestation(9, 1))).await;
    assert!(
        message(&below).starts_with("attestation level 9 below high watermark 10"),
        "{below}"
    );
    assert_eq!(
        served.signer.signed(),
        2,
        "the repeat was signed again to the same bytes"
    );
}
