//! Our own forms of openraft's stored types: ids, votes, memberships, entries, snapshot metadata.

use std::collections::{BTreeMap, BTreeSet};

use openraft::{
    EntryPayload,
    vote::leader_id_std::{CommittedLeaderId, LeaderId},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::CodecError;
use crate::{
    command::Proposal,
    types::{Entry, LogId, Member, Membership, SnapshotMeta, StoredMembership, Vote},
};

static_assertions::assert_not_impl_any!(Vote: Serialize, DeserializeOwned);
static_assertions::assert_not_impl_any!(LogId: Serialize, DeserializeOwned);
static_assertions::assert_not_impl_any!(Entry: Serialize, DeserializeOwned);
static_assertions::assert_not_impl_any!(StoredMembership: Serialize, DeserializeOwned);
static_assertions::assert_not_impl_any!(openraft::BasicNode: Serialize, DeserializeOwned);

/// A type of openraft's and its own form on disk and between nodes.
pub trait Wire: Sized {
    /// What is serialised in its place.
    type Form: Serialize + DeserializeOwned;

    /// The form of this value.
    fn to_wire(&self) -> Self::Form;

    /// The value of a form.
    ///
    /// # Errors
    /// [`CodecError::Membership`] for a membership without voters' nodes.
    fn from_wire(form: Self::Form) -> Result<Self, CodecError>;
}

/// `T{term}-N{node}`, and whether a quorum granted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteForm {
    term: u64,
    node: u64,
    committed: bool,
}

/// In standard Raft a term has one leader: an id needs no node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogIdForm {
    term: u64,
    index: u64,
}

/// Voter sets (two while joint) and every node, learners included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipForm {
    configs: Vec<BTreeSet<u64>>,
    nodes: BTreeMap<u64, Member>,
}

/// A membership and the entry it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMembershipForm {
    at: Option<LogIdForm>,
    membership: MembershipForm,
}

/// What an entry carries.
#[derive(Debug, Serialize, Deserialize)]
pub enum PayloadForm {
    /// A leader's first entry.
    Blank,
    /// A command of ours.
    Normal(Proposal),
    /// A change of members.
    Membership(MembershipForm),
}

/// One entry of the log.
#[derive(Debug, Serialize, Deserialize)]
pub struct EntryForm {
    id: LogIdForm,
    payload: PayloadForm,
}

/// What a snapshot stands for.
#[derive(Debug, Serialize, Deserialize)]
pub struct SnapshotMetaForm {
    last: Option<LogIdForm>,
    membership: StoredMembershipForm,
}

impl<T: Wire> Wire for Option<T> {
    type Form = Option<T::Form>;

    fn to_wire(&self) -> Self::Form {
        self.as_ref().map(T::to_wire)
    }

    fn from_wire(form: Self::Form) -> Result<Self, CodecError> {
        form.map(T::from_wire).transpose()
    }
}

impl<T: Wire> Wire for Vec<T> {
    type Form = Vec<T::Form>;

    fn to_wire(&self) -> Self::Form {
        self.iter().map(T::to_wire).collect()
    }

    fn from_wire(form: Self::Form) -> Result<Self, CodecError> {
        form.into_iter().map(T::from_wire).collect()
    }
}

impl Wire for Vote {
    type Form = VoteForm;

    fn to_wire(&self) -> VoteForm {
        let LeaderId {
            term,
            voted_for: node,
        } = self.leader_id;
        VoteForm {
            term,
            node,
            committed: self.committed,
        }
    }

    fn from_wire(
        VoteForm {
            term,
            node,
            committed,
        }: VoteForm,
    ) -> Result<Self, CodecError> {
        Ok(Self {
            leader_id: LeaderId {
                term,
                voted_for: node,
            },
            committed,
        })
    }
}

impl Wire for LogId {
    type Form = LogIdForm;

    fn to_wire(&self) -> LogIdForm {
        LogIdForm {
            term: self.leader_id.term,
            index: self.index,
        }
    }

    fn from_wire(LogIdForm { term, index }: LogIdForm) -> Result<Self, CodecError> {
        Ok(Self {
            leader_id: CommittedLeaderId { term },
            index,
        })
    }
}

impl Wire for Membership {
    type Form = MembershipForm;

    fn to_wire(&self) -> MembershipForm {
        MembershipForm {
            configs: self.get_joint_config().clone(),
            nodes: self
                .nodes()
                .map(|(&id, member)| (id, member.clone()))
                .collect(),
        }
    }

    fn from_wire(MembershipForm { configs, nodes }: MembershipForm) -> Result<Self, CodecError> {
        Self::new(configs, nodes).map_err(|error| CodecError::Membership(error.to_string()))
    }
}

impl Wire for StoredMembership {
    type Form = StoredMembershipForm;

    fn to_wire(&self) -> StoredMembershipForm {
        StoredMembershipForm {
            at: self.log_id().to_wire(),
            membership: self.membership().to_wire(),
        }
    }

    fn from_wire(form: StoredMembershipForm) -> Result<Self, CodecError> {
        Ok(Self::new(
            Wire::from_wire(form.at)?,
            Wire::from_wire(form.membership)?,
        ))
    }
}

impl Wire for Entry {
    type Form = EntryForm;

    fn to_wire(&self) -> EntryForm {
        EntryForm {
            id: self.log_id.to_wire(),
            payload: match &self.payload {
                EntryPayload::Blank => PayloadForm::Blank,
                EntryPayload::Normal(command) => PayloadForm::Normal(command.clone()),
                EntryPayload::Membership(members) => PayloadForm::Membership(members.to_wire()),
            },
        }
    }

    fn from_wire(EntryForm { id, payload }: EntryForm) -> Result<Self, CodecError> {
        Ok(Self {
            log_id: Wire::from_wire(id)?,
            payload: match payload {
                PayloadForm::Blank => EntryPayload::Blank,
                PayloadForm::Normal(command) => EntryPayload::Normal(command),
                PayloadForm::Membership(form) => EntryPayload::Membership(Wire::from_wire(form)?),
            },
        })
    }
}

impl Wire for SnapshotMeta {
    type Form = SnapshotMetaForm;

    fn to_wire(&self) -> SnapshotMetaForm {
        SnapshotMetaForm {
            last: self.last_log_id.to_wire(),
            membership: self.last_membership.to_wire(),
        }
    }

    fn from_wire(
        SnapshotMetaForm { last, membership }: SnapshotMetaForm,
    ) -> Result<Self, CodecError> {
        Ok(Self {
            last_log_id: Wire::from_wire(last)?,
            last_membership: Wire::from_wire(membership)?,
        })
    }
}
