//! The accept loop of the peer port: it knows whose connection each request came on.

use std::error::Error;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use raft_store::identity::fingerprint_of;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::call::describe;
use super::pins::PinSet;
pub use super::wire::Peer;

/// How long a TLS handshake may take.
pub(super) const HANDSHAKE_TIME: Duration = Duration::from_secs(2);
/// How long a connection may idle; longer than the client's, so that the client closes first.
const IDLE: Duration = Duration::from_secs(60);
/// Handshakes at one time. Strangers can fill these, never the connections of peers.
const HANDSHAKES_MAX: usize = 64;
/// Connections of peers at one time, all peers together.
const CONNECTIONS_MAX: usize = 1024;

type BoxError = Box<dyn Error + Send + Sync>;

/// The parts that every connection shares.
#[derive(Clone)]
struct Door {
    tls: TlsAcceptor,
    pins: PinSet,
    app: Router,
    handshakes: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

/// Serves `app` on `listener` until the future is dropped, which closes every connection.
pub async fn serve(listener: TcpListener, tls: ServerConfig, pins: PinSet, app: Router) {
    let door = Door {
        tls: TlsAcceptor::from(Arc::new(tls)),
        pins,
        app,
        handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
    };
    let mut connections = JoinSet::new();
    loop {
        let (tcp, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "peer port: accept failed");
                sleep(Duration::from_millis(100)).await; // out of descriptors: do not spin
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let Ok(handshake) = Arc::clone(&door.handshakes).try_acquire_owned() else {
            tracing::warn!(%address, "peer port: too many handshakes at once, connection dropped");
            continue;
        };
        let door = door.clone();
        connections.spawn(async move {
            let greeted = door.handshake(tcp).await;
            drop(handshake);
            let ended = match greeted {
                Ok(stream) => door.connection(stream).await,
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                tracing::info!(%address, "peer connection: {}", describe(error.as_ref()));
            }
        });
    }
}

impl Door {
    async fn handshake(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, BoxError> {
        tcp.set_nodelay(true)?;
        let stream = timeout(HANDSHAKE_TIME, self.tls.accept(tcp)).await;
        Ok(stream.map_err(|_elapsed| "the TLS handshake took too long")??)
    }

    async fn connection(&self, stream: TlsStream<TcpStream>) -> Result<(), BoxError> {
        let Ok(_slot) = self.connections.try_acquire() else {
            return Err("too many connections of peers".into());
        };
        let spki = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(|chain| chain.first());
        let key = fingerprint_of(spki.ok_or("no client key")?);
        // Subscribed before the pin is looked up again: a key that is removed between the handshake
        // and here, or comes by a resumed session, is refused all the same.
        let mut pins = self.pins.subscribe();
        let id = pins.borrow_and_update().get(&key).copied();
        let id = id.ok_or_else(|| format!("closed: {key} is no longer pinned"))?;

        let app = self.app.clone().layer(Extension(Peer { id, key }));
        let http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE) // also bounds an idle kept-alive connection
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
        let removed = async {
            let changed = pins
                .wait_for(|pins| pins.get(&key) != Some(&id))
                .await
                .is_ok();
            if !changed {
                future::pending().await // the PinSet is gone: the pins stay as they are
            }
        };
        tokio::select! {
            served = http => Ok(served?),
            () = removed => Err(format!("closed: {key} is no longer pinned for node {id}").into()),
        }
    }
}
