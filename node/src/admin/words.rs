//! What the admin socket is asked and answers, in JSON. The command line reads it, and so may
//! scripts: fields are added, never renamed.

use std::collections::{BTreeMap, BTreeSet};

use raft_store::command::Command;
use raft_store::state::{Chains, Key, ReleaseMode, Role, Stamp};
use raft_store::types::{EntryId, Fingerprint};
use serde::{Deserialize, Serialize};
use tezos::{
    BallotVote, ChainId, Digest, Kind, Level, OperationName, PublicKey, PublicKeyHash, Round,
};

use crate::cluster::MemberLine;

/// `POST /cluster/form`: bind this node to these members.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// All of them, in any order.
    pub members: Vec<MemberLine>,
}

/// What forming came to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Formed {
    /// The id of the cluster, in hexadecimal.
    pub cluster_id: String,
    /// The id of this node in it.
    pub me: u64,
    /// Who leads it, if it has a leader already.
    pub leader: Option<u64>,
}

/// `POST /commands`: an operator's command, committed through whichever node leads.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Propose {
    /// The command.
    pub command: Command,
}

/// `POST /drained`: whether every grant from before this entry is gone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AskDrained {
    /// The entry that disabled or raised a key.
    pub entry: EntryId,
}

/// `GET /keys`: every key, enrolled or loaded, as this node has it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyReports {
    /// The index of the last entry in this node's state.
    pub applied: u64,
    /// Whether the cluster is locked: nothing is signed.
    pub locked: bool,
    /// The keys, by hash.
    pub keys: Vec<KeyReport>,
}

/// One key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyReport {
    /// The hash of the public key.
    pub public_key_hash: PublicKeyHash,
    /// The public key.
    pub public_key: PublicKey,
    /// Whether this node holds its secret.
    pub loaded: bool,
    /// Its policy; `None` if the key is not enrolled.
    pub enrolled: Option<Enrolled>,
}

/// The policy and the marks of an enrolled key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Enrolled {
    /// Rises by one with every command about this key.
    pub generation: u64,
    /// Whether it may sign.
    pub enabled: bool,
    /// What it is to the baker.
    pub role: Role,
    /// When a signature may leave.
    pub release: ReleaseMode,
    /// What it may sign.
    pub kinds: BTreeSet<Kind>,
    /// Generic operations that it may sign.
    pub operations: BTreeSet<OperationName>,
    /// Ballots that it may cast.
    pub votes: BTreeSet<BallotVote>,
    /// Chains and floors.
    pub chains: Chains,
    /// Clients that may ask.
    pub authorized: Vec<PublicKey>,
    /// The highest slot of each chain and kind.
    pub marks: Vec<MarkReport>,
}

/// One mark.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MarkReport {
    /// The chain.
    pub chain: ChainId,
    /// The kind.
    pub kind: Kind,
    /// The level.
    pub level: Level,
    /// The round.
    pub round: Round,
    /// The digest that was granted; `None` if the slot is burnt.
    pub digest: Option<Digest>,
    /// Whether its signature is recorded.
    pub recorded: bool,
}

/// `POST /keys/reload`: open the key folders and the tokens again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reload {
    /// Whether an operator says that the PINs are right: then those that were refused are tried
    /// once more.
    pub(super) forgive: bool,
}

/// The answer to `POST /keys/reload`: the keys that this node holds now.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Loaded {
    /// Their public keys.
    pub keys: Vec<PublicKey>,
    /// What keeps a configured source or key from being used.
    #[serde(default)]
    pub troubles: Vec<String>,
    /// What else is of no use, and is configured nowhere.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// `POST /keys/prove`: a proof of possession.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AskProof {
    /// The key.
    pub key: PublicKeyHash,
}

/// The answer to [`AskProof`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Proof {
    /// The proof, `BLsig...`.
    pub proof: String,
}

/// Any answer that is no success.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trouble {
    /// What went wrong, and the next command.
    pub error: String,
}

/// `GET /status`: this node, and every node of its cluster as this one sees them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Status {
    /// The version of this program.
    pub version: String,
    /// Whether this node was formed into a cluster.
    pub formed: bool,
    /// The id of the cluster, in hexadecimal.
    pub cluster_id: Option<String>,
    /// The id of this node.
    pub me: Option<u64>,
    /// `address#fingerprint` of this node, for `quorate cluster form`.
    pub line: String,
    /// The node that leads, as far as this one knows.
    pub leader: Option<u64>,
    /// The term of this node's vote.
    pub term: u64,
    /// Milliseconds since a majority last confirmed this node's lead; only on the leader.
    pub quorum_ack_ms: Option<u64>,
    /// The duration of the last fsync of the log, in microseconds.
    pub fsync_us: Option<u64>,
    /// The heartbeat, in milliseconds.
    pub heartbeat_ms: u64,
    /// Every node, by id.
    pub nodes: Vec<NodeReport>,
    /// What an operator should look at.
    pub warnings: Vec<String>,
}

/// One node, as another one sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NodeReport {
    /// Its id.
    pub id: u64,
    /// Where its peer listener is.
    pub address: String,
    /// Its key.
    pub fingerprint: Fingerprint,
    /// `leader`, `follower`, or `unknown` if it was not heard of lately.
    pub role: String,
    /// The index of the last entry in its state.
    pub applied: Option<u64>,
    /// How often it was started.
    pub boot: Option<u64>,
    /// Milliseconds since its last `hello`; `None` for this node and for one never heard of.
    pub hello_ms: Option<u64>,
    /// Why it is not believed, if it is not.
    pub suspect: Option<String>,
    /// Why it does not believe this node, or could not be reached, if so.
    pub trouble: Option<String>,
    /// Whether it could sign, by key.
    pub can_sign: BTreeMap<PublicKeyHash, bool>,
    /// Whether it is on its way out.
    pub draining: bool,
    /// The formats of entries that it reads.
    pub formats: Vec<u16>,
}

impl Enrolled {
    /// The report of an enrolled key.
    pub fn of(key: &Key) -> Self {
        let marks = key.marks.iter().map(|((chain, kind), mark)| {
            let (digest, recorded) = match &mark.stamp {
                Stamp::Burnt => (None, false),
                Stamp::Signed { digest, signature } => (Some(*digest), signature.is_some()),
            };
            let (level, round) = (mark.slot.level, mark.slot.round);
            MarkReport {
                chain: *chain,
                kind: *kind,
                level,
                round,
                digest,
                recorded,
            }
        });
        Self {
            generation: key.generation,
            enabled: key.enabled,
            role: key.role,
            release: key.release,
            kinds: key.kinds.clone(),
            operations: key.operations.clone(),
            votes: key.votes.clone(),
            chains: key.chains.clone(),
            authorized: key.authorized.clone(),
            marks: marks.collect(),
        }
    }
}
