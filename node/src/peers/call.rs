//! One client per peer: it speaks to that peer's key only.

use std::error::Error;
use std::time::Duration;

use bytes::BytesMut;
use raft_store::types::{Fingerprint, Member};
use reqwest::header::HeaderMap;

use super::accept::HANDSHAKE_TIME;
use super::tls::{OwnKey, client_config};
pub use super::wire::{Answer, CallError};

/// How long the client keeps an idle connection; less than the server does.
const IDLE: Duration = Duration::from_secs(20);
/// A peer whose machine says nothing for so long is gone, and the connection with it: what waits for
/// its answer, a snapshot say, is sent anew to the start that comes back. (A process that is stopped
/// or busy is not meant: its kernel answers.)
const GONE_AFTER: Duration = Duration::from_secs(4);
/// How often a machine is asked whether it is there, while nothing else is heard of it.
const ASKED_EVERY: Duration = Duration::from_secs(1);
/// Idle connections kept to one peer.
const IDLE_MAX: usize = 32;

/// A client for one peer only. Made anew when the peer's key or address changes.
#[derive(Clone, Debug)]
pub struct PeerClient {
    http: reqwest::Client,
    base: String,
    peer: Fingerprint,
    address: String,
}

impl PeerClient {
    /// A client for `member`, which is node `node`. Connects when it is first used.
    ///
    /// # Errors
    /// If the TLS stack cannot be set up.
    pub fn new(
        me: &OwnKey,
        node: u64,
        member: &Member,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let tls = client_config(me, node, member.fingerprint)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(HANDSHAKE_TIME)
            .tcp_keepalive(ASKED_EVERY)
            .tcp_keepalive_interval(ASKED_EVERY)
            .tcp_user_timeout(GONE_AFTER)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .build()?;
        let (address, peer) = (member.address.clone(), member.fingerprint);
        Ok(Self {
            http,
            base: format!("https://{address}"),
            peer,
            address,
        })
    }

    /// Whether this client is the one for `member`.
    #[must_use]
    pub fn is_for(&self, member: &Member) -> bool {
        self.peer == member.fingerprint && self.address == member.address
    }

    /// Posts `body` and reads the whole answer within `time`, at most `limit` bytes of it.
    ///
    /// # Errors
    /// [`CallError`], with the causes that reqwest's own text leaves out.
    pub async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: impl Into<reqwest::Body> + Send,
        time: Duration,
        limit: usize,
    ) -> Result<Answer, CallError> {
        let request = self.http.post(format!("{}{path}", self.base));
        let sent = request
            .headers(headers)
            .timeout(time)
            .body(body)
            .send()
            .await;
        let mut response = sent.map_err(|error| {
            let text = describe(&error);
            if error.is_connect() {
                CallError::NotSent(text)
            } else {
                CallError::Lost(text)
            }
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > limit => {
                    return Err(CallError::Lost(format!(
                        "an answer of more than {limit} bytes"
                    )));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => {
                    return Ok(Answer {
                        status,
                        headers,
                        body: body.freeze(),
                    });
                }
                Err(error) => return Err(CallError::Lost(describe(&error))),
            }
        }
    }
}

/// An error with its causes: reqwest's own text stops before the TLS reason.
#[must_use]
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.ends_with(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}
