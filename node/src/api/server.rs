//! An HTTP/1 listener: accepts, bounds, and stops gracefully. The signer API and the ops routes
//! are two handlers behind the same code, each on its own port, so that overload of one cannot
//! fail the other (R43).

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::config::Limits;

/// What one listener serves: a request in, an answer out. It cannot fail: a failure is an answer.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request from `peer`.
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// Serves `listener` until `stop` turns true, then lets every connection finish the request it is
/// in and returns. The caller bounds that wait.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    handler: Arc<H>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                // A full node closes at once: an empty response is what balancers retry elsewhere.
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    warn!(%peer, connections_max = limits.connections_max, "connection closed: the listener is full");
                    continue;
                };
                let connection = Connection {
                    limits: limits.clone(),
                    stop: stop.clone(),
                    _place: place,
                };
                connections.spawn(connection.run(stream, peer, tls.clone(), Arc::clone(&handler)));
            }
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Waits until the listener has to stop; nobody left to say so counts as that.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stopped| *stopped).await);
}

/// Header lines in one request; more is answered 431. octez sends six, a proxy adds a few.
const HEADER_LINES_MAX: usize = 64;

/// Waits after a failed accept. Out of file descriptors is the usual cause, and an immediate
/// second try would spin.
async fn pause_after(error: &io::Error) {
    warn!(%error, "a connection could not be accepted");
    sleep(Duration::from_millis(50)).await;
}

/// One connection and its place among [`Limits::connections_max`].
struct Connection {
    limits: Limits,
    stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn run<H: Handler>(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        tls: Option<TlsAcceptor>,
        handler: Arc<H>,
    ) {
        // An answer is one small write; waiting for more bytes would only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%peer, %error, "no TCP_NODELAY on a connection");
        }
        let Some(tls) = tls else {
            return self.speak(stream, peer, handler).await;
        };
        match timeout(self.limits.header_time, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, peer, handler).await,
            Ok(Err(error)) => debug!(%peer, %error, "a TLS handshake failed"),
            Err(_elapsed) => debug!(%peer, "a TLS handshake timed out"),
        }
    }

    async fn speak<S, H>(mut self, stream: S, peer: SocketAddr, handler: Arc<H>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
        H: Handler,
    {
        let service = service_fn(move |request| {
            let handler = Arc::clone(&handler);
            async move { Ok::<_, Infallible>(handler.handle(request, peer).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_time)
            .max_headers(HEADER_LINES_MAX)
            .max_header_size(self.limits.header_bytes_max)
            .keep_alive(true)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut self.stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%peer, %error, "a connection ended early");
        }
    }
}
