//! Raft's messages to one peer: openraft's network traits over the pinned transport.

use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::alias::SnapshotOf;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use raft_store::codec::{self, MAX_FRAME, Request, Response};
use raft_store::hello::Boot;
use raft_store::types::{LogId, Member, Types, Vote};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::endpoint::{SNAPSHOT_MAX, join_snapshot};
use super::standing::Standing;
use super::wire::{Answer, CallError, Message, Wire};
use super::{FORMAT, stamp};

/// How long sending and installing a snapshot may take.
pub const SNAPSHOT_TIME: Duration = Duration::from_secs(60);

/// The way to all peers, shared by Raft, hello and forwarding. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clients(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    wire: Arc<dyn Wire>,
    boot: Boot,
    standing: Standing,
}

/// Why a peer's answer is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SpeakError {
    /// The call itself.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The peer answered with words.
    #[error("{status}: {text}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The peer's words.
        text: String,
    },
    /// The peer, or the start of it that answered, is not believed: its answer does not count.
    #[error("{0}")]
    NotAdmitted(String),
}

impl Clients {
    /// The way of this start to those that `standing` knows, over `wire`.
    #[must_use]
    pub fn new(wire: Arc<dyn Wire>, boot: Boot, standing: Standing) -> Self {
        Self(Arc::new(Inner {
            wire,
            boot,
            standing,
        }))
    }

    /// Sends a message to a peer, believed or not. Only hello may.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn post(
        &self,
        to: u64,
        member: &Member,
        mut message: Message,
    ) -> Result<Answer, CallError> {
        stamp::put(&mut message.headers, self.0.boot);
        self.0.wire.post(to, member, message).await
    }

    fn acknowledged(&self, peer: u64, vote: Vote, last: LogId) {
        self.0.standing.acknowledged(peer, vote, last);
    }

    /// Sends a message to a believed peer, and takes the answer only from a believed start of it.
    ///
    /// # Errors
    /// [`SpeakError`].
    pub async fn speak(
        &self,
        to: u64,
        member: &Member,
        message: Message,
    ) -> Result<Bytes, SpeakError> {
        let standing = &self.0.standing;
        if !standing.knows(to) {
            let text = format!("node {to} is not admitted: no hello of it was believed yet");
            return Err(SpeakError::NotAdmitted(text));
        }
        let answer = self.post(to, member, message).await?;
        if answer.status != StatusCode::OK {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(SpeakError::Refused {
                status: answer.status,
                text,
            });
        }
        let boot = stamp::read(&answer.headers);
        let boot = boot.map_err(|error| SpeakError::NotAdmitted(error.to_string()))?;
        standing
            .admits(to, boot)
            .map_err(|why| SpeakError::NotAdmitted(why.to_string()))?;
        Ok(answer.body)
    }
}

/// Makes the link to each member that openraft asks for.
#[derive(Clone, Debug)]
pub struct Network {
    /// The clients.
    pub clients: Clients,
    /// The shortest time that any message gets: openraft would give a batch of entries one
    /// heartbeat, and one slow fsync of the follower would throw its acknowledgement away.
    pub rpc_time: Duration,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Link;

    async fn new_client(&mut self, target: u64, node: &Member) -> Link {
        Link {
            network: self.clone(),
            target,
            member: node.clone(),
        }
    }
}

/// The way to one peer.
#[derive(Clone, Debug)]
pub struct Link {
    network: Network,
    target: u64,
    member: Member,
}

impl Link {
    async fn call(&self, request: &Request, ttl: Duration) -> Result<Response, RPCError<Types>> {
        let body = codec::encode_wire(request).map_err(|error| broken(&error))?;
        self.exchange("raft", body, ttl.max(self.network.rpc_time))
            .await
    }

    async fn exchange(
        &self,
        name: &str,
        body: Vec<u8>,
        time: Duration,
    ) -> Result<Response, RPCError<Types>> {
        let path = format!("/v{FORMAT}/{name}");
        let message = Message {
            path,
            headers: HeaderMap::new(),
            body,
            time,
            limit: MAX_FRAME,
        };
        let answer = self
            .network
            .clients
            .speak(self.target, &self.member, message)
            .await;
        let answer = answer.map_err(|error| {
            tracing::debug!(peer = self.target, %error, "no answer to a raft message");
            RPCError::Unreachable(Unreachable::new(&error))
        })?;
        codec::decode_wire(&answer).map_err(|error| broken(&error))
    }

    fn unexpected(&self) -> RPCError<Types> {
        let text = format!("node {} gave an answer to another question", self.target);
        broken(&io::Error::other(text))
    }
}

fn broken(error: &(impl Error + 'static)) -> RPCError<Types> {
    RPCError::Network(NetworkError::new(error))
}

impl RaftNetworkV2<Types> for Link {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let (vote, last) = (rpc.vote, rpc.entries.last().map(|entry| entry.log_id));
        let request = Request::Append(rpc);
        let Response::Append(response) = self.call(&request, option.hard_ttl()).await? else {
            return Err(self.unexpected());
        };
        let acked = match &response {
            AppendEntriesResponse::Success => last,
            AppendEntriesResponse::PartialSuccess(upto) => last.and(*upto),
            AppendEntriesResponse::Conflict | AppendEntriesResponse::HigherVote(_) => None,
        };
        if let Some(acked) = acked {
            self.network.clients.acknowledged(self.target, vote, acked);
        }
        Ok(response)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let Response::Vote(response) = self.call(&Request::Vote(rpc), option.hard_ttl()).await?
        else {
            return Err(self.unexpected());
        };
        Ok(response)
    }

    // The trait's default grants every pre-vote.
    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let Response::Vote(response) = self.call(&Request::PreVote(rpc), option.hard_ttl()).await?
        else {
            return Err(self.unexpected());
        };
        Ok(response)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<Types, Vec<u8>>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let SnapshotOf::<Types, _> { meta, snapshot } = snapshot;
        let request = Request::Snapshot {
            vote,
            meta,
            data: Vec::new(),
        };
        let frame =
            codec::encode_wire(&request).map_err(|error| StreamingError::from(broken(&error)))?;
        let body = join_snapshot(&frame, &snapshot).filter(|body| body.len() <= SNAPSHOT_MAX);
        let body = body.ok_or_else(|| {
            let text = format!(
                "a snapshot of {} bytes, the limit is {SNAPSHOT_MAX}",
                snapshot.len()
            );
            StreamingError::from(broken(&io::Error::other(text)))
        })?;
        let sent = self.exchange("snapshot", body, option.hard_ttl().max(SNAPSHOT_TIME));
        tokio::select! {
            // In this order, so that a simulation goes the same way every time.
            biased;
            closed = cancel => Err(closed.into()),
            answer = sent => {
                let Response::Snapshot(response) = answer? else {
                    return Err(self.unexpected().into());
                };
                Ok(response)
            }
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let request = Request::TransferLeader(req);
        let Response::TransferLeader(response) = self.call(&request, option.hard_ttl()).await?
        else {
            return Err(self.unexpected());
        };
        Ok(response)
    }
}
