//! One request of a baker: the HTTP request that octez sends, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Response};
use http_body_util::BodyExt as _;
use judge::history::Event;
use serde_json::Value;
use tezos::PublicKeyHash;
use tokio::time::{sleep, timeout};

use super::gate::Gate;
use super::host::Running;
use super::network::Machine;
use super::witness::key_text;
use super::world::World;

/// What a baker sends.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who asks.
    pub client: u64,
    /// The key.
    pub key: PublicKeyHash,
    /// The message.
    pub bytes: Vec<u8>,
}

/// What a baker got.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The HTTP status; 0 if there was none.
    pub status: u16,
    /// The signature.
    pub signature: Option<String>,
    /// What else was said.
    pub text: String,
}

/// How patient a baker is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// How long the way to the node takes.
    pub way: Duration,
    /// When it hangs up.
    pub hangs_up: Duration,
}

/// A balancer in front of the nodes gives up after this (section 9 of the design).
pub const SERVER_TIMEOUT: Duration = Duration::from_millis(2_500);

/// Asks a machine, and writes down question and answer.
pub async fn ask(
    world: &Arc<World>,
    machine: Machine,
    question: &Question,
    patience: Patience,
) -> Answer {
    let request = world.history.next_request();
    world.history.write(Event::Asked {
        request,
        client: question.client,
        node: machine.0,
        key: key_text(question.key),
        bytes: hex::encode(&question.bytes),
    });
    sleep(patience.way).await;
    let running = world.host(machine).and_then(|host| host.running());
    let answer = match running.filter(|running| running.life.alive()) {
        None => broken("connection refused"),
        Some(running) => match timeout(patience.hangs_up, post(&running, question)).await {
            Ok(answer) => answer,
            Err(_elapsed) => broken("timed out"),
        },
    };
    sleep(patience.way).await;
    if answer.status == 200 && answer.signature.is_some() {
        world.coverage.count("answer: signed");
    } else if answer.text.starts_with("no leader") {
        world.coverage.count("answer: no leader");
    } else if answer.status == 500 {
        world.coverage.count("answer: cannot sign");
    }
    world.history.write(Event::Answered {
        request,
        status: answer.status,
        signature: answer.signature.clone(),
        text: answer.text.clone(),
    });
    answer
}

/// The connection of a baker that hangs up, or whose node is gone, is dropped in mid-request.
async fn post(running: &Running, question: &Question) -> Answer {
    let leaving = *running.drain.stop_signing().borrow();
    let Some(signer) = running.signer.get().filter(|_| !leaving) else {
        return broken("connection refused");
    };
    let service = Arc::clone(&signer.service);
    let request = http(question);
    let serving = running
        .life
        .process()
        .spawn(async move { service.respond(request).await });
    let serving = AbortOnDrop(serving);
    let Ok(Ok(response)) = running.life.outlives(serving).await else {
        return broken("connection reset");
    };
    if running.life.pass(Gate::ReplyLeaves).is_err() {
        return broken("connection reset");
    }
    read(response).await
}

fn http(question: &Question) -> Request {
    let body = format!("\"{}\"", hex::encode(&question.bytes));
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::POST;
    if let Ok(uri) = format!("/keys/{}", question.key).parse() {
        *request.uri_mut() = uri;
    }
    let json = axum::http::HeaderValue::from_static("application/json");
    request.headers_mut().insert(CONTENT_TYPE, json);
    request
}

async fn read<B>(response: Response<B>) -> Answer
where
    B: axum::body::HttpBody<Data = bytes::Bytes>,
{
    let status = response.status().as_u16();
    let Ok(body) = response.into_body().collect().await else {
        return broken("connection reset");
    };
    let body = body.to_bytes();
    let json: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let signature = json.get("signature").and_then(text);
    let words = json.pointer("/0/msg").and_then(text);
    Answer {
        status,
        signature,
        text: words.unwrap_or_default(),
    }
}

fn broken(words: &str) -> Answer {
    Answer {
        status: 0,
        signature: None,
        text: words.to_owned(),
    }
}

/// A task that is aborted when nobody waits for it any more, as a server drops what it serves when
/// the connection closes.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
