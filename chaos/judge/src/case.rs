//! A history as the invariants look at it: messages and signatures are read once, and a line knows
//! which it is about.

use std::collections::{BTreeMap, BTreeSet};

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};

use crate::history::{Action, Event, Key, Kind, Line, Mark, Release};
use crate::message::{Content, Slot};
use crate::signature::{self, Signature};

/// What a mark is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place<'c> {
    pub(crate) key: &'c str,
    pub(crate) chain: &'c str,
    pub(crate) kind: Kind,
}

impl<'c> Place<'c> {
    /// Where a mark of the history stands, and at which slot.
    pub(crate) fn of(mark: &'c Mark) -> (Self, Slot) {
        let place = Self {
            key: &mark.key,
            chain: &mark.chain,
            kind: mark.kind,
        };
        let slot = Slot {
            level: mark.level,
            round: mark.round,
        };
        (place, slot)
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} of {} on {}", self.kind, self.key, self.chain)
    }
}

/// A message of the history: one for the same key and bytes, however often they occur.
#[derive(Debug)]
pub(crate) struct Message<'h> {
    pub(crate) key: &'h str,
    pub(crate) bytes: Vec<u8>,
    /// BLAKE2b-256, hexadecimal, as marks name it.
    pub(crate) digest: String,
    pub(crate) content: Content,
    /// The first line in which a baker asks for it.
    pub(crate) first_asked: Option<usize>,
}

impl Message<'_> {
    /// Where its mark stands and at which slot, if it has one.
    pub(crate) fn slotted(&self) -> Option<(Place<'_>, Slot)> {
        match &self.content {
            Content::Slotted { kind, chain, slot } => {
                let place = Place {
                    key: self.key,
                    chain,
                    kind: *kind,
                };
                Some((place, *slot))
            }
            Content::Slotless | Content::Unreadable(_) => None,
        }
    }

    /// Whether the first request for it came after `line`.
    pub(crate) fn is_asked_only_after(&self, line: usize) -> bool {
        self.first_asked.is_some_and(|first| first > line)
    }
}

/// Names a message of a case.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct MessageId(usize);

/// Names a signature of a case: equal for equal bytes, in whatever form they are written.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct SignatureId(usize);

/// A line, and what it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact<'h> {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) at_us: u64,
    pub(crate) event: &'h Event,
    /// Of a request, an answer, a signature: the message, if its bytes could be read.
    pub(crate) message: Option<MessageId>,
    pub(crate) signature: Option<SignatureId>,
    /// Of an answer: the line of its request.
    pub(crate) asked: Option<usize>,
}

/// What a signature did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// It left a signer, perhaps never the node.
    Made,
    /// It left the node, or was to leave it.
    Released,
    /// A baker has it.
    Answered,
}

/// A message whose signature came to light in a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'c> {
    pub(crate) stage: Stage,
    pub(crate) id: MessageId,
    pub(crate) message: &'c Message<'c>,
    pub(crate) signature: Option<SignatureId>,
}

/// A history that was read.
#[derive(Debug)]
pub(crate) struct Case<'h> {
    pub(crate) facts: Vec<Fact<'h>>,
    pub(crate) nodes: &'h [u64],
    /// The keys that are enrolled before the first request.
    pub(crate) keys: &'h [Key],
    messages: Vec<Message<'h>>,
    signatures: Vec<Signature>,
    /// Every key that the history describes, with its public key.
    pub(crate) public_keys: BTreeMap<&'h str, &'h str>,
    /// When each key releases, by any description of it, at the start or enrolled.
    after_commit: BTreeSet<&'h str>,
    after_record: BTreeSet<&'h str>,
    /// Whether the disks of this run tell which votes they hold.
    pub(crate) disks_tell_votes: bool,
}

impl<'h> Case<'h> {
    /// Reads `lines`.
    pub(crate) fn read(lines: &'h [Line]) -> Self {
        let mut reading = Reading::default();
        let facts = lines
            .iter()
            .zip(1..)
            .map(|(line, number)| reading.fact(line, number))
            .collect();
        let (nodes, keys) = lines.iter().find_map(run).unwrap_or_default();
        let described = || keys.iter().chain(lines.iter().filter_map(enrolled));
        let public_keys = described().map(|key| (&*key.key, &*key.public_key));
        let releases = |when| {
            let keys = described().filter(move |key| key.release == when);
            keys.map(|key| &*key.key).collect()
        };
        Self {
            facts,
            nodes,
            keys,
            messages: reading.messages,
            signatures: reading.signatures,
            public_keys: public_keys.collect(),
            after_commit: releases(Release::AfterCommit),
            after_record: releases(Release::AfterRecord),
            disks_tell_votes: lines.iter().any(is_vote_durable),
        }
    }

    /// A message, if `fact` is about one that could be read.
    pub(crate) fn message(&self, fact: &Fact<'_>) -> Option<(MessageId, &Message<'h>)> {
        let id = fact.message?;
        self.messages.get(id.0).map(|message| (id, message))
    }

    pub(crate) fn signature(&self, id: SignatureId) -> Option<&Signature> {
        self.signatures.get(id.0)
    }

    /// The message whose signature `fact` shows.
    pub(crate) fn shown(&self, fact: &Fact<'_>) -> Option<Shown<'_>> {
        let stage = match fact.event {
            Event::Signed { .. } => Stage::Made,
            Event::Released { .. } => Stage::Released,
            Event::Answered { status: 200, .. } => Stage::Answered,
            _ => return None,
        };
        let (id, message) = self.message(fact)?;
        Some(Shown {
            stage,
            id,
            message,
            signature: fact.signature,
        })
    }

    /// How many nodes are a majority.
    pub(crate) fn majority(&self) -> usize {
        (self.nodes.len() / 2).saturating_add(1)
    }

    /// When the key releases, if that was the same throughout.
    pub(crate) fn release(&self, key: &str) -> Option<Release> {
        match (
            self.after_commit.contains(key),
            self.after_record.contains(key),
        ) {
            (true, false) => Some(Release::AfterCommit),
            (false, true) => Some(Release::AfterRecord),
            (true, true) | (false, false) => None,
        }
    }
}

fn run(line: &Line) -> Option<(&[u64], &[Key])> {
    match &line.event {
        Event::Run { nodes, keys, .. } => Some((nodes, keys)),
        _ => None,
    }
}

const fn is_vote_durable(line: &Line) -> bool {
    matches!(line.event, Event::VoteDurable { .. })
}

fn enrolled(line: &Line) -> Option<&Key> {
    enrolled_by(&line.event)
}

/// The key that an operator asks to enrol or change.
pub(crate) const fn enrolled_by(event: &Event) -> Option<&Key> {
    match event {
        Event::Ordered {
            action: Action::Enrol(key),
            ..
        } => Some(key),
        _ => None,
    }
}

#[derive(Default)]
struct Reading<'h> {
    messages: Vec<Message<'h>>,
    ids: BTreeMap<(&'h str, Vec<u8>), MessageId>,
    signatures: Vec<Signature>,
    signature_ids: BTreeMap<Signature, SignatureId>,
    /// The line and message of each request.
    requests: BTreeMap<u64, (usize, Option<MessageId>)>,
}

impl<'h> Reading<'h> {
    fn fact(&mut self, line: &'h Line, number: usize) -> Fact<'h> {
        let mut fact = Fact {
            line: number,
            at_us: line.at_us,
            event: &line.event,
            message: None,
            signature: None,
            asked: None,
        };
        match &line.event {
            Event::Asked {
                request,
                key,
                bytes,
                ..
            } => {
                fact.message = self.message(key, bytes);
                if let Some(message) = fact.message.and_then(|id| self.messages.get_mut(id.0)) {
                    message.first_asked.get_or_insert(number);
                }
                self.requests
                    .entry(*request)
                    .or_insert((number, fact.message));
            }
            Event::Answered {
                request, signature, ..
            } => {
                if let Some((asked, message)) = self.requests.get(request) {
                    fact.asked = Some(*asked);
                    fact.message = *message;
                }
                fact.signature = signature.as_ref().map(|text| self.signature(text));
            }
            Event::Signed {
                key,
                bytes,
                signature,
                ..
            }
            | Event::Released {
                key,
                bytes,
                signature,
                ..
            } => {
                fact.message = self.message(key, bytes);
                fact.signature = Some(self.signature(signature));
            }
            _ => {}
        }
        fact
    }

    fn message(&mut self, key: &'h str, bytes: &str) -> Option<MessageId> {
        let bytes = hex::decode(bytes).ok()?;
        let place = (key, bytes);
        if let Some(id) = self.ids.get(&place) {
            return Some(*id);
        }
        let id = MessageId(self.messages.len());
        self.messages.push(Message {
            key,
            digest: hex::encode(Blake2b::<U32>::digest(&place.1)),
            content: Content::read(&place.1, key),
            bytes: place.1.clone(),
            first_asked: None,
        });
        self.ids.insert(place, id);
        Some(id)
    }

    fn signature(&mut self, text: &str) -> SignatureId {
        let signature = signature::read(text);
        if let Some(id) = self.signature_ids.get(&signature) {
            return *id;
        }
        let id = SignatureId(self.signatures.len());
        self.signatures.push(signature.clone());
        self.signature_ids.insert(signature, id);
        id
    }
}
