//! `GET /marks`: every mark of every key, from one applied state. Scripts read it, and one day
//! `quorate cluster recover` will: fields are added, never renamed.

use raft_store::state::{Chains, Key, Mark, Stamp, State};
use serde::{Deserialize, Serialize};
use tezos::{ChainId, Digest, Kind, Level, PublicKey, PublicKeyHash, Round, Signature};

/// The version of this document. A reader refuses one that it does not know.
pub const MARKS_FORMAT: u16 = 1;

/// All marks, as they stood after one entry of the log (R42).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Marks {
    /// [`MARKS_FORMAT`].
    pub format: u16,
    /// The id of the cluster, in hexadecimal.
    pub cluster_id: String,
    /// The index of the last entry in the state that this was read from.
    pub applied: u64,
    /// Whether a majority confirmed that this state holds everything that was committed when it was
    /// asked for. If not, there may be higher marks than these.
    pub confirmed: bool,
    /// Whether the cluster is locked: nothing is signed.
    pub locked: bool,
    /// Every key that was ever enrolled, by hash.
    pub keys: Vec<MarkedKey>,
}

/// One key and its marks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MarkedKey {
    /// The hash of the public key.
    pub public_key_hash: PublicKeyHash,
    /// The public key.
    pub public_key: PublicKey,
    /// Whether it may sign: then its marks rise while this is read.
    pub enabled: bool,
    /// Rises by one with every command about this key.
    pub generation: u64,
    /// Chains and floors: nothing below a floor is signed, whatever the mark.
    pub chains: Chains,
    /// The highest slot of each chain and kind.
    pub marks: Vec<MarkOut>,
}

/// One mark: nothing at or below its slot is signed any more, but for one message at the slot
/// itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MarkOut {
    /// The chain.
    pub chain: ChainId,
    /// The kind.
    pub kind: Kind,
    /// The level.
    pub level: Level,
    /// The round.
    pub round: Round,
    /// Whether the slot is refused to every message.
    pub burnt: bool,
    /// The BLAKE2b-256 of the one message that was granted; `None` if the slot is burnt.
    pub digest: Option<Digest>,
    /// The signature of that message, if it is recorded.
    pub signature: Option<Signature>,
}

impl Marks {
    /// The marks of `state`, which holds the log up to `applied`.
    #[must_use]
    pub fn of(state: &State, applied: u64, cluster_id: String, confirmed: bool) -> Self {
        let keys = state.keys.iter().map(|(hash, key)| marked(*hash, key));
        Self {
            format: MARKS_FORMAT,
            cluster_id,
            applied,
            confirmed,
            locked: state.locked,
            keys: keys.collect(),
        }
    }
}

fn marked(public_key_hash: PublicKeyHash, key: &Key) -> MarkedKey {
    let marks = key.marks.iter();
    MarkedKey {
        public_key_hash,
        public_key: key.public_key.clone(),
        enabled: key.enabled,
        generation: key.generation,
        chains: key.chains.clone(),
        marks: marks
            .map(|((chain, kind), mark)| mark_out(*chain, *kind, mark))
            .collect(),
    }
}

fn mark_out(chain: ChainId, kind: Kind, mark: &Mark) -> MarkOut {
    let (burnt, digest, signature) = match &mark.stamp {
        Stamp::Burnt => (true, None, None),
        Stamp::Signed { digest, signature } => (false, Some(*digest), signature.clone()),
    };
    MarkOut {
        chain,
        kind,
        level: mark.slot.level,
        round: mark.slot.round,
        burnt,
        digest,
        signature,
    }
}
