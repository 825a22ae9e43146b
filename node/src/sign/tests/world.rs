//! A cluster in one process: real consensus, rule, ledger and sign path over the store in memory
//! and a network of function calls that can be cut. What a test faults is the network, the disk or
//! the secret, never the code under test.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::Future;
use openraft::OptionalSend;
use openraft::async_runtime::WatchReceiver as _;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, v2::RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use raft_store::command::{Answer, Command, Enrolment};
use raft_store::ledger::{Committed, Ledger};
use raft_store::machine::Machine;
use raft_store::memory::{MemoryDisk, MemoryState};
use raft_store::state::{Chains, ReleaseMode, Role};
use raft_store::types::{Fingerprint, Member, Raft, Types, Vote};
use tezos::{Kind, Level, PublicKey};
use tokio::time::Instant;

use crate::answer::Reply;
use crate::config::{Limits, Times};
use crate::keys::{Keyring, Signer};
use crate::metrics::Metrics;
use crate::sign::{Ask, Peers, SignPath, Unreached};

/// The nodes and the wires between them.
pub(crate) struct World {
    wires: Arc<Wires>,
    pub(crate) nodes: BTreeMap<u64, Node>,
}

/// One node of the world.
pub(crate) struct Node {
    pub(crate) path: Arc<SignPath<Seat>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) disk: MemoryDisk,
}

/// What one node sees of the world.
#[derive(Clone)]
pub(crate) struct Seat {
    me: u64,
    raft: Raft<MemoryState>,
    ledger: Ledger<MemoryState>,
    wires: Arc<Wires>,
}

/// What happens to forwarded requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hops {
    /// They arrive, and so do their answers.
    Whole,
    /// They arrive; the answer is lost.
    AnswerLost,
    /// Neither arrives, and nobody says so.
    Silent,
}

struct Wires {
    rafts: Mutex<BTreeMap<u64, Raft<MemoryState>>>,
    paths: Mutex<BTreeMap<u64, Arc<SignPath<Seat>>>>,
    cut: Mutex<BTreeSet<u64>>,
    hops: Mutex<Hops>,
    forwarded: AtomicUsize,
}

impl World {
    /// Starts `count` nodes, each with the same `signers`, and waits for a leader.
    pub(crate) async fn start(count: u64, signers: &[Arc<dyn Signer>]) -> Self {
        Self::start_with(count, &Limits::default(), |_node| signers.to_vec()).await
    }

    /// Starts `count` nodes; `signers` says what each holds.
    pub(crate) async fn start_with(
        count: u64,
        limits: &Limits,
        signers: impl Fn(u64) -> Vec<Arc<dyn Signer>>,
    ) -> Self {
        let wires = Arc::new(Wires {
            rafts: Mutex::default(),
            paths: Mutex::default(),
            cut: Mutex::default(),
            hops: Mutex::new(Hops::Whole),
            forwarded: AtomicUsize::new(0),
        });
        let mut nodes = BTreeMap::new();
        for me in 1..=count {
            nodes.insert(me, node(me, &wires, limits, signers(me)).await);
        }
        let members: BTreeMap<u64, Member> = (1..=count)
            .map(|id| {
                (
                    id,
                    Member {
                        address: format!("node-{id}"),
                        fingerprint: Fingerprint::default(),
                    },
                )
            })
            .collect();
        let first = lock(&wires.rafts)[&1].clone();
        first.initialize(members).await.unwrap();
        let world = Self { wires, nodes };
        world.leader().await;
        world
    }

    /// The node that leads according to a majority of the connected ones, waited for.
    pub(crate) async fn leader(&self) -> u64 {
        loop {
            for (id, node) in &self.nodes {
                let connected = !lock(&self.wires.cut).contains(id);
                let by = within_s(1);
                if connected && node.path.peers().ledger.confirm(by).await.is_ok() {
                    return *id;
                }
            }
            // The runtime's own time: it passes as soon as nothing else is to be done.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Some node that does not lead.
    pub(crate) async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        let follower = self.nodes.keys().copied().find(|id| *id != leader).unwrap();
        let seat = self.nodes[&follower].path.peers();
        seat.leader_where(|led_by| led_by == Some(leader)).await;
        follower
    }

    /// Enrols `key` on every chain, and waits until every connected node has applied it.
    pub(crate) async fn enrol(&self, key: &PublicKey, release: ReleaseMode) {
        let enrolment = enrolment(key, release);
        self.command(Command::Enrol(Box::new(enrolment))).await;
    }

    /// Commits an operator's command and waits until every connected node has applied it.
    pub(crate) async fn command(&self, command: Command) {
        let leader = self.leader().await;
        let by = within_s(5);
        let ledger = &self.nodes[&leader].path.peers().ledger;
        let Committed { entry, answer } = ledger.propose(command, by).await.unwrap();
        assert!(matches!(answer, Answer::Applied { .. }), "{answer:?}");
        for (id, node) in &self.nodes {
            if !lock(&self.wires.cut).contains(id) {
                node.path.peers().applied(entry.index).await;
            }
        }
    }

    /// Asks node `at`.
    pub(crate) async fn ask(&self, at: u64, ask: Ask) -> Reply {
        self.nodes[&at].path.request(ask).await
    }

    /// Cuts a node off from the others; their clients still reach it.
    pub(crate) fn cut(&self, node: u64) {
        lock(&self.wires.cut).insert(node);
    }

    /// Connects a node again.
    pub(crate) fn mend(&self, node: u64) {
        lock(&self.wires.cut).remove(&node);
    }

    /// What becomes of forwarded requests from now on.
    pub(crate) fn hops(&self, hops: Hops) {
        *lock(&self.wires.hops) = hops;
    }

    /// How many requests were forwarded.
    pub(crate) fn forwarded(&self) -> usize {
        self.wires.forwarded.load(Ordering::SeqCst)
    }
}

/// An enrolment that allows every kind on every chain.
pub(crate) fn enrolment(key: &PublicKey, release: ReleaseMode) -> Enrolment {
    Enrolment {
        generation: 0,
        public_key: key.clone(),
        role: Role::Baker,
        release,
        kinds: Kind::ALL.iter().copied().collect(),
        operations: BTreeSet::new(),
        votes: BTreeSet::new(),
        chains: Chains::Any { floor: Level::ZERO },
        authorized: Vec::new(),
        imports: Vec::new(),
    }
}

async fn node(me: u64, wires: &Arc<Wires>, limits: &Limits, signers: Vec<Arc<dyn Signer>>) -> Node {
    let disk = MemoryDisk::new();
    let (log, state) = disk.open();
    let machine = Machine::open(state).unwrap();
    let reader = machine.reader();
    let config = openraft::Config {
        heartbeat_interval: 50,
        election_timeout_min: 200,
        election_timeout_max: 400,
        enable_leader_restore: Some(false),
        enable_pre_vote: Some(true),
        ..openraft::Config::default()
    };
    let network = Network {
        from: me,
        wires: Arc::clone(wires),
    };
    let raft = Raft::new(me, Arc::new(config), network, log, machine)
        .await
        .unwrap();
    lock(&wires.rafts).insert(me, raft.clone());
    let ledger = Ledger::new(raft.clone(), reader);
    let seat = Seat {
        me,
        raft,
        ledger,
        wires: Arc::clone(wires),
    };
    let metrics = Arc::new(Metrics::default());
    let keyring = Arc::new(Keyring::of(signers));
    let path = SignPath::new(
        seat,
        keyring,
        &Times::default(),
        limits,
        Arc::clone(&metrics),
    );
    lock(&wires.paths).insert(me, Arc::clone(&path));
    Node {
        path,
        metrics,
        disk,
    }
}

impl Seat {
    /// Whether no key has a mark.
    pub(crate) fn marks_nothing(&self) -> bool {
        self.ledger
            .state()
            .keys
            .values()
            .all(|key| key.marks.is_empty())
    }

    /// Waits until this node has applied `index`.
    async fn applied(&self, index: u64) {
        let mut metrics = self.raft.metrics();
        while metrics
            .borrow_watched()
            .last_applied
            .is_none_or(|applied| applied.index < index)
        {
            metrics.changed().await.unwrap();
        }
    }
}

impl Peers for Seat {
    type Disk = MemoryState;

    fn me(&self) -> u64 {
        self.me
    }

    fn ledger(&self) -> &Ledger<MemoryState> {
        &self.ledger
    }

    async fn leader_where(&self, fits: impl Fn(Option<u64>) -> bool + Send + Sync) -> Option<u64> {
        let mut metrics = self.raft.metrics();
        loop {
            let leader = metrics.borrow_watched().current_leader;
            if fits(leader) {
                return leader;
            }
            if metrics.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Leadership here moves only when a test moves it.
    fn would_hand_over(&self, _key: &tezos::PublicKeyHash) -> bool {
        false
    }

    async fn forward(&self, to: u64, ask: &Ask, remaining: Duration) -> Result<Reply, Unreached> {
        self.wires.forwarded.fetch_add(1, Ordering::SeqCst);
        let hops = *lock(&self.wires.hops);
        if hops == Hops::Silent {
            std::future::pending::<()>().await;
        }
        let unreached = |reason: &str| Unreached {
            node: to,
            reason: reason.to_owned(),
        };
        if !self.wires.connected(self.me, to) {
            return Err(unreached("cut"));
        }
        let path = Arc::clone(&lock(&self.wires.paths)[&to]);
        // Both ways through the codec, as over a wire.
        let ask = raft_store::codec::decode(&raft_store::codec::encode(ask).unwrap()).unwrap();
        let reply = path.forwarded(ask, self.me, remaining).await;
        if hops == Hops::AnswerLost {
            return Err(unreached("the answer is lost"));
        }
        Ok(raft_store::codec::decode(&raft_store::codec::encode(&reply).unwrap()).unwrap())
    }
}

impl Wires {
    fn connected(&self, from: u64, to: u64) -> bool {
        let cut = lock(&self.cut);
        from == to || !(cut.contains(&from) || cut.contains(&to))
    }
}

struct Network {
    from: u64,
    wires: Arc<Wires>,
}

struct Wire {
    from: u64,
    to: u64,
    wires: Arc<Wires>,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Wire;

    async fn new_client(&mut self, to: u64, _node: &Member) -> Wire {
        Wire {
            from: self.from,
            to,
            wires: Arc::clone(&self.wires),
        }
    }
}

impl Wire {
    /// The other node, if the wire is whole. The answer is looked at again on its way back.
    fn other(&self) -> Result<Raft<MemoryState>, RPCError<Types>> {
        if self.wires.connected(self.from, self.to) {
            Ok(lock(&self.wires.rafts)[&self.to].clone())
        } else {
            Err(RPCError::Unreachable(Unreachable::new(&io::Error::other(
                "cut",
            ))))
        }
    }

    fn back<A, E: std::error::Error + 'static>(
        &self,
        answer: Result<A, E>,
    ) -> Result<A, RPCError<Types>> {
        self.other()?;
        answer.map_err(|error| RPCError::Network(NetworkError::new(&error)))
    }
}

impl RaftNetworkV2<Types> for Wire {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let answer = self.other()?.append_entries(rpc).await;
        self.back(answer)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let answer = self.other()?.vote(rpc).await;
        self.back(answer)
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let answer = self.other()?.pre_vote(rpc).await;
        self.back(answer)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::alias::SnapshotOf<Types, Vec<u8>>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let answer = self.other()?.install_full_snapshot(vote, snapshot).await;
        self.back(answer).map_err(StreamingError::from)
    }
}

fn within_s(seconds: u64) -> Instant {
    Instant::now()
        .checked_add(Duration::from_secs(seconds))
        .unwrap()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
