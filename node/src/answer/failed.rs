//! Failures: no decision, or no signature for one. Nothing here says that a message was not
//! signed, since an outcome may be unknown (R15).

use std::fmt;

use hyper::StatusCode;
use raft_store::ledger::Unavailable;
use serde::{Deserialize, Serialize};
use tezos::PublicKeyHash;

use crate::admission::Full;

/// Why there is neither a signature nor a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failed {
    /// No node leads, as far as this one has heard.
    NoLeader {
        /// How long the request was held, in milliseconds; 0 if it was not, since an earlier one
        /// already waited for a whole election.
        held_ms: u64,
    },
    /// The node that was asked does not lead (any more). The asking node goes on to the next one.
    NotLeader {
        /// Who leads, as far as it has heard.
        leader: Option<u64>,
    },
    /// The deadline passed before there was an answer.
    OutOfTime,
    /// This node's part of the cluster has stopped.
    Stopped {
        /// Why.
        reason: String,
    },
    /// The leader has no usable secret for this key.
    CannotSign {
        /// The key.
        key: PublicKeyHash,
        /// The node that leads.
        node: u64,
        /// Why not; never a secret.
        reason: String,
        /// Whether it is about to hand leadership over to a node that can.
        elsewhere: bool,
    },
    /// As many requests as this node may work on are in work.
    Overloaded {
        /// The bound that is reached.
        bound: usize,
        /// Whether it is the bound for one key, or for all of them.
        of_one_key: bool,
    },
    /// A task of this node ended without an answer: a bug.
    Bug {
        /// Where.
        place: String,
    },
}

impl Failed {
    /// octez sends a request again on 502 and on nothing else, so exactly what another node, or
    /// this one a little later, may well answer is a 502.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NoLeader { .. }
            | Self::NotLeader { .. }
            | Self::OutOfTime
            | Self::Stopped { .. }
            | Self::CannotSign {
                elsewhere: true, ..
            } => StatusCode::BAD_GATEWAY,
            Self::CannotSign {
                elsewhere: false, ..
            }
            | Self::Bug { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One word for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoLeader { .. } => "no_leader",
            Self::NotLeader { .. } => "not_leader",
            Self::OutOfTime => "out_of_time",
            Self::Stopped { .. } => "stopped",
            Self::CannotSign { .. } => "cannot_sign",
            Self::Overloaded { .. } => "overloaded",
            Self::Bug { .. } => "bug",
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeader { held_ms: 0 } => write!(
                out,
                "no leader, and a whole election was already waited for; ask again, and see which \
                 nodes are missing with: quorate cluster status"
            ),
            Self::NoLeader { held_ms } => write!(
                out,
                "no leader after waiting {held_ms} ms; ask again, and see which nodes are missing \
                 with: quorate cluster status"
            ),
            Self::NotLeader {
                leader: Some(leader),
            } => {
                write!(
                    out,
                    "this node does not lead, node {leader} does; ask again"
                )
            }
            Self::NotLeader { leader: None } => {
                write!(
                    out,
                    "this node does not lead and knows no leader; ask again"
                )
            }
            Self::OutOfTime => write!(
                out,
                "no majority answered in time, and whether it was signed is unknown; the same \
                 bytes may be asked again, and quorate cluster status shows what is slow"
            ),
            Self::Stopped { reason } => {
                write!(out, "this node has stopped: {reason}; ask another node")
            }
            Self::CannotSign {
                key,
                node,
                reason,
                elsewhere,
            } => {
                let (hand_over, next) = match elsewhere {
                    true => (", and is handing over to a node that can", "ask again"),
                    false => (
                        "",
                        "see what each node can sign with: quorate cluster status",
                    ),
                };
                write!(
                    out,
                    "node {node} leads and cannot sign with key {key}{hand_over}: {reason}; {next}"
                )
            }
            Self::Overloaded { bound, of_one_key } => {
                let of = if *of_one_key { " for this key" } else { "" };
                write!(
                    out,
                    "overloaded: {bound} requests{of} are in work; ask again later"
                )
            }
            Self::Bug { place } => write!(
                out,
                "a bug in {place}: whether it was signed is unknown; the same bytes may be asked \
                 again"
            ),
        }
    }
}

impl From<Full> for Failed {
    fn from(full: Full) -> Self {
        match full {
            Full::Node(bound) => Self::Overloaded {
                bound,
                of_one_key: false,
            },
            Full::Key(bound) => Self::Overloaded {
                bound,
                of_one_key: true,
            },
        }
    }
}

/// A leader that was deposed half way is asked no more: the next one is, with the same bytes (P3).
impl From<Unavailable> for Failed {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::NotLeader { leader } | Unavailable::Deposed { leader } => {
                Self::NotLeader { leader }
            }
            Unavailable::OutOfTime => Self::OutOfTime,
            Unavailable::Stopped { reason } => Self::Stopped { reason },
        }
    }
}
