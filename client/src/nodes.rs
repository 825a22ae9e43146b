//! The nodes of a cluster, asked in turn.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use reqwest::{Method, StatusCode};

use crate::fault::{Attempt, ClientError, Outage};
use crate::{Endpoint, NoClient};

/// An answer body is read up to here: the largest honest one is a list of keys.
const BODY_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Nodes {
    http: reqwest::Client,
    /// Never empty.
    endpoints: Vec<Endpoint>,
    /// Who answered last: asked first, so that a dead node costs one request and not each.
    preferred: AtomicUsize,
}

/// A 200, and who gave it.
pub(crate) struct Answer {
    pub(crate) node: Endpoint,
    pub(crate) body: Bytes,
}

/// What is asked; the same bytes of every node.
pub(crate) struct Question {
    pub(crate) method: Method,
    /// With its query, if any. Every value in one is base58 or a digit, so nothing needs escaping.
    pub(crate) path: String,
    /// A JSON document.
    pub(crate) body: Option<String>,
}

impl Nodes {
    pub(crate) fn new(http: reqwest::Client, endpoints: Vec<Endpoint>) -> Result<Self, NoClient> {
        if endpoints.is_empty() {
            return Err(NoClient::NoNodes);
        }
        Ok(Self {
            http,
            endpoints,
            preferred: AtomicUsize::new(0),
        })
    }

    /// Asks one node after the other, each once, until one decides.
    pub(crate) async fn ask(&self, question: &Question) -> Result<Answer, ClientError> {
        let first = self.preferred.load(Ordering::Relaxed);
        let in_turn = self
            .endpoints
            .iter()
            .enumerate()
            .cycle()
            .skip(first)
            .take(self.endpoints.len());
        let mut attempts = Vec::new();
        for (number, node) in in_turn {
            let outage = match self.ask_one(node, question).await {
                Ok((StatusCode::BAD_GATEWAY, body)) => Outage::BadGateway(words(&body)),
                Ok((status, body)) => {
                    self.preferred.store(number, Ordering::Relaxed);
                    return decided(node.clone(), status, body);
                }
                Err(error) => Outage::Transport(chain(&error)),
            };
            attempts.push(Attempt {
                node: node.clone(),
                outage,
            });
        }
        Err(ClientError::Outage { attempts })
    }

    async fn ask_one(
        &self,
        node: &Endpoint,
        question: &Question,
    ) -> Result<(StatusCode, Bytes), reqwest::Error> {
        let mut request = self
            .http
            .request(question.method.clone(), node.at(&question.path));
        if let Some(body) = &question.body {
            request = request
                .header("content-type", "application/json")
                .body(body.clone());
        }
        let mut response = request.send().await?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            let room = BODY_BYTES_MAX.saturating_sub(body.len());
            body.extend(piece.iter().take(room));
            if room == 0 {
                break;
            }
        }
        Ok((status, body.into()))
    }
}

fn decided(node: Endpoint, status: StatusCode, body: Bytes) -> Result<Answer, ClientError> {
    if status == StatusCode::OK {
        Ok(Answer { node, body })
    } else {
        Err(ClientError::Answered {
            node,
            status: status.as_u16(),
            message: words(&body),
        })
    }
}

/// The `msg` of an octez error trace, or the text as it is.
fn words(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Trace {
        msg: String,
    }
    match serde_json::from_slice::<Vec<Trace>>(body) {
        Ok(trace) if !trace.is_empty() => {
            let lines: Vec<String> = trace.into_iter().map(|error| error.msg).collect();
            lines.join("; ")
        }
        Ok(_) | Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    }
}

/// reqwest says little in its own Display; the cause is further down.
fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        "no answer".to_owned()
    };
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_trace_are_its_messages_and_of_anything_else_the_text() {
        let trace = br#"[{"kind":"temporary","id":"failure","msg":"a"},{"msg":"b"}]"#;
        assert_eq!(words(trace), "a; b");
        assert_eq!(words(b"[]"), "[]");
        assert_eq!(words(b" plain \n"), "plain");
        assert_eq!(words(b""), "");
    }
}
