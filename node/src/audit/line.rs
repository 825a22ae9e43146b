//! One line of the audit file. Its fields are those of the history that `quorate-chaos judge` reads,
//! and a few more for people.

use raft_store::command::Advance;
use raft_store::state::Stamp;
use raft_store::types::EntryId;
use raft_store::witness::Seen;
use serde::Serialize;
use tezos::{ChainId, Digest, Kind, PublicKeyHash, Signature, Slot};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// What is written of one thing that was seen.
#[derive(Debug)]
pub(super) struct Line<'a>(Event<'a>);

#[derive(Debug, Serialize)]
struct Written<'a> {
    /// Microseconds on `CLOCK_MONOTONIC`.
    at_us: u64,
    #[serde(flatten)]
    event: &'a Event<'a>,
    /// The time of day in UTC, for people: it may step back.
    wall: String,
}

/// **Invariant:** there is no field for a secret. Messages and signatures are what an auditor needs
/// to prove what was signed, and a baker publishes both.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Boot {
        node: u64,
        counter: u64,
    },
    Vote {
        node: u64,
        term: u64,
        candidate: u64,
    },
    Leads {
        node: u64,
        term: u64,
    },
    Durable {
        node: u64,
        entry: EntryId,
        mark: Option<Place>,
    },
    Undone {
        node: u64,
        from: u64,
    },
    Applied {
        node: u64,
        entry: EntryId,
        mark: Place,
        /// The signature that is recorded for it.
        recorded: Option<String>,
    },
    Signed {
        node: u64,
        key: String,
        bytes: String,
        signature: String,
    },
    Released {
        node: u64,
        /// None if the signature was recorded before, by an entry that had its own line.
        entry: Option<EntryId>,
        key: String,
        bytes: String,
        signature: String,
        replayed: bool,
        /// The entry that was committed for this very request.
        decided: EntryId,
        forwarded_by: Option<u64>,
    },
    Proved {
        node: u64,
        entry: EntryId,
        key: String,
        signature: String,
        forwarded_by: Option<u64>,
    },
    Refused {
        node: u64,
        entry: Option<EntryId>,
        key: String,
        bytes: String,
        reason: &'a str,
        /// What was asked, if it could be read.
        asked: Option<Place>,
        forwarded_by: Option<u64>,
    },
}

/// A slot of a key, chain and kind, with what stands there.
#[derive(Debug, Serialize)]
struct Place {
    key: String,
    chain: String,
    kind: &'static str,
    level: u32,
    round: u32,
    /// BLAKE2b-256 of the message; empty for a slot that is burnt.
    digest: String,
}

impl<'a> Line<'a> {
    /// The line of what was seen, if it has one: a proof of possession that a signer made has its
    /// line when it leaves.
    pub(super) fn of(node: u64, seen: Seen<'a>) -> Option<Self> {
        Some(Self(match seen {
            Seen::Boot { counter } => Event::Boot { node, counter },
            Seen::Vote { term, candidate } => Event::Vote {
                node,
                term,
                candidate,
            },
            Seen::Leads { term } => Event::Leads { node, term },
            Seen::Durable { entry, advance } => Event::Durable {
                node,
                entry,
                mark: advance.map(Place::advanced),
            },
            Seen::Undone { from } => Event::Undone { node, from },
            Seen::Applied {
                entry,
                key,
                chain,
                kind,
                mark,
            } => {
                let (digest, recorded) = match &mark.stamp {
                    Stamp::Burnt => (None, None),
                    Stamp::Signed { digest, signature } => (Some(*digest), signature.as_ref()),
                };
                Event::Applied {
                    node,
                    entry,
                    mark: Place::of(key, chain, kind, mark.slot, digest),
                    recorded: recorded.map(Signature::to_string),
                }
            }
            Seen::Signed { .. } | Seen::Released { .. } | Seen::Refused { .. } => {
                Event::of_a_request(node, seen)?
            }
        }))
    }

    /// The line as it is written, with its line feed.
    pub(super) fn text(&self, at_us: u64) -> serde_json::Result<String> {
        let mut wall = String::new();
        // A time of day that cannot be written is left out: nothing hangs on it.
        SystemTime.format_time(&mut Writer::new(&mut wall)).ok();
        let written = Written {
            at_us,
            event: &self.0,
            wall,
        };
        let mut text = serde_json::to_string(&written)?;
        text.push('\n');
        Ok(text)
    }
}

impl<'a> Event<'a> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is not about a request has its line already"
    )]
    fn of_a_request(node: u64, seen: Seen<'a>) -> Option<Self> {
        match seen {
            Seen::Signed {
                possession: false,
                key,
                message,
                signature,
            } => Some(Self::Signed {
                node,
                key: key.to_string(),
                bytes: hex::encode(message),
                signature: signature.to_string(),
            }),
            Seen::Released {
                entry,
                possession: true,
                key,
                signature,
                forwarded_by,
                ..
            } => Some(Self::Proved {
                node,
                entry,
                key: key.to_string(),
                signature: signature.to_string(),
                forwarded_by,
            }),
            Seen::Released {
                entry,
                replayed,
                key,
                message,
                possession: false,
                signature,
                forwarded_by,
            } => Some(Self::Released {
                node,
                entry: (!replayed).then_some(entry),
                key: key.to_string(),
                bytes: hex::encode(message),
                signature: signature.to_string(),
                replayed,
                decided: entry,
                forwarded_by,
            }),
            Seen::Refused {
                entry,
                key,
                message,
                place,
                digest,
                reason,
                forwarded_by,
            } => Some(Self::Refused {
                node,
                entry,
                key: key.to_string(),
                bytes: hex::encode(message),
                reason,
                asked: place.map(|(chain, kind, slot)| Place::of(key, chain, kind, slot, digest)),
                forwarded_by,
            }),
            _ => None,
        }
    }
}

impl Place {
    fn advanced(advance: &Advance) -> Self {
        let Advance {
            key,
            chain,
            kind,
            slot,
            digest,
        } = *advance;
        Self::of(key, chain, kind, slot, Some(digest))
    }

    fn of(
        key: PublicKeyHash,
        chain: ChainId,
        kind: Kind,
        slot: Slot,
        digest: Option<Digest>,
    ) -> Self {
        Self {
            key: key.to_string(),
            chain: chain.to_string(),
            kind: kind.name(),
            level: slot.level.get(),
            round: slot.round.get(),
            digest: digest.map_or_else(String::new, |digest| digest.to_string()),
        }
    }
}
