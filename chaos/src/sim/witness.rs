//! What a node does, in the words of the judge.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use judge::history::{Entry, Event, Kind, Mark, Release};
use raft_store::command::{Act, Advance};
use raft_store::state::{ReleaseMode, Stamp};
use raft_store::types::{self, EntryId, EntryPayload};
use raft_store::witness::{Seen, Witness};
use tezos::{ChainId, PublicKeyHash};

use super::gate::{Gate, Life};
use super::network::Machine;
use super::world::World;

/// Sees what one start of a node does, as long as that start lives.
pub struct Ear {
    world: Weak<World>,
    machine: Machine,
    life: Arc<Life>,
}

impl Ear {
    /// An ear at `life` on `machine`.
    #[must_use]
    pub fn at(world: &Arc<World>, machine: Machine, life: &Arc<Life>) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::downgrade(world),
            machine,
            life: Arc::clone(life),
        })
    }
}

impl Witness for Ear {
    fn saw(&self, node: u64, seen: Seen<'_>) {
        let Some(world) = self.world.upgrade().filter(|_| self.life.alive()) else {
            return;
        };
        match seen {
            Seen::Boot { counter } => world.history.write(Event::Boot { node, counter }),
            Seen::Vote { term, candidate } => {
                let vote = Event::Vote {
                    node,
                    term,
                    candidate,
                };
                world.history.write(vote);
                if candidate != node {
                    self.life.pass(Gate::VoteLeaves).ok();
                }
            }
            Seen::Leads { term } => {
                world.coverage.count("event: leader changed");
                world.history.write(Event::Leads { node, term });
            }
            Seen::Applied {
                entry: at,
                key,
                chain,
                kind,
                mark: now,
            } => {
                // A copy of a disk may lag behind the original: its marks are another history's.
                if world.own_disk(self.machine).is_some() {
                    let mark = mark(key, chain, kind, now);
                    let entry = entry(at);
                    world.history.write(Event::Applied { node, entry, mark });
                }
            }
            Seen::Released {
                entry: at,
                replayed,
                key,
                message,
                possession: false,
                signature,
                ..
            } => {
                let bytes = hex::encode(message);
                // Only the one that was recorded first leaves.
                if !replayed && world.signatures(&bytes) > 1 {
                    world.coverage.count("answer: record lost the race");
                }
                world.history.write(Event::Released {
                    node,
                    entry: (!replayed).then(|| entry(at)),
                    key: key_text(key),
                    bytes,
                    signature: signature.to_string(),
                });
                if replayed {
                    world.coverage.count("answer: replayed");
                }
                self.life.pass(Gate::SignatureReleased).ok();
            }
            // The simulated signer tells by itself what it signed, and the disk what is durable.
            Seen::Released { .. }
            | Seen::Signed { .. }
            | Seen::Durable { .. }
            | Seen::Undone { .. } => {}
            Seen::Refused { reason, .. } => {
                let met = REFUSALS.iter().find(|(word, _)| *word == reason);
                if let Some((_, name)) = met {
                    world.coverage.count(name);
                }
            }
        }
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Ear({:?})", self.machine)
    }
}

/// The refusals that every run of many seeds must meet, by the product's word for them.
const REFUSALS: [(&str, &str); 7] = [
    ("conflict", "answer: conflict refused"),
    ("below_watermark", "answer: below refused"),
    ("disabled", "answer: disabled refused"),
    ("burnt", "answer: burnt refused"),
    ("below_floor", "answer: floor refused"),
    ("jump", "answer: jump refused"),
    ("moved_on", "answer: record came too late"),
];

/// An entry that a disk holds now.
#[must_use]
pub fn durable(node: u64, logged: &types::Entry) -> Event {
    let mark = match &logged.payload {
        EntryPayload::Normal(proposal) => match &proposal.act {
            Act::Advance(advance) => Some(advanced(advance)),
            Act::Record(_) | Act::Permit(_) | Act::Command(_) => None,
        },
        EntryPayload::Blank | EntryPayload::Membership(_) => None,
    };
    Event::Durable {
        node,
        entry: entry(logged.log_id.into()),
        mark,
    }
}

/// The place of an entry.
#[must_use]
pub const fn entry(id: EntryId) -> Entry {
    Entry {
        term: id.term,
        index: id.index,
    }
}

/// A mark as it is in the applied state.
#[must_use]
pub fn mark(
    key: PublicKeyHash,
    chain: ChainId,
    of: tezos::Kind,
    mark: &raft_store::state::Mark,
) -> Mark {
    Mark {
        key: key_text(key),
        chain: chain_text(chain),
        kind: kind(of),
        level: mark.slot.level.get().into(),
        round: mark.slot.round.get().into(),
        digest: match &mark.stamp {
            Stamp::Burnt => String::new(),
            Stamp::Signed { digest, .. } => hex::encode(digest.as_bytes()),
        },
    }
}

thread_local! {
    /// What was written before: base58 and its checksum cost more than the rest of a line.
    static TEXTS: RefCell<(BTreeMap<PublicKeyHash, String>, BTreeMap<ChainId, String>)> =
        const { RefCell::new((BTreeMap::new(), BTreeMap::new())) };
}

/// A key, as bakers write it.
#[must_use]
pub fn key_text(key: PublicKeyHash) -> String {
    TEXTS.with_borrow_mut(|(keys, _)| {
        let text = keys.entry(key).or_insert_with(|| key.to_string());
        text.clone()
    })
}

/// A chain, as bakers write it.
#[must_use]
pub fn chain_text(chain: ChainId) -> String {
    TEXTS.with_borrow_mut(|(_, chains)| {
        let text = chains.entry(chain).or_insert_with(|| chain.to_string());
        text.clone()
    })
}

/// A kind of message.
#[must_use]
pub const fn kind(kind: tezos::Kind) -> Kind {
    match kind {
        tezos::Kind::Block => Kind::Block,
        tezos::Kind::Preattestation => Kind::Preattestation,
        tezos::Kind::Attestation => Kind::Attestation,
    }
}

/// When signatures may leave.
#[must_use]
pub const fn release(mode: ReleaseMode) -> Release {
    match mode {
        ReleaseMode::AfterCommit => Release::AfterCommit,
        ReleaseMode::AfterRecord => Release::AfterRecord,
    }
}

fn advanced(advance: &Advance) -> Mark {
    Mark {
        key: key_text(advance.key),
        chain: chain_text(advance.chain),
        kind: kind(advance.kind),
        level: advance.slot.level.get().into(),
        round: advance.slot.round.get().into(),
        digest: hex::encode(advance.digest.as_bytes()),
    }
}
