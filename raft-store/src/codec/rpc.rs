//! Our own forms of openraft's messages between nodes.

use std::fmt;

use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

use super::{
    CodecError, Length,
    wire::{EntryForm, LogIdForm, SnapshotMetaForm, VoteForm, Wire},
};
use crate::types::{SnapshotMeta, Types, Vote};

static_assertions::assert_not_impl_any!(AppendEntriesRequest<Types>: Serialize, DeserializeOwned);
static_assertions::assert_not_impl_any!(VoteRequest<Types>: Serialize, DeserializeOwned);

/// Every Raft message from node to node. Vote and PreVote differ by their tag only.
#[derive(Clone)]
pub enum Request {
    /// Entries, or a heartbeat.
    Append(AppendEntriesRequest<Types>),
    /// A candidate asks for a vote.
    Vote(VoteRequest<Types>),
    /// A would-be candidate asks whether it would get one; nothing is stored.
    PreVote(VoteRequest<Types>),
    /// A whole snapshot, at most [`super::MAX_FRAME`] with its metadata.
    Snapshot {
        /// The leader's vote.
        vote: Vote,
        /// What the snapshot stands for.
        meta: SnapshotMeta,
        /// The state machine's own bytes.
        data: Vec<u8>,
    },
    /// The leader asks a peer to take over.
    TransferLeader(TransferLeaderRequest<Types>),
}

impl Request {
    /// The node that the message claims to come from. The receiver compares it with the key of the
    /// connection.
    #[must_use]
    pub fn sender(&self) -> u64 {
        let vote = match self {
            Self::Append(request) => &request.vote,
            Self::Vote(request) | Self::PreVote(request) => &request.vote,
            Self::Snapshot { vote, .. } => vote,
            Self::TransferLeader(request) => request.from_leader(),
        };
        vote.leader_id.voted_for
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(request) => f.debug_tuple("Append").field(request).finish(),
            Self::Vote(request) => f.debug_tuple("Vote").field(request).finish(),
            Self::PreVote(request) => f.debug_tuple("PreVote").field(request).finish(),
            Self::Snapshot { vote, meta, data } => f
                .debug_struct("Snapshot")
                .field("vote", vote)
                .field("meta", meta)
                .field("data", &Length(data.len()))
                .finish(),
            Self::TransferLeader(request) => {
                f.debug_tuple("TransferLeader").field(request).finish()
            }
        }
    }
}

/// What a [`Request`] is answered with.
#[derive(Debug, Clone)]
pub enum Response {
    /// To `Append`.
    Append(AppendEntriesResponse<Types>),
    /// To `Vote` and `PreVote`.
    Vote(VoteResponse<Types>),
    /// To `Snapshot`.
    Snapshot(SnapshotResponse<Types>),
    /// To `TransferLeader`.
    TransferLeader(TransferLeaderResponse<Types>),
}

/// Form of `AppendEntriesRequest`.
#[derive(Debug, Serialize, Deserialize)]
pub struct AppendForm {
    vote: VoteForm,
    prev: Option<LogIdForm>,
    entries: Vec<EntryForm>,
    commit: Option<LogIdForm>,
}

/// Form of `AppendEntriesResponse`.
#[derive(Debug, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each variant is the one of the same name in the type it stands for"
)]
pub enum AppendedForm {
    Success,
    Partial(Option<LogIdForm>),
    Conflict,
    HigherVote(VoteForm),
}

/// Form of `VoteRequest`.
#[derive(Debug, Serialize, Deserialize)]
pub struct AskVoteForm {
    vote: VoteForm,
    last: Option<LogIdForm>,
    transfer: bool,
}

/// Form of `VoteResponse`.
#[derive(Debug, Serialize, Deserialize)]
pub struct VotedForm {
    vote: VoteForm,
    granted: bool,
    last: Option<LogIdForm>,
}

/// Form of `TransferLeaderRequest`.
#[derive(Debug, Serialize, Deserialize)]
pub struct TransferForm {
    from: VoteForm,
    to: u64,
    last: Option<LogIdForm>,
}

/// Form of `TransferLeaderResponse`.
#[derive(Debug, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each variant is the one of the same name in the type it stands for"
)]
pub enum TransferredForm {
    Done,
    VoteChanged {
        expected: VoteForm,
        actual: VoteForm,
    },
    LogNotFlushed {
        expected: Option<LogIdForm>,
        actual: Option<LogIdForm>,
    },
}

/// Form of [`Request`].
#[derive(Debug, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each variant is the one of the same name in the type it stands for"
)]
pub enum RequestForm {
    Append(AppendForm),
    Vote(AskVoteForm),
    PreVote(AskVoteForm),
    Snapshot {
        vote: VoteForm,
        meta: SnapshotMetaForm,
        data: ByteBuf,
    },
    TransferLeader(TransferForm),
}

/// Form of [`Response`].
#[derive(Debug, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each variant is the one of the same name in the type it stands for"
)]
pub enum ResponseForm {
    Append(AppendedForm),
    Vote(VotedForm),
    Snapshot(VoteForm),
    TransferLeader(TransferredForm),
}

/// `impl Wire` from two patterns: value => form, form => value.
macro_rules! wire_form {
    ($type:ty, $form:ty, $($value:pat => $to:expr),+; $($pattern:pat => $from:expr),+ $(,)?) => {
        impl Wire for $type {
            type Form = $form;
            fn to_wire(&self) -> $form {
                match self { $($value => $to),+ }
            }
            fn from_wire(form: $form) -> Result<Self, CodecError> {
                Ok(match form { $($pattern => $from),+ })
            }
        }
    };
}

wire_form!(AppendEntriesRequest<Types>, AppendForm,
r => AppendForm {
    vote: r.vote.to_wire(),
    prev: r.prev_log_id.to_wire(),
    entries: r.entries.to_wire(),
    commit: r.leader_commit.to_wire(),
};
form => Self {
    vote: Wire::from_wire(form.vote)?,
    prev_log_id: Wire::from_wire(form.prev)?,
    entries: Wire::from_wire(form.entries)?,
    leader_commit: Wire::from_wire(form.commit)?,
});

wire_form!(AppendEntriesResponse<Types>, AppendedForm,
    Self::Success => AppendedForm::Success,
    Self::PartialSuccess(id) => AppendedForm::Partial(id.to_wire()),
    Self::Conflict => AppendedForm::Conflict,
    Self::HigherVote(vote) => AppendedForm::HigherVote(vote.to_wire());
    AppendedForm::Success => Self::Success,
    AppendedForm::Partial(id) => Self::PartialSuccess(Wire::from_wire(id)?),
    AppendedForm::Conflict => Self::Conflict,
    AppendedForm::HigherVote(vote) => Self::HigherVote(Wire::from_wire(vote)?));

wire_form!(VoteRequest<Types>, AskVoteForm,
r => AskVoteForm {
    vote: r.vote.to_wire(),
    last: r.last_log_id.to_wire(),
    transfer: r.leadership_transfer,
};
form => Self {
    vote: Wire::from_wire(form.vote)?,
    last_log_id: Wire::from_wire(form.last)?,
    leadership_transfer: form.transfer,
});

wire_form!(VoteResponse<Types>, VotedForm,
r => VotedForm {
    vote: r.vote.to_wire(),
    granted: r.vote_granted,
    last: r.last_log_id.to_wire(),
};
form => Self {
    vote: Wire::from_wire(form.vote)?,
    vote_granted: form.granted,
    last_log_id: Wire::from_wire(form.last)?,
});

wire_form!(TransferLeaderRequest<Types>, TransferForm,
    r => TransferForm {
        from: r.from_leader().to_wire(),
        to: *r.to_node_id(),
        last: r.last_log_id().map(Wire::to_wire),
    };
    form => Self::new(Wire::from_wire(form.from)?, form.to, Wire::from_wire(form.last)?));

wire_form!(TransferLeaderResponse<Types>, TransferredForm,
Ok(()) => TransferredForm::Done,
Err(TransferLeaderError::VoteChanged { expected, actual }) => TransferredForm::VoteChanged {
    expected: expected.to_wire(),
    actual: actual.to_wire(),
},
Err(TransferLeaderError::LogNotFlushed { expected, actual }) => TransferredForm::LogNotFlushed {
    expected: expected.to_wire(),
    actual: actual.to_wire(),
};
TransferredForm::Done => Ok(()),
TransferredForm::VoteChanged { expected, actual } => Err(TransferLeaderError::VoteChanged {
    expected: Wire::from_wire(expected)?,
    actual: Wire::from_wire(actual)?,
}),
TransferredForm::LogNotFlushed { expected, actual } => Err(TransferLeaderError::LogNotFlushed {
    expected: Wire::from_wire(expected)?,
    actual: Wire::from_wire(actual)?,
}));

wire_form!(Request, RequestForm,
    Self::Append(r) => RequestForm::Append(r.to_wire()),
    Self::Vote(r) => RequestForm::Vote(r.to_wire()),
    Self::PreVote(r) => RequestForm::PreVote(r.to_wire()),
    Self::Snapshot { vote, meta, data } => RequestForm::Snapshot {
        vote: vote.to_wire(),
        meta: meta.to_wire(),
        data: data.clone().into(),
    },
    Self::TransferLeader(r) => RequestForm::TransferLeader(r.to_wire());
    RequestForm::Append(form) => Self::Append(Wire::from_wire(form)?),
    RequestForm::Vote(form) => Self::Vote(Wire::from_wire(form)?),
    RequestForm::PreVote(form) => Self::PreVote(Wire::from_wire(form)?),
    RequestForm::Snapshot { vote, meta, data } => Self::Snapshot {
        vote: Wire::from_wire(vote)?,
        meta: Wire::from_wire(meta)?,
        data: data.into_vec(),
    },
    RequestForm::TransferLeader(form) => Self::TransferLeader(Wire::from_wire(form)?));

wire_form!(Response, ResponseForm,
    Self::Append(r) => ResponseForm::Append(r.to_wire()),
    Self::Vote(r) => ResponseForm::Vote(r.to_wire()),
    Self::Snapshot(r) => ResponseForm::Snapshot(r.vote.to_wire()),
    Self::TransferLeader(r) => ResponseForm::TransferLeader(r.to_wire());
    ResponseForm::Append(form) => Self::Append(Wire::from_wire(form)?),
    ResponseForm::Vote(form) => Self::Vote(Wire::from_wire(form)?),
    ResponseForm::Snapshot(vote) => Self::Snapshot(SnapshotResponse::new(Wire::from_wire(vote)?)),
    ResponseForm::TransferLeader(form) => Self::TransferLeader(Wire::from_wire(form)?));
