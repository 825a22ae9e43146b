//! What the nodes agree on: keys, their policy, their marks.
//!
//! **Invariant:** a key is never removed and a mark never falls. There is no function for either.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tezos::{
    BallotVote, ChainId, Digest, Kind, Level, OperationName, PublicKey, PublicKeyHash, Signature,
    Slot,
};

/// The most chains that one key may be listed for or hold marks on.
pub const CHAINS_MAX: usize = 4096;

/// The most keys that may be enrolled.
pub const KEYS_MAX: usize = 1024;

/// The agreed state. It is a function of the log and of nothing else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct State {
    /// Every key that was ever enrolled, the disabled ones with their marks.
    pub keys: BTreeMap<PublicKeyHash, Key>,
    /// The newest format that entries may use.
    pub format: u16,
    /// Written when a cluster is recovered from exported marks: nothing is signed.
    pub locked: bool,
}

impl Default for State {
    /// The state before the first entry: no key, so nothing can be signed.
    fn default() -> Self {
        Self {
            keys: BTreeMap::new(),
            format: 1,
            locked: false,
        }
    }
}

/// An enrolled key. Its fields are also the layout of its row on disk, except for the marks, which
/// have a row each.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Key {
    /// The key.
    pub public_key: PublicKey,
    /// What the key is to the baker.
    pub role: Role,
    /// When a signature may leave.
    pub release: ReleaseMode,
    /// The consensus kinds it may sign.
    pub kinds: BTreeSet<Kind>,
    /// The generic operations it may sign, by name.
    pub operations: BTreeSet<OperationName>,
    /// The ballots it may cast.
    pub votes: BTreeSet<BallotVote>,
    /// The chains it may sign for.
    pub chains: Chains,
    /// When the chains and floors were last set, by the leader's clock, for the jump rule.
    pub chains_at_s: u64,
    /// The clients that may ask; empty for anyone who reaches the socket.
    pub authorized: Vec<PublicKey>,
    /// Whether it may sign. A disabled key is a tombstone: it keeps its marks.
    pub enabled: bool,
    /// Rises by one with every operator command about this key; 1 after the first enrolment.
    pub generation: u64,
    /// The highest slot of each chain and kind.
    #[serde(skip)]
    pub marks: BTreeMap<(ChainId, Kind), Mark>,
}

/// What a key is to the baker.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The baker's own key: the manager key.
    Baker,
    /// A consensus key: signs blocks and votes for a baker.
    Consensus,
    /// A BLS companion key: signs attestations with DAL content only.
    Companion,
}

/// When a signature may leave the node.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseMode {
    /// As soon as the advance is committed: only where signing again gives the same bytes on every
    /// node by construction.
    AfterCommit,
    /// Only once the signature itself is committed; the first one wins.
    AfterRecord,
}

/// The chains a key may sign for, each with its floor: the first level that may be signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Chains {
    /// These chains, at most [`CHAINS_MAX`].
    Listed(BTreeMap<ChainId, Level>),
    /// Any chain, above one floor. For development; marks on at most [`CHAINS_MAX`] chains.
    Any {
        /// The first level that may be signed on every chain.
        floor: Level,
    },
}

/// The highest slot of one key, chain and kind, and what was granted there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mark {
    /// The highest slot.
    pub slot: Slot,
    /// What stands there.
    pub stamp: Stamp,
    /// When the mark last moved, by the leader's clock in seconds, for the jump rule only.
    pub moved_at_s: u64,
}

/// What stands at a mark.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Stamp {
    /// The slot is refused to everybody, whatever the digest.
    Burnt,
    /// One message was granted.
    Signed {
        /// The digest of the whole message.
        digest: Digest,
        /// The signature that is released for it, once one is recorded.
        signature: Option<Signature>,
    },
}

impl Chains {
    /// The floor on `chain`, if the key may sign for it.
    #[must_use]
    pub fn floor(&self, chain: ChainId) -> Option<Level> {
        match self {
            Self::Listed(floors) => floors.get(&chain).copied(),
            Self::Any { floor } => Some(*floor),
        }
    }
}

impl Key {
    /// The highest mark on `chain` over all kinds.
    #[must_use]
    pub fn highest(&self, chain: ChainId) -> Option<Slot> {
        Kind::ALL
            .iter()
            .filter_map(|kind| self.marks.get(&(chain, *kind)))
            .map(|m| m.slot)
            .max()
    }
}

impl Mark {
    /// The recorded signature, if this mark stands at `slot` for exactly this message.
    #[must_use]
    pub fn signature_for(&self, slot: Slot, digest: Digest) -> Option<&Signature> {
        match &self.stamp {
            Stamp::Signed {
                digest: of,
                signature,
            } if (self.slot, *of) == (slot, digest) => signature.as_ref(),
            Stamp::Signed { .. } | Stamp::Burnt => None,
        }
    }
}
