//! The types that openraft is configured with. Few files should need them: the adapters to
//! openraft's traits, the codec, and whoever starts a node.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::command::{Answer, Proposal};
use crate::machine::Machine;

openraft::declare_raft_types!(
    /// What this cluster replicates. Ids of leaders are the standard ones: one leader a term, which
    /// is the easier history to audit.
    pub Types:
        D = Proposal,
        R = Answer,
        NodeId = u64,
        Node = Member,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = crate::runtime::Runtime,
);

/// openraft over the state machine that lives on disk `D`.
pub type Raft<D> = openraft::Raft<Types, Machine<D>>;
/// The term and node of a leader.
pub type LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>;
/// A vote, or the claim to lead.
pub type Vote = openraft::alias::VoteOf<Types>;
/// The place of an entry in the log.
pub type LogId = openraft::alias::LogIdOf<Types>;
/// An entry of the log.
pub type Entry = openraft::alias::EntryOf<Types>;
/// What an entry carries.
pub type EntryPayload = openraft::EntryPayload<Proposal, u64, Member>;
/// The voters and their addresses.
pub type Membership = openraft::Membership<u64, Member>;
/// The membership and the entry that set it.
pub type StoredMembership = openraft::alias::StoredMembershipOf<Types>;
/// What a snapshot covers.
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<Types>;

/// A member of the cluster, as the membership entry carries it.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Member {
    /// `host:port` of the peer listener. A hint where to look, never who it is.
    pub address: String,
    /// The peer's TLS key: who it is. A wiped disk has another one.
    pub fingerprint: Fingerprint,
}

/// SHA-256 of the subject public key info of a node's Ed25519 TLS key. It is the node's
/// incarnation: it is made once, by `quorate init`, and lives and dies with the data folder.
#[derive(Clone, Copy, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint(pub [u8; 32]);

/// A fingerprint in text is `sha256:` and 64 hexadecimal digits; the prefix may be missing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a fingerprint: expected sha256: and 64 hexadecimal digits, found {found:?}")]
pub struct NotAFingerprint {
    /// What was read.
    pub found: String,
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.strip_prefix("sha256:").unwrap_or(text), &mut bytes).map_err(
            |_not_64_digits| NotAFingerprint {
                found: text.to_owned(),
            },
        )?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?
                .parse()
                .map_err(serde::de::Error::custom)
        } else {
            Deserialize::deserialize(deserializer).map(Self)
        }
    }
}

/// The place of a committed entry, as logs and operators name it: `term/index`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct EntryId {
    /// The term of the leader that proposed it.
    pub term: u64,
    /// Its index in the log.
    pub index: u64,
}

impl From<LogId> for EntryId {
    fn from(id: LogId) -> Self {
        Self {
            term: id.leader_id.term,
            index: id.index,
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.term, self.index)
    }
}
