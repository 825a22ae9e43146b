//! What can go wrong, with refusals and outages apart (P4).

use std::fmt;

use tezos::{ParseError, PublicKeyHash};

use crate::Endpoint;

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A node answered, and the answer is no (any 4xx), or not now (500, 503). Nothing was tried elsewhere: it
    /// is the cluster's decision, and the text says who must act.
    #[error("{node} answered {status}: {message}")]
    Answered {
        /// Who answered.
        node: Endpoint,
        /// The HTTP status.
        status: u16,
        /// The `msg` of the error trace, or the body if it is no trace.
        message: String,
    },
    /// No node could decide: each one was unreachable, fell silent, or answered 502. Whether
    /// anything was signed is unknown; the same bytes may be asked again.
    #[error("no node could answer: {}", list(attempts))]
    Outage {
        /// Every node, in the order asked.
        attempts: Vec<Attempt>,
    },
    /// A node answered 200 with something else than the protocol says.
    #[error("{node} answered 200 with a body that is not {wanted}")]
    Unreadable {
        /// Who answered.
        node: Endpoint,
        /// What the body should have been.
        wanted: &'static str,
    },
    /// A key or a signature in an answer could not be parsed.
    #[error("{node} answered with text that is no {wanted}: {source}")]
    Unparsable {
        /// Who answered.
        node: Endpoint,
        /// What it should have been.
        wanted: &'static str,
        /// What the parser said.
        source: ParseError,
    },
    /// The signature or the key does not belong to the key that was asked for. It is not returned.
    #[error("{node} answered with a {what} that does not fit {key}")]
    Unfit {
        /// Who answered.
        node: Endpoint,
        /// `public key`, `signature` or `proof of possession`.
        what: &'static str,
        /// Whose it should have been.
        key: PublicKeyHash,
    },
    /// Only tz4 keys have a proof of possession.
    #[error("{key} has no proof of possession: only tz4 keys do")]
    NoPossession {
        /// Whose proof was asked for.
        key: PublicKeyHash,
    },
}

/// One node that could not answer.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Who was asked.
    pub node: Endpoint,
    /// What became of it.
    pub outage: Outage,
}

/// Why one node could not answer.
#[derive(Clone, Debug)]
pub enum Outage {
    /// No connection, a broken one, or no whole answer in time.
    Transport(String),
    /// 502: it has no leader, no quorum, or ran out of time. With its words.
    BadGateway(String),
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outage {
            Outage::Transport(what) => write!(f, "{}: {what}", self.node),
            Outage::BadGateway(said) => write!(f, "{} answered 502: {said}", self.node),
        }
    }
}

fn list(attempts: &[Attempt]) -> String {
    let lines: Vec<String> = attempts.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// There is nobody to ask.
    #[error("no node was named")]
    NoNodes,
    /// The given certificates are not PEM, or not certificates.
    #[error("the trusted certificates cannot be read: {0}")]
    Certificates(String),
    /// The HTTP library could not start.
    #[error("the HTTP client cannot start: {0}")]
    Http(#[from] reqwest::Error),
    /// The TLS library could not start.
    #[error("TLS cannot start: {0}")]
    Tls(#[from] rustls::Error),
}
