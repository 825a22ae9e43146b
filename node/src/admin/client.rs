//! The command line's end of the admin socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use raft_store::command::Command;
use raft_store::ledger::Committed;
use raft_store::types::EntryId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tezos::PublicKeyHash;

use super::holdings::{AskHoldings, Holdings};
use super::marks::Marks;
use super::words::{
    AskDrained, AskProof, Form, Formed, KeyReports, Loaded, Proof, Propose, Reload, Status, Trouble,
};
use crate::cli::{Exit, Failure};
use crate::cluster::Drained;

/// A connection to a running node of this machine.
#[derive(Debug)]
pub struct AdminClient {
    http: reqwest::Client,
    socket: PathBuf,
}

/// Why a node did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No node answers at the socket.
    #[error(
        "no node answers at {}: {what}; start it with `quorate node`, as the same user", socket.display()
    )]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What went wrong.
        what: String,
    },
    /// The node was reached, and its answer did not come or made no sense.
    #[error(
        "the answer of the node at {} was lost ({what}): it may have done it or not; look with \
         `quorate status` or `quorate key list`, then ask again", socket.display()
    )]
    Lost {
        /// The socket.
        socket: PathBuf,
        /// What went wrong.
        what: String,
    },
    /// The node said no, or could not.
    #[error("{0}")]
    Said(String),
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

impl AdminClient {
    /// A client for the socket of one node; `deadline` is what the node itself allows a command.
    ///
    /// # Errors
    /// If the HTTP client cannot be built.
    pub fn new(socket: &Path, deadline: Duration) -> Result<Self, reqwest::Error> {
        // The client never speaks TLS here, but reqwest wants a provider before it is built.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .timeout(deadline.saturating_mul(2))
            .build()?;
        Ok(Self {
            http,
            socket: socket.to_owned(),
        })
    }

    /// Binds the node to a cluster.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn form(&self, form: &Form) -> Result<Formed, AdminError> {
        self.post("/cluster/form", form).await
    }

    /// How the node and its cluster are.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn status(&self) -> Result<Status, AdminError> {
        self.answer(self.http.get(url("/status"))).await
    }

    /// Every key.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn keys(&self) -> Result<KeyReports, AdminError> {
        self.answer(self.http.get(url("/keys"))).await
    }

    /// Every mark of every key, from one applied state.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn marks(&self) -> Result<Marks, AdminError> {
        self.answer(self.http.get(url("/marks"))).await
    }

    /// Commits a command; a refusal comes as [`AdminError::Said`].
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn propose(&self, command: Command) -> Result<Committed, AdminError> {
        self.post("/commands", &Propose { command }).await
    }

    /// Waits until every grant from before an entry is gone, for at most the operator's deadline.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn drained(&self, entry: EntryId) -> Result<Drained, AdminError> {
        self.post("/drained", &AskDrained { entry }).await
    }

    /// Has the node open its key folders and tokens again.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn reload(&self, forgive: bool) -> Result<Loaded, AdminError> {
        self.post("/keys/reload", &Reload { forgive }).await
    }

    /// What every node says of its secrets of these keys.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn holdings(&self, keys: Vec<PublicKeyHash>) -> Result<Vec<Holdings>, AdminError> {
        self.post("/keys/holdings", &AskHoldings { keys }).await
    }

    /// A proof of possession of a BLS key.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn prove(&self, key: PublicKeyHash) -> Result<Proof, AdminError> {
        self.post("/keys/prove", &AskProof { key }).await
    }

    async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<A, AdminError> {
        self.answer(self.http.post(url(path)).json(body)).await
    }

    async fn answer<A: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<A, AdminError> {
        let response = request.send().await.map_err(|error| {
            let what = root_cause(&error);
            match error.is_connect() {
                true => AdminError::Unreachable {
                    socket: self.socket.clone(),
                    what,
                },
                false => AdminError::Lost {
                    socket: self.socket.clone(),
                    what,
                },
            }
        })?;
        let lost = |error: reqwest::Error| AdminError::Lost {
            socket: self.socket.clone(),
            what: root_cause(&error),
        };
        let succeeded = response.status().is_success();
        let body = response.bytes().await.map_err(lost)?;
        if succeeded {
            return serde_json::from_slice(&body).map_err(|error| AdminError::Lost {
                socket: self.socket.clone(),
                what: error.to_string(),
            });
        }
        match serde_json::from_slice::<Trouble>(&body) {
            Ok(trouble) => Err(AdminError::Said(trouble.error)),
            Err(_no_trouble) => Err(AdminError::Said(
                String::from_utf8_lossy(&body).into_owned(),
            )),
        }
    }
}

/// The host is not looked at: the socket is the address.
fn url(path: &str) -> String {
    format!("http://admin{path}")
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
