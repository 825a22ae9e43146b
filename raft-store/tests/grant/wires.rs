//! The network between the nodes of one test: every message as the bytes it would be, and links
//! that can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};

use openraft::alias::SnapshotOf;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use raft_store::codec::{Request, Response, decode_wire, encode_wire};
use raft_store::memory::MemoryState;
use raft_store::types::{Member, Raft, Types, Vote};

/// All links of one cluster.
#[derive(Clone, Default)]
pub(crate) struct Wires(Arc<Mutex<Plugs>>);

#[derive(Default)]
struct Plugs {
    nodes: BTreeMap<u64, Raft<MemoryState>>,
    pulled: BTreeSet<u64>,
}

/// One node's ends.
pub(crate) struct From {
    pub(crate) me: u64,
    pub(crate) wires: Wires,
}

pub(crate) struct Link {
    me: u64,
    target: u64,
    wires: Wires,
}

impl Wires {
    pub(crate) fn plug_in(&self, id: u64, raft: Raft<MemoryState>) {
        let mut plugs = self.0.lock().unwrap();
        plugs.nodes.insert(id, raft);
        plugs.pulled.remove(&id);
    }

    /// From here on nothing reaches `id` and nothing comes from it.
    pub(crate) fn pull(&self, id: u64) {
        self.0.lock().unwrap().pulled.insert(id);
    }

    pub(crate) fn mend(&self) {
        self.0.lock().unwrap().pulled.clear();
    }

    fn between(&self, me: u64, target: u64) -> Option<Raft<MemoryState>> {
        let plugs = self.0.lock().unwrap();
        let cut = plugs.pulled.contains(&me) || plugs.pulled.contains(&target);
        if cut {
            None
        } else {
            plugs.nodes.get(&target).cloned()
        }
    }
}

impl RaftNetworkFactory<Types> for From {
    type Network = Link;

    async fn new_client(&mut self, target: u64, _node: &Member) -> Link {
        Link {
            me: self.me,
            target,
            wires: self.wires.clone(),
        }
    }
}

impl Link {
    async fn call(&self, request: Request) -> Result<Response, RPCError<Types>> {
        let lost = || RPCError::Unreachable(Unreachable::new(&io::Error::other("link cut")));
        let request: Request = decode_wire(&encode_wire(&request).unwrap()).unwrap();
        let raft = self.wires.between(self.me, self.target).ok_or_else(lost)?;
        let answer = answer(&raft, request)
            .await
            .map_err(|text| RPCError::Network(NetworkError::new(&io::Error::other(text))))?;
        // The answer is lost if the link was cut meanwhile.
        self.wires.between(self.me, self.target).ok_or_else(lost)?;
        Ok(decode_wire(&encode_wire(&answer).unwrap()).unwrap())
    }
}

async fn answer(raft: &Raft<MemoryState>, request: Request) -> Result<Response, String> {
    let failed = |error: &dyn std::error::Error| error.to_string();
    match request {
        Request::Append(r) => raft
            .append_entries(r)
            .await
            .map(Response::Append)
            .map_err(|e| failed(&e)),
        Request::Vote(r) => raft
            .vote(r)
            .await
            .map(Response::Vote)
            .map_err(|e| failed(&e)),
        Request::PreVote(r) => raft
            .pre_vote(r)
            .await
            .map(Response::Vote)
            .map_err(|e| failed(&e)),
        Request::Snapshot { vote, meta, data } => {
            let snapshot = SnapshotOf::<Types, _> {
                meta,
                snapshot: data,
            };
            let installed = raft.install_full_snapshot(vote, snapshot).await;
            installed.map(Response::Snapshot).map_err(|e| failed(&e))
        }
        Request::TransferLeader(r) => raft
            .handle_transfer_leader(r)
            .await
            .map(Response::TransferLeader)
            .map_err(|e| failed(&e)),
    }
}

macro_rules! call {
    ($link:expr, $request:expr, $answer:ident) => {
        match $link.call($request).await? {
            Response::$answer(response) => Ok(response),
            other => panic!("answered with {other:?}"),
        }
    };
}

impl RaftNetworkV2<Types> for Link {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        call!(self, Request::Append(rpc), Append)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        call!(self, Request::Vote(rpc), Vote)
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        call!(self, Request::PreVote(rpc), Vote)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<Types, Vec<u8>>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let request = Request::Snapshot {
            vote,
            meta: snapshot.meta,
            data: snapshot.snapshot,
        };
        let sent: Result<_, RPCError<Types>> = async { call!(self, request, Snapshot) }.await;
        sent.map_err(StreamingError::from)
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<Types>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        call!(self, Request::TransferLeader(req), TransferLeader)
    }
}
