//! Refusals: decisions not to sign, in octez-signer's words where it has some, then what this
//! cluster knows, then the command that helps.

use std::fmt;

use hyper::StatusCode;
use raft_store::command::Refusal;
use raft_store::policy::Denied;
use serde::{Deserialize, Serialize};
use tezos::{ChainId, Kind, PublicKeyHash, Slot};

use super::{denial, ruling};

/// A decision not to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// The request cannot be read. The text says what and where.
    Malformed {
        /// What a person reads.
        text: String,
    },
    /// The body is longer than this listener reads.
    TooLarge {
        /// The limit, in bytes.
        body_bytes_max: usize,
    },
    /// The listener speaks plain HTTP beyond this machine, and anyone may ask for this key.
    PlainHttp {
        /// The key.
        key: PublicKeyHash,
    },
    /// Policy says no, before anything is proposed.
    Denied {
        /// What was asked.
        asked: Asked,
        /// Why not.
        why: Denied,
    },
    /// The replicated rule says no: this is committed.
    Ruled {
        /// What was asked.
        asked: Asked,
        /// Why not.
        why: Refusal,
    },
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The key that was to sign.
    pub key: PublicKeyHash,
    /// What it was to sign.
    pub message: Message,
}

/// What was to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A block or a vote.
    Consensus {
        /// Its kind.
        kind: Kind,
        /// Its chain.
        chain: ChainId,
        /// Its slot.
        slot: Slot,
    },
    /// A generic operation.
    Operation,
    /// A proof of possession.
    Possession,
}

impl Refused {
    /// The status of this refusal. None of them is retried by octez.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::PlainHttp { .. } => StatusCode::FORBIDDEN,
            Self::Denied { why, .. } => denial::status(why),
            Self::Ruled { why, .. } => ruling::status(why),
        }
    }

    /// One word for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::PlainHttp { .. } => "plain_http",
            Self::Denied { why, .. } => denial::reason(why),
            Self::Ruled { why, .. } => ruling::reason(why),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { text } => out.write_str(text),
            Self::TooLarge { body_bytes_max } => {
                write!(
                    out,
                    "the request body is longer than {body_bytes_max} bytes"
                )
            }
            Self::PlainHttp { key } => write!(
                out,
                "key {key} names no authorized client, and this listener serves only keys that \
                 do, since it speaks plain HTTP beyond this machine; quorate key edit {key} \
                 authorizes one, or give the listener a certificate"
            ),
            Self::Denied { asked, why } => denial::write(out, asked, why),
            Self::Ruled { asked, why } => ruling::write(out, asked, why),
        }
    }
}
