//! What happened in a run, one JSON object a line, in the order of its time.
//!
//! Keys, chains and messages stand as the baker wrote them or as hexadecimal digits, so that a
//! history can be read, cut and written by hand.

use serde::{Deserialize, Serialize};

use crate::strict::present;

/// One line of a history.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Line {
    /// Microseconds on a clock that never steps back and is the same for every process of the run.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A message to be signed has one of these kinds, or none of them and then no slot.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Magic byte 0x11.
    Block,
    /// Magic byte 0x12.
    Preattestation,
    /// Magic byte 0x13, with or without DAL.
    Attestation,
}

/// When the signature of a key may leave.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// Once the mark is committed: the signatures of one message are the same bytes.
    AfterCommit,
    /// Once the signature itself is committed.
    AfterRecord,
}

/// The place of an entry in the replicated log.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Entry {
    /// The term of the leader that proposed it.
    pub term: u64,
    /// Its index.
    pub index: u64,
}

/// The highest slot that a node has applied for a (key, chain, kind).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mark {
    /// `tz1...` to `tz4...`
    pub key: String,
    /// `Net...`
    pub chain: String,
    /// The kind of message.
    pub kind: Kind,
    /// The level.
    pub level: i64,
    /// The round.
    pub round: i64,
    /// BLAKE2b-256 of the whole message, hexadecimal; empty for a slot that is burnt.
    pub digest: String,
}

/// A key at the start of a run, or as it was enrolled in it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Key {
    /// `tz1...` to `tz4...`
    pub key: String,
    /// `edpk...`, `sppk...`, `p2pk...`, `BLpk...`
    pub public_key: String,
    /// When its signatures may leave.
    pub release: Release,
    /// Per chain, the lowest level that may be signed.
    pub floors: Vec<(String, i64)>,
    /// Slots that somebody else may have signed: never to be signed here.
    pub burnt: Vec<Mark>,
}

/// What an operator asked for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// A key is introduced, or changed.
    Enrol(Key),
    /// The key signs nothing that is asked from the answer on.
    Disable {
        /// The key.
        key: String,
    },
    /// The key signs again.
    Enable {
        /// The key.
        key: String,
    },
    /// No slot of that chain up to this level is signed from the answer on.
    Raise {
        /// The key.
        key: String,
        /// The chain.
        chain: String,
        /// The level.
        level: i64,
    },
}

/// What an operator was told.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It is committed.
    Committed,
    /// It is committed, and no grant from before it is alive anywhere.
    Drained,
    /// It was refused, and will not happen.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// What happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first line.
    Run {
        /// The scenario, in words.
        scenario: String,
        /// What makes it happen again.
        seed: Option<u64>,
        /// The node ids.
        nodes: Vec<u64>,
        /// The keys that are enrolled before the first request.
        keys: Vec<Key>,
    },
    /// A process of a node started.
    Boot {
        /// The node.
        node: u64,
        /// How often its folder was opened.
        counter: u64,
    },
    /// A process of a node ended, by itself or not.
    Ended {
        /// The node.
        node: u64,
        /// Its exit code, if it ended by itself.
        code: Option<i32>,
    },
    /// A node's grant of a vote left it; for itself, its own vote is durable.
    Vote {
        /// Who votes.
        node: u64,
        /// The term.
        term: u64,
        /// For whom.
        candidate: u64,
    },
    /// A vote is on the node's disk, and a power cut does not take it. Only a simulated disk tells;
    /// in a history that has such lines, a vote that left without one left too early.
    VoteDurable {
        /// Who votes.
        node: u64,
        /// The term.
        term: u64,
        /// For whom.
        candidate: u64,
    },
    /// A node takes itself for the leader of a term.
    Leads {
        /// The node.
        node: u64,
        /// The term.
        term: u64,
    },
    /// An entry is on the node's disk and a power cut does not take it.
    Durable {
        /// The node.
        node: u64,
        /// The entry.
        entry: Entry,
        /// The slot it advances, if that is what it does.
        #[serde(deserialize_with = "present")]
        mark: Option<Mark>,
    },
    /// A snapshot is on the node's disk, and a power cut does not take it: every entry up to here is
    /// durable there, whether it was ever in the log of that disk or not. Only a simulated disk tells.
    SnapshotDurable {
        /// The node.
        node: u64,
        /// The last entry that it covers.
        upto: Entry,
    },
    /// The entries from an index on are no longer on the node's disk: truncated as never committed,
    /// or taken by a fault.
    Undone {
        /// The node.
        node: u64,
        /// The first index that is gone.
        from: u64,
    },
    /// The node applied a mark.
    Applied {
        /// The node.
        node: u64,
        /// The entry.
        entry: Entry,
        /// The mark, as it is now.
        mark: Mark,
    },
    /// A fault took the node's disk, or put another one in its place: what the node says from here
    /// on is held to no earlier mark of its own.
    OtherDisk {
        /// The node.
        node: u64,
    },
    /// A baker asked.
    Asked {
        /// Unique in the run.
        request: u64,
        /// Who asks.
        client: u64,
        /// The node that is asked.
        node: u64,
        /// The key.
        key: String,
        /// The message, hexadecimal.
        bytes: String,
    },
    /// It was answered. A request without this line was never answered.
    Answered {
        /// The request.
        request: u64,
        /// The HTTP status; 0 if the connection broke.
        status: u16,
        /// The signature, if there is one.
        signature: Option<String>,
        /// What else the body said.
        text: String,
    },
    /// A signature left a signer, inside the node: also one that never leaves the node.
    Signed {
        /// The node.
        node: u64,
        /// The key.
        key: String,
        /// The message, hexadecimal.
        bytes: String,
        /// The signature.
        signature: String,
    },
    /// A signature was let go by the node that decided.
    Released {
        /// The node.
        node: u64,
        /// The entry that allowed it; none for what was recorded before, and then it says so.
        #[serde(deserialize_with = "present")]
        entry: Option<Entry>,
        /// The key.
        key: String,
        /// The message, hexadecimal.
        bytes: String,
        /// The signature.
        signature: String,
    },
    /// A node decided not to sign.
    Refused {
        /// The node.
        node: u64,
        /// The entry that decided; none if policy did before anything was proposed.
        entry: Option<Entry>,
        /// The key.
        key: String,
        /// The message, hexadecimal.
        bytes: String,
        /// Why, in one word.
        reason: String,
    },
    /// A proof of possession left a node. Its scheme is another one, so that it is no signature of
    /// any message.
    Proved {
        /// The node.
        node: u64,
        /// The key.
        key: String,
        /// The entry that permitted it.
        entry: Entry,
    },
    /// An operator asked.
    Ordered {
        /// Unique in the run.
        order: u64,
        /// For what.
        #[serde(flatten)]
        action: Action,
    },
    /// An order stands in the log, and applying it did what was asked.
    Decided {
        /// The order.
        order: u64,
        /// Where.
        entry: Entry,
    },
    /// The operator was told.
    Obeyed {
        /// The order.
        order: u64,
        /// What.
        told: Told,
    },
    /// A fault begins.
    Fault {
        /// Unique in the run.
        fault: u64,
        /// Its name, as in the table of results.
        name: String,
        /// Whom it hits.
        nodes: Vec<u64>,
        /// How it is known to have taken effect.
        proof: String,
    },
    /// A fault ends.
    FaultEnded {
        /// The fault.
        fault: u64,
    },
    /// From here on nothing is broken: within the bound a fresh slot must be signed.
    Healed {
        /// The bound, in microseconds.
        bound_us: u64,
        /// How many nodes must agree at the end; others may have been stopped by their fault.
        nodes: Vec<u64>,
    },
    /// The marks of a node at the end, after healing.
    State {
        /// The node.
        node: u64,
        /// All of them.
        marks: Vec<Mark>,
    },
}
