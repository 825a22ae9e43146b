//! The ops listener: health, metrics and status. GET and HEAD only; there is nothing to change here.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Monitor;
use super::facts::{Facts, Source};
use super::judge::{Check, Health};
use crate::answer;
use crate::api::server::{Handler, serve};
use crate::config::Limits;
use crate::metrics::Metrics;

/// What the ops listener tells about one node.
pub struct Ops<S> {
    monitor: Monitor,
    metrics: Arc<Metrics>,
    source: S,
}

impl<S: Source> Ops<S> {
    /// Health from `monitor`, figures from `metrics`, and the rest from `source`.
    pub fn new(monitor: Monitor, metrics: Arc<Metrics>, source: S) -> Arc<Self> {
        Arc::new(Self {
            monitor,
            metrics,
            source,
        })
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let known = matches!(
            path,
            "/livez" | "/readyz" | "/leader" | "/metrics" | "/status"
        ) || path
            .strip_prefix("/readyz/")
            .is_some_and(|name| check(name).is_some());
        if !known {
            return answer::empty(StatusCode::NOT_FOUND);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = answer::empty(StatusCode::METHOD_NOT_ALLOWED);
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allowed);
            return response;
        }
        let health = self.monitor.health();
        match path {
            "/livez" => verdict(self.monitor.lives(), &health, &[]),
            "/leader" => verdict(health.leads, &health, &[]),
            "/metrics" => self.metrics(),
            "/status" => answer::json(StatusCode::OK, &status(&self.source.facts(), &health)),
            _readyz => match path.strip_prefix("/readyz/").and_then(check) {
                Some(check) => verdict(!health.failed.contains(&check), &health, &[]),
                None => verdict(health.is_ready(), &health, &health.failed),
            },
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let Ok(text) = self.metrics.text() else {
            return answer::empty(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        );
        response
    }
}

fn check(name: &str) -> Option<Check> {
    Check::ALL.into_iter().find(|check| check.name() == name)
}

/// 200 or 503 and nothing between: other codes need rules in every balancer, and were misread.
fn verdict(good: bool, health: &Health, failed: &[Check]) -> Response<Full<Bytes>> {
    let role = health.role.name();
    let failed: Vec<&str> = failed.iter().map(|check| check.name()).collect();
    let (status, word) = if good {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    let body = if failed.is_empty() {
        json!({ "status": word, "role": role })
    } else {
        json!({ "status": word, "role": role, "failed": failed })
    };
    let mut response = answer::json(status, &body);
    let headers = response.headers_mut();
    headers.insert(SIGNER_ROLE, HeaderValue::from_static(role));
    if !good {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

const SIGNER_ROLE: HeaderName = HeaderName::from_static("x-signer-role");

/// For people. Like the rest of this listener it names no key and no level.
fn status(facts: &Facts, health: &Health) -> Value {
    let age_ms = |age: Option<std::time::Duration>| age.map(|age| age.as_millis());
    let peers: Value = facts
        .peers
        .iter()
        .map(|(id, peer)| {
            let value = json!({ "hello_age_ms": age_ms(peer.hello_age), "suspect": peer.suspect });
            (id.to_string(), value)
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "node": facts.me,
        "role": health.role.name(),
        "ready": health.is_ready(),
        "failed": health.failed.iter().map(|check| check.name()).collect::<Vec<_>>(),
        "leader": facts.leader,
        "term": facts.term,
        "committed": facts.committed,
        "applied": facts.applied,
        "quorum_ack_age_ms": age_ms(facts.quorum_ack_age),
        "voters": facts.voters,
        "peers": peers,
    })
}

impl<S: Source> Handler for Ops<S> {
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        _peer: SocketAddr,
    ) -> Response<Full<Bytes>> {
        self.answer(&request)
    }
}

impl<S> std::fmt::Debug for Ops<S> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ops")
            .field("monitor", &self.monitor)
            .finish_non_exhaustive()
    }
}

/// Serves the ops routes on `listener` until `stop` turns true.
pub async fn serve_ops<S: Source>(
    listener: TcpListener,
    ops: Arc<Ops<S>>,
    stop: watch::Receiver<bool>,
) {
    serve(listener, None, Limits::default(), ops, stop).await;
}
