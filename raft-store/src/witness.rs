//! Who sees what a node does at the instant it is done: the audit file of a node, the history of a
//! simulation.
//!
//! A witness is told at the place where a thing becomes true, by the thread that makes it true, and
//! that thread waits for it: what it saw is in its order, and nothing it saw is a guess. A node
//! without a witness does no more for it than to look that there is none.
//!
//! **Invariant:** a witness answers nothing, so it can neither allow nor forbid a signature.

use std::fmt::Debug;
use std::sync::Arc;

use tezos::{ChainId, Digest, Kind, PublicKeyHash, Signature, Slot};

use crate::command::{Act, Advance};
use crate::state::Mark;
use crate::types::{Entry, EntryId, EntryPayload, LogId, Vote};

/// Is told what a node does. It must be quick and must not panic: consensus and signing wait for it.
pub trait Witness: Debug + Send + Sync {
    /// Node `node` does this now.
    fn saw(&self, node: u64, seen: Seen<'_>);
}

/// Sees nothing.
impl Witness for () {
    fn saw(&self, _node: u64, _seen: Seen<'_>) {}
}

/// What a node did. Nothing here is secret but to people: messages and signatures are published by
/// the baker, or are what an auditor looks for.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// The data folder was opened by a process that belongs to a cluster.
    Boot {
        /// How often it was.
        counter: u64,
    },
    /// A granted vote is about to leave; for the node itself, its own vote is durable.
    Vote {
        /// The term.
        term: u64,
        /// For whom.
        candidate: u64,
    },
    /// The node won an election, and is about to write that down.
    Leads {
        /// The term.
        term: u64,
    },
    /// An entry of the log was synced, and its append is about to be acknowledged; or it was found
    /// when the log was opened, and synced then.
    Durable {
        /// The entry.
        entry: EntryId,
        /// What it asks for, if it advances a mark.
        advance: Option<&'a Advance>,
    },
    /// The log has no entry from this index on any more: a truncation was synced, or the log was
    /// opened and ends before it.
    Undone {
        /// The first index that is gone.
        from: u64,
    },
    /// A mark moved, gained a signature or was burnt in the applied state. It is not durable: the
    /// log gives it again.
    Applied {
        /// The entry; for an installed snapshot, the last one that it covers.
        entry: EntryId,
        /// The key.
        key: PublicKeyHash,
        /// The chain.
        chain: ChainId,
        /// The kind.
        kind: Kind,
        /// The mark as it is now.
        mark: &'a Mark,
    },
    /// A signer gave a signature, canonical (low s) and not yet verified. It may never leave.
    Signed {
        /// The key.
        key: PublicKeyHash,
        /// The bytes that were signed.
        message: &'a [u8],
        /// Whether it proves the possession of the key, which is a scheme of its own.
        possession: bool,
        /// What the signer gave.
        signature: &'a Signature,
    },
    /// A signature is about to leave the node that decided.
    Released {
        /// The entry that lets it leave.
        entry: EntryId,
        /// Whether it had been recorded before.
        replayed: bool,
        /// The key.
        key: PublicKeyHash,
        /// The bytes that were signed.
        message: &'a [u8],
        /// Whether it proves the possession of the key, which is a scheme of its own.
        possession: bool,
        /// The signature.
        signature: &'a Signature,
        /// The node that the request came through, if it did not come here.
        forwarded_by: Option<u64>,
    },
    /// A decision not to sign is about to leave the node that decided.
    Refused {
        /// The newest entry behind the decision, if one was committed for it.
        entry: Option<EntryId>,
        /// The key that was asked for.
        key: PublicKeyHash,
        /// The bytes that were asked for; empty for a proof of possession.
        message: &'a [u8],
        /// What they ask for, if they could be read and have a slot.
        place: Option<(ChainId, Kind, Slot)>,
        /// BLAKE2b-256 of them, if they could be read.
        digest: Option<Digest>,
        /// Why, in one word.
        reason: &'a str,
        /// The node that the request came through, if it did not come here.
        forwarded_by: Option<u64>,
    },
}

/// A node and who witnesses it, if anybody. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Witnessed(Option<(u64, Arc<dyn Witness>)>);

impl Witnessed {
    /// Node `node`, under the eyes of `witness`.
    #[must_use]
    pub fn new(node: u64, witness: Option<Arc<dyn Witness>>) -> Self {
        Self(witness.map(|witness| (node, witness)))
    }

    /// Whether anybody witnesses the node: what is gathered for nobody need not be gathered.
    #[must_use]
    pub const fn is_seen(&self) -> bool {
        self.0.is_some()
    }

    /// Tells the witness what the node does now. Without one, `seen` is not even made.
    pub fn saw<'a>(&self, seen: impl FnOnce() -> Seen<'a>) {
        if let Some((node, witness)) = &self.0 {
            witness.saw(*node, seen());
        }
    }

    /// The log is about to write down this vote. Openraft leads from the moment on in which it asks
    /// for that, so nothing that it does as a leader comes before this.
    pub(crate) fn writes_vote(&self, vote: &Vote) {
        if self.is_mine(vote) && vote.committed {
            self.saw(|| Seen::Leads {
                term: vote.leader_id.term,
            });
        }
    }

    /// This vote was synced, and is about to be acknowledged. A vote for another node is seen when
    /// its reply leaves.
    pub(crate) fn synced_vote(&self, vote: &Vote) {
        if self.is_mine(vote) && !vote.committed {
            self.saw(|| Seen::Vote {
                term: vote.leader_id.term,
                candidate: vote.leader_id.voted_for,
            });
        }
    }

    /// The log was opened and synced. It ends at `last`; `entries` are those that an earlier process
    /// may not have lived to be seen syncing.
    pub(crate) fn opened_log(&self, last: Option<LogId>, entries: &[Logged]) {
        self.undone_after(last);
        self.synced_entries(entries);
    }

    /// A truncation to `last` was synced.
    pub(crate) fn undone_after(&self, last: Option<LogId>) {
        self.saw(|| Seen::Undone {
            from: last.map_or(0, |last| last.index.saturating_add(1)),
        });
    }

    /// These entries were synced, and are about to be acknowledged.
    pub(crate) fn synced_entries(&self, entries: &[Logged]) {
        for Logged { entry, advance } in entries {
            self.saw(|| Seen::Durable {
                entry: *entry,
                advance: advance.as_ref(),
            });
        }
    }

    fn is_mine(&self, vote: &Vote) -> bool {
        let node = self.0.as_ref().map(|(node, _)| *node);
        node == Some(vote.leader_id.voted_for)
    }
}

/// What is to be seen of an entry once it is synced.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    entry: EntryId,
    advance: Option<Advance>,
}

impl Logged {
    /// What is to be seen of `entry`.
    pub(crate) fn of(entry: &Entry) -> Self {
        let advance = match &entry.payload {
            EntryPayload::Normal(proposal) => match &proposal.act {
                Act::Advance(advance) => Some(advance.clone()),
                Act::Record(_) | Act::Permit(_) | Act::Command(_) => None,
            },
            EntryPayload::Blank | EntryPayload::Membership(_) => None,
        };
        Self {
            entry: entry.log_id.into(),
            advance,
        }
    }
}
