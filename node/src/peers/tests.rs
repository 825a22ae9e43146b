//! Who may connect, who may not, and what an operator reads then (R22).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::{Extension, Router, routing::post};
use raft_store::identity::{Identity, NodeKey};
use raft_store::types::{Fingerprint, Member};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::ServerName;
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, HandshakeKind, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::subscriber::DefaultGuard;

use super::accept::{Peer, serve};
use super::call::PeerClient;
use super::pins::{PinSet, Pins};
use super::tls::{OwnKey, client_config, server_config};

const TIME: Duration = Duration::from_secs(5);

/// Node 1 serves; nodes 2 and 3 are its peers.
struct Port {
    nodes: BTreeMap<u64, Identity>,
    pins: PinSet,
    at: SocketAddr,
    reached: Arc<Notify>,
    log: Log,
    _tracing: DefaultGuard,
}

/// What was logged by this test's thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    async fn says(&self, words: &str) {
        let ends = Instant::now() + TIME;
        loop {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            if text.contains(words) {
                return;
            }
            assert!(Instant::now() < ends, "{words:?} is not in the log: {text}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn port() -> Port {
    port_with(|_| ()).await
}

async fn port_with(change: impl FnOnce(&mut rustls::ServerConfig)) -> Port {
    let log = Log::default();
    let sink = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || sink.clone());
    let tracing = tracing::subscriber::set_default(subscriber.finish());
    let nodes: BTreeMap<_, _> = (1..=3)
        .map(|id| (id, Identity::generate().unwrap()))
        .collect();
    let pins = PinSet::new(pinned(&nodes, &[1, 2, 3]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let reached = Arc::new(Notify::new());
    let arrived = Arc::clone(&reached);
    let hang = async move || {
        arrived.notify_one();
        std::future::pending::<()>().await;
    };
    let app = Router::new()
        .route(
            "/who",
            post(async |Extension(peer): Extension<Peer>| peer.id.to_string()),
        )
        .route("/hang", post(hang));
    let mut tls = server_config(&OwnKey::new(nodes[&1].key()).unwrap(), &pins).unwrap();
    change(&mut tls);
    tokio::spawn(serve(listener, tls, pins.clone(), app));
    Port {
        nodes,
        pins,
        at,
        reached,
        log,
        _tracing: tracing,
    }
}

fn pinned(nodes: &BTreeMap<u64, Identity>, ids: &[u64]) -> Pins {
    ids.iter()
        .map(|id| (nodes[id].fingerprint(), *id))
        .collect()
}

impl Port {
    fn client(&self, key: &NodeKey, node: u64, pin: Fingerprint) -> PeerClient {
        let member = Member {
            address: self.at.to_string(),
            fingerprint: pin,
        };
        PeerClient::new(&OwnKey::new(key).unwrap(), node, &member).unwrap()
    }

    fn client_of(&self, node: u64) -> PeerClient {
        self.client(self.nodes[&node].key(), 1, self.nodes[&1].fingerprint())
    }

    fn config_of(&self, node: u64) -> ClientConfig {
        let key = OwnKey::new(self.nodes[&node].key()).unwrap();
        client_config(&key, 1, self.nodes[&1].fingerprint()).unwrap()
    }

    /// A bare TLS connection, to do what the client never does.
    async fn connect(&self, config: Arc<ClientConfig>) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.at).await.unwrap();
        let name = ServerName::from(self.at.ip());
        TlsConnector::from(config).connect(name, tcp).await.unwrap()
    }

    /// A connection that has answered a request. What the server says of the session itself, it
    /// says before that: every ticket that comes at all is here.
    async fn answered(&self, config: Arc<ClientConfig>) -> TlsStream<TcpStream> {
        let mut tls = self.connect(config).await;
        let request = b"POST /who HTTP/1.1\r\nhost: node\r\ncontent-length: 0\r\n\r\n";
        AsyncWriteExt::write_all(&mut tls, request).await.unwrap();
        assert_eq!(next(&mut tls).await.unwrap(), b'H', "of HTTP/1.1");
        tls
    }

    async fn refused(&self, client: &PeerClient, client_says: &str, server_says: &str) {
        let error = ask(client, "/who").await.expect_err("must be refused");
        assert!(error.contains(client_says), "{error}");
        self.log.says(server_says).await;
    }
}

/// What comes next on a connection, where something must.
async fn next(tls: &mut TlsStream<TcpStream>) -> io::Result<u8> {
    timeout(TIME, tls.read_u8()).await.expect("nothing came")
}

async fn ask(client: &PeerClient, path: &str) -> Result<String, String> {
    let answer = client
        .post(path, Default::default(), vec![], TIME, 1024)
        .await;
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(answer.body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_knows_whose_connection_it_is_on() {
    let port = port().await;
    assert_eq!(ask(&port.client_of(2), "/who").await.unwrap(), "2");
    assert_eq!(ask(&port.client_of(3), "/who").await.unwrap(), "3");
}

#[tokio::test]
async fn a_key_that_nobody_pinned_is_refused_and_both_sides_say_so() {
    let port = port().await;
    let stranger = Identity::generate().unwrap();
    let client = port.client(stranger.key(), 1, port.nodes[&1].fingerprint());
    let words = format!(
        "the client's key {} is not pinned for any node",
        stranger.fingerprint()
    );
    port.refused(&client, "CertificateUnknown", &words).await;
}

#[tokio::test]
async fn a_node_without_a_cluster_says_that_it_has_none() {
    let port = port().await;
    port.pins.replace(Pins::new());
    let words = "this node belongs to no cluster yet; run `quorate cluster form`";
    port.refused(&port.client_of(2), "CertificateUnknown", words)
        .await;
}

#[tokio::test]
async fn a_server_with_another_key_under_a_right_id_is_refused() {
    let port = port().await;
    let old = Identity::generate().unwrap().fingerprint();
    let client = port.client(port.nodes[&2].key(), 1, old);
    let now = port.nodes[&1].fingerprint();
    let words = format!("node 1 is pinned to {old}, but the server's key is {now}");
    port.refused(&client, &words, "CertificateUnknown").await;
}

#[tokio::test]
async fn the_server_of_another_node_is_refused_though_its_key_is_pinned() {
    let port = port().await;
    // The address of node 3 leads to node 1.
    let client = port.client(port.nodes[&2].key(), 3, port.nodes[&3].fingerprint());
    port.refused(&client, "node 3 is pinned to", "CertificateUnknown")
        .await;
}

/// Offers raw public keys and has none, or knows certificates only.
#[derive(Debug)]
struct NoKey {
    offer: bool,
}

impl ResolvesClientCert for NoKey {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        self.offer
    }

    fn has_certs(&self) -> bool {
        self.offer
    }
}

#[tokio::test]
async fn a_client_without_a_key_is_refused() {
    let port = port().await;
    let mut config = port.config_of(2);
    config.client_auth_cert_resolver = Arc::new(NoKey { offer: true });
    let mut tls = port.connect(Arc::new(config.clone())).await;
    let error = next(&mut tls).await.unwrap_err().to_string();
    assert!(error.contains("CertificateRequired"), "{error}");
    port.log.says("peer sent no certificates").await;

    config.client_auth_cert_resolver = Arc::new(NoKey { offer: false });
    let tcp = TcpStream::connect(port.at).await.unwrap();
    let name = ServerName::from(port.at.ip());
    assert!(
        TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .is_err()
    );
    port.log.says("IncorrectCertificateTypeExtension").await;
}

/// Shows node 2's public key, and signs with another private one.
#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl ResolvesClientCert for Thief {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_pinned_key_without_its_private_half_is_refused() {
    let port = port().await;
    let own = Identity::generate().unwrap();
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(own.key().pkcs8().to_vec());
    let provider = rustls::crypto::ring::default_provider().key_provider;
    let private = provider.load_private_key(private.into()).unwrap();
    let stolen = CertifiedKey::new(vec![port.nodes[&2].key().spki().into()], private);
    let mut config = port.config_of(2);
    config.client_auth_cert_resolver = Arc::new(Thief(Arc::new(stolen)));
    let mut tls = port.connect(Arc::new(config)).await;
    let error = next(&mut tls).await.unwrap_err().to_string();
    assert!(error.contains("DecryptError"), "{error}");
    port.log.says("BadSignature").await;
}

#[tokio::test]
async fn a_removed_peer_loses_its_connections_and_a_new_one_needs_no_restart() {
    let port = port().await;
    let (two, three) = (port.client_of(2), port.client_of(3));
    assert_eq!(ask(&two, "/who").await.unwrap(), "2");
    let busy = tokio::spawn(async move { (ask(&three, "/hang").await, three) });
    port.reached.notified().await;

    port.pins.replace(pinned(&port.nodes, &[1, 2]));
    let (lost, three) = timeout(TIME / 2, busy)
        .await
        .expect("closed at once")
        .unwrap();
    assert!(lost.is_err(), "{lost:?}");
    port.log.says("is no longer pinned for node 3").await;
    port.refused(&three, "CertificateUnknown", "is not pinned for any node")
        .await;
    assert_eq!(ask(&two, "/who").await.unwrap(), "2");

    let four = Identity::generate().unwrap();
    let mut pins = pinned(&port.nodes, &[1, 2]);
    pins.insert(four.fingerprint(), 4);
    port.pins.replace(pins);
    let client = port.client(four.key(), 1, port.nodes[&1].fingerprint());
    assert_eq!(ask(&client, "/who").await.unwrap(), "4");
}

#[tokio::test]
async fn nothing_is_resumed_though_the_client_would() {
    let port = port().await;
    let mut config = port.config_of(2);
    config.resumption = Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    for _ in 0..2 {
        let tls = port.answered(Arc::clone(&config)).await;
        assert_eq!(tls.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
}

/// The control of the test above: with resumption on, no verifier is called, and the accept loop
/// still finds that the key was removed.
#[tokio::test]
async fn a_resumed_session_of_a_removed_peer_is_closed_after_the_handshake() {
    let port = port_with(|tls| {
        tls.session_storage = ServerSessionMemoryCache::new(8);
        tls.send_tls13_tickets = 2;
    })
    .await;
    let mut config = port.config_of(2);
    config.resumption = Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    let full = port.answered(Arc::clone(&config)).await;
    assert_eq!(full.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));

    port.pins.replace(pinned(&port.nodes, &[1, 3]));
    let mut resumed = port.connect(config).await;
    assert_eq!(
        resumed.get_ref().1.handshake_kind(),
        Some(HandshakeKind::Resumed)
    );
    assert!(next(&mut resumed).await.is_err(), "it stays open");
    port.log.says("is no longer pinned").await;
}
