//! The five services of the octez-signer protocol.
//!
//! `/keys` and `/authorized_keys` answer from this node's applied state, on every node and also
//! without a leader: an octez client asks them before every signature.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use tezos::{PublicKey, PublicKeyHash};

use super::body;
use super::fault::Fault;
use super::message;
use super::negotiation;
use super::query::Query;
use super::route::Route;
use super::server::Handler;
use crate::answer;
use crate::config::{PlainHttp, SignerApi};
use crate::metrics::Metrics;
use crate::sign::{Ask, Peers, Prove, Sign, SignPath};

/// The signer API of one node.
#[derive(Debug)]
pub struct SignerService<P> {
    path: Arc<SignPath<P>>,
    config: SignerApi,
    metrics: Arc<Metrics>,
}

type Answer = Response<Full<Bytes>>;

/// The body of a request: of a connection, or of whatever else carries one.
pub trait Asked: Body<Data = Bytes, Error: Display + Send> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error: Display + Send> + Send + Unpin + 'static> Asked for B {}

impl<P: Peers> SignerService<P> {
    /// The services over a sign path, as `config` allows them.
    pub fn new(path: Arc<SignPath<P>>, config: SignerApi, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            path,
            config,
            metrics,
        })
    }

    /// Answers one request, whatever it came over.
    pub async fn respond<B: Asked>(&self, request: Request<B>) -> Answer {
        let response = match self.answer(request).await {
            Ok(response) => response,
            Err(fault) => fault.http(),
        };
        self.metrics.responded(response.status().as_u16());
        response
    }

    async fn answer<B: Asked>(&self, request: Request<B>) -> Result<Answer, Fault> {
        match self.read_head(&request) {
            Ok(call) => self.serve(call, request).await,
            Err(fault) => {
                // A body that nobody reads would be taken for the next request, or reset the
                // connection under the answer.
                drop(body::read(request, &self.config.limits).await);
                Err(fault)
            }
        }
    }

    /// Everything that can be said before the body, in octez-signer's order: path, argument,
    /// method, content types, query.
    fn read_head<B>(&self, request: &Request<B>) -> Result<Call, Fault> {
        if request.method() == Method::HEAD {
            return Err(Fault::Head);
        }
        let route = Route::find(request.uri().path(), &self.config.base_path);
        let route = route.ok_or(Fault::NoRoute)?;
        let key = argument(&route)?;
        if !route.allows(request.method()) {
            return Err(Fault::Method {
                allowed: route.allowed(),
            });
        }
        if request.method() == Method::POST && !negotiation::reads(request.headers()) {
            return Err(Fault::ContentType);
        }
        if !negotiation::accepted(request.headers()) {
            return Err(Fault::NotAcceptable);
        }
        let query = |known| {
            Query::read(request.uri().query(), known).map_err(|fault| {
                Fault::Malformed(format!("Failed to parse the query string: {fault}"))
            })
        };
        Ok(match (route, key) {
            (Route::Key(_), Some(key)) if request.method() == Method::POST => {
                Call::Sign(key, query(Query::SIGN)?)
            }
            (Route::Key(_), Some(key)) => query(Query::NONE).map(|_none| Call::PublicKey(key))?,
            (Route::ProvePossession(_), Some(key)) => Call::Prove(key, query(Query::PROVE)?),
            (Route::KnownKeys, _) => query(Query::NONE).map(|_none| Call::KnownKeys)?,
            (Route::AuthorizedKeys, _) => query(Query::NONE).map(|_none| Call::AuthorizedKeys)?,
            (Route::Key(_) | Route::ProvePossession(_), None) => return Err(Fault::NoRoute),
        })
    }

    async fn serve<B: Asked>(&self, call: Call, request: Request<B>) -> Result<Answer, Fault> {
        match call {
            Call::AuthorizedKeys => Ok(self.authorized_keys()),
            Call::KnownKeys if self.config.allow_list_known_keys => Ok(self.known_keys()),
            Call::KnownKeys => Err(Fault::Off("List known keys request not allowed.")),
            Call::PublicKey(key) => self.public_key(&key),
            Call::Sign(key, query) => self.sign(key, query, request).await,
            Call::Prove(key, query) if self.config.allow_to_prove_possession => {
                self.prove(key, query).await
            }
            Call::Prove(..) => Err(Fault::Off("Request to prove possession is not allowed.")),
        }
    }

    async fn sign<B: Asked>(
        &self,
        key: PublicKeyHash,
        query: Query,
        request: Request<B>,
    ) -> Result<Answer, Fault> {
        let body = body::read(request, &self.config.limits)
            .await
            .map_err(Fault::Body)?;
        let bytes = message::read(&body).map_err(|fault| {
            Fault::Malformed(format!("Failed to parse the request body: {fault}"))
        })?;
        let ask = Ask::Sign(Sign {
            key,
            bytes,
            authentication: query.authentication,
            version: query.version,
            authorized_only: self.config.allow_plain_http == PlainHttp::AuthorizedKeysOnly
                && self.config.tls.is_none(),
        });
        Ok(self.path.request(ask).await.http())
    }

    async fn prove(&self, key: PublicKeyHash, query: Query) -> Result<Answer, Fault> {
        let bls_pk = query
            .bls_pk
            .map(|text| text.parse::<PublicKey>())
            .transpose();
        let bls_pk = bls_pk.map_err(|fault| {
            Fault::Malformed(format!("Failed to parse the query string: bls_pk: {fault}"))
        })?;
        Ok(self
            .path
            .request(Ask::Prove(Prove { key, bls_pk }))
            .await
            .http())
    }

    fn public_key(&self, key: &PublicKeyHash) -> Result<Answer, Fault> {
        let state = self.path.peers().ledger().state();
        let enrolled = state.keys.get(key).ok_or(Fault::NoSuchKey)?;
        let public_key = enrolled.public_key.to_string();
        Ok(answer::json(
            StatusCode::OK,
            &json!({ "public_key": public_key }),
        ))
    }

    fn known_keys(&self) -> Answer {
        let state = self.path.peers().ledger().state();
        let keys: Vec<String> = state.keys.keys().map(ToString::to_string).collect();
        answer::json(StatusCode::OK, &json!({ "known_keys": keys }))
    }

    /// `{}` says that nobody needs to authenticate. An empty list would say that nobody may ask:
    /// an octez client fails on it. The protocol has one list for all keys, so it is the union over
    /// the keys in service.
    fn authorized_keys(&self) -> Answer {
        let state = self.path.peers().ledger().state();
        let in_service = state.keys.values().filter(|key| key.enabled);
        let clients: BTreeSet<PublicKeyHash> = in_service
            .flat_map(|key| &key.authorized)
            .map(PublicKey::hash)
            .collect();
        let clients: Vec<String> = clients.iter().map(ToString::to_string).collect();
        let body = if clients.is_empty() {
            json!({})
        } else {
            json!({ "authorized_keys": clients })
        };
        answer::json(StatusCode::OK, &body)
    }
}

/// What a request's head asks for.
enum Call {
    AuthorizedKeys,
    KnownKeys,
    PublicKey(PublicKeyHash),
    Sign(PublicKeyHash, Query),
    Prove(PublicKeyHash, Query),
}

/// The key that a path names, if its service takes one.
fn argument(route: &Route<'_>) -> Result<Option<PublicKeyHash>, Fault> {
    let (after, text) = match *route {
        Route::AuthorizedKeys | Route::KnownKeys => return Ok(None),
        Route::Key(text) => ("keys", text),
        Route::ProvePossession(text) => ("bls_prove_possession", text),
    };
    text.parse().map(Some).map_err(|fault| {
        let shown: String = text.chars().take(60).collect();
        Fault::Malformed(format!(
            "Failed to parsed an argument in path. After \"{after}\", the value \"{shown}\" is not \
             acceptable for type \"pkh\": {fault}"
        ))
    })
}

impl<P: Peers> Handler for SignerService<P> {
    async fn handle(self: Arc<Self>, request: Request<Incoming>, _peer: SocketAddr) -> Answer {
        self.respond(request).await
    }
}
