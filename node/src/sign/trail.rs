//! What is learnt about a request on its way, for the answer's text and the audit line.

use raft_store::command::Refusal;
use raft_store::ledger::Released;
use raft_store::policy::Denied;
use raft_store::types::EntryId;
use raft_store::witness::{Seen, Witnessed};
use tezos::payload::Payload;
use tezos::{Digest, PublicKeyHash};
use tokio::time::Instant;

use super::ask::Ask;
use crate::answer::{Asked, Message, Refused, Reply};

/// One request so far.
#[derive(Debug)]
pub(super) struct Trail<'ask> {
    ask: &'ask Ask,
    pub(super) key: PublicKeyHash,
    /// The node that forwarded it, if one did.
    pub(super) from: Option<u64>,
    pub(super) label: &'static str,
    pub(super) message: Option<Message>,
    pub(super) digest: Option<Digest>,
    pub(super) entry: Option<EntryId>,
    pub(super) started: Instant,
}

impl<'ask> Trail<'ask> {
    pub(super) fn new(ask: &'ask Ask, from: Option<u64>) -> Self {
        let message = match ask {
            Ask::Sign(_) => None,
            Ask::Prove(_) => Some(Message::Possession),
        };
        Self {
            ask,
            key: ask.key(),
            from,
            label: ask.label(),
            message,
            digest: None,
            entry: None,
            started: Instant::now(),
        }
    }

    pub(super) fn read(&mut self, payload: &Payload) {
        self.digest = Some(payload.digest());
        self.message = Some(match payload {
            Payload::Operation(_) => Message::Operation,
            Payload::Consensus(message) => Message::Consensus {
                kind: message.kind(),
                chain: message.chain(),
                slot: message.slot(),
            },
        });
    }

    pub(super) fn denied(&self, why: Denied) -> Reply {
        Refused::Denied {
            asked: self.asked(),
            why,
        }
        .into()
    }

    pub(super) fn ruled(&self, why: Refusal) -> Reply {
        Refused::Ruled {
            asked: self.asked(),
            why,
        }
        .into()
    }

    /// A signature leaves: the witness sees it while it still counts as outstanding.
    pub(super) fn released(&mut self, released: &Released, replayed: bool, witness: &Witnessed) {
        self.entry = Some(released.entry());
        witness.saw(|| Seen::Released {
            entry: released.entry(),
            replayed,
            key: self.key,
            message: self.bytes(),
            possession: matches!(self.ask, Ask::Prove(_)),
            signature: released.signature(),
            forwarded_by: self.from,
        });
    }

    /// A refusal leaves.
    pub(super) fn refused(&self, refused: &Refused, witness: &Witnessed) {
        witness.saw(|| Seen::Refused {
            entry: self.entry,
            key: self.key,
            message: self.bytes(),
            place: match self.message {
                Some(Message::Consensus { kind, chain, slot }) => Some((chain, kind, slot)),
                Some(Message::Operation | Message::Possession) | None => None,
            },
            digest: self.digest,
            reason: refused.reason(),
            forwarded_by: self.from,
        });
    }

    /// What was posted; nothing was for a proof of possession.
    fn bytes(&self) -> &'ask [u8] {
        match self.ask {
            Ask::Sign(sign) => &sign.bytes,
            Ask::Prove(_) => &[],
        }
    }

    fn asked(&self) -> Asked {
        Asked {
            key: self.key,
            message: self.message.unwrap_or(Message::Operation),
        }
    }
}
