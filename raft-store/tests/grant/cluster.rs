//! A cluster in one process, whose nodes can be killed, cut off, and started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft::Config;
use openraft::async_runtime::WatchReceiver as _;
use raft_store::command::{Answer, Command, Enrolment};
use raft_store::ledger::{
    Decision, Grant, Ledger, Permit, PermitDecision, Release, Released, Unavailable,
};
use raft_store::machine::Machine;
use raft_store::memory::{MemoryDisk, MemoryState};
use raft_store::policy::{self, Allowed, Request, Slotless, Slotted};
use raft_store::state::{Chains, ReleaseMode, Role};
use raft_store::types::{Fingerprint, Member, Raft};
use tezos::payload::Payload;
use tezos::{ChainId, Kind, Level, PublicKey};
use tokio::time::Instant;

use crate::wires::{From, Wires};

pub(crate) const CHAIN: ChainId = ChainId([1, 2, 3, 4]);

/// Longer than anything that is expected to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Cluster {
    pub(crate) nodes: BTreeMap<u64, Node>,
    pub(crate) wires: Wires,
}

pub(crate) struct Node {
    pub(crate) disk: MemoryDisk,
    pub(crate) raft: Raft<MemoryState>,
    pub(crate) ledger: Ledger<MemoryState>,
}

pub(crate) fn soon() -> Instant {
    Instant::now() + PATIENCE
}

impl Cluster {
    /// `count` nodes that have formed and elected a leader.
    pub(crate) async fn of(count: u64) -> Self {
        let mut cluster = Self {
            nodes: BTreeMap::new(),
            wires: Wires::default(),
        };
        for id in 1..=count {
            cluster.start(id, MemoryDisk::new()).await;
        }
        let member = |id: u64| Member {
            address: format!("node{id}"),
            fingerprint: Fingerprint([u8::try_from(id).unwrap(); 32]),
        };
        let members: BTreeMap<u64, Member> = (1..=count).map(|id| (id, member(id))).collect();
        cluster.nodes[&1].raft.initialize(members).await.unwrap();
        cluster.leader().await;
        cluster
    }

    /// Starts node `id` on what its disk holds.
    pub(crate) async fn start(&mut self, id: u64, disk: MemoryDisk) {
        let (log, state) = disk.open();
        let machine = Machine::open(state).unwrap();
        let reader = machine.reader();
        let config = Config {
            // Long enough for a busy machine to keep: no test here waits for a leader to be lost
            // by chance.
            heartbeat_interval: 100,
            election_timeout_min: 500,
            election_timeout_max: 900,
            enable_pre_vote: Some(true),
            enable_leader_restore: Some(false),
            ..Config::default()
        };
        let network = From {
            me: id,
            wires: self.wires.clone(),
        };
        let raft = Raft::new(id, Arc::new(config), network, log, machine)
            .await
            .unwrap();
        self.wires.plug_in(id, raft.clone());
        let ledger = Ledger::new(raft.clone(), reader);
        self.nodes.insert(id, Node { disk, raft, ledger });
    }

    /// kill -9: what was written stays in the page cache.
    pub(crate) async fn kill(&mut self, id: u64) -> MemoryDisk {
        let node = self.nodes.remove(&id).unwrap();
        self.wires.pull(id);
        node.disk.crash();
        node.raft.shutdown().await.unwrap();
        node.disk
    }

    /// A node that leads, with a majority behind it. Who it is may change at any time, so each
    /// candidate is asked until one is confirmed.
    pub(crate) async fn leader(&self) -> u64 {
        let deadline = soon();
        loop {
            for (id, node) in &self.nodes {
                let believes = node.raft.metrics().borrow_watched().current_leader == Some(*id);
                let while_it_lasts = Instant::now() + Duration::from_secs(2);
                if believes && node.ledger.confirm(while_it_lasts).await.is_ok() {
                    return *id;
                }
            }
            assert!(Instant::now() < deadline, "no leader");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn ledger(&self) -> &Ledger<MemoryState> {
        &self.nodes[&self.leader().await].ledger
    }

    /// Enrols `key` on one chain, and waits until every node knows it.
    pub(crate) async fn enrol(&self, key: &PublicKey, release: ReleaseMode) {
        let enrolment = Enrolment {
            generation: 0,
            public_key: key.clone(),
            role: Role::Baker,
            release,
            kinds: Kind::ALL.iter().copied().collect(),
            operations: [tezos::OperationName::FailingNoop].into(),
            votes: [].into(),
            chains: Chains::Listed([(CHAIN, Level::ZERO)].into()),
            authorized: Vec::new(),
            imports: Vec::new(),
        };
        self.order(Command::Enrol(Box::new(enrolment))).await;
    }

    /// Commits a command that must be applied; gives its log index.
    pub(crate) async fn order(&self, command: Command) -> u64 {
        let committed = self.ledger().await.propose(command, soon()).await.unwrap();
        assert!(
            matches!(committed.answer, Answer::Applied { .. }),
            "{:?}",
            committed.answer
        );
        for node in self.nodes.values() {
            let wait = node.raft.wait(Some(PATIENCE));
            wait.applied_index_at_least(Some(committed.entry.index), "applied")
                .await
                .unwrap();
        }
        committed.entry.index
    }
}

impl Node {
    pub(crate) fn term(&self) -> u64 {
        self.raft.metrics().borrow_watched().current_term
    }
}

/// The bytes of an attestation by a tz1 to tz3 key; `of` makes one message differ from another.
pub(crate) fn attestation(level: u32, round: u32, of: u8) -> Vec<u8> {
    let mut bytes = vec![0x13];
    bytes.extend(CHAIN.0);
    bytes.extend([7; 32]);
    bytes.push(21);
    bytes.extend(0u16.to_be_bytes());
    bytes.extend(level.to_be_bytes());
    bytes.extend(round.to_be_bytes());
    bytes.extend([of; 32]);
    bytes
}

/// `failing_noop` of one byte.
pub(crate) fn noop() -> Vec<u8> {
    let mut bytes = vec![0x03];
    bytes.extend([7; 32]);
    bytes.push(17);
    bytes.extend(1u32.to_be_bytes());
    bytes.push(b'!');
    bytes
}

/// What policy makes of a request, at a node that knows the key.
pub(crate) fn allowed(ledger: &Ledger<MemoryState>, key: &PublicKey, bytes: Vec<u8>) -> Allowed {
    let payload = Payload::decode(key.curve(), bytes).unwrap();
    let request = Request {
        key: key.hash(),
        payload,
        authentication: None,
        version: None,
    };
    policy::allow(&ledger.state(), request).unwrap()
}

pub(crate) fn slotted(ledger: &Ledger<MemoryState>, key: &PublicKey, bytes: Vec<u8>) -> Slotted {
    match allowed(ledger, key, bytes) {
        Allowed::Slotted(slotted) => slotted,
        Allowed::Slotless(slotless) => panic!("{slotless:?} has no slot"),
    }
}

pub(crate) fn slotless(ledger: &Ledger<MemoryState>, key: &PublicKey, bytes: Vec<u8>) -> Slotless {
    match allowed(ledger, key, bytes) {
        Allowed::Slotless(slotless) => slotless,
        Allowed::Slotted(slotted) => panic!("{slotted:?} has a slot"),
    }
}

pub(crate) async fn ask(
    ledger: &Ledger<MemoryState>,
    key: &PublicKey,
    bytes: Vec<u8>,
) -> Result<Decision, Unavailable> {
    ledger.advance(slotted(ledger, key, bytes), soon()).await
}

/// Asks whoever leads, through changes of the leader.
pub(crate) async fn decided(cluster: &Cluster, key: &PublicKey, bytes: &[u8]) -> Decision {
    let ends = soon();
    loop {
        match ask(cluster.ledger().await, key, bytes.to_vec()).await {
            Ok(decision) => return decision,
            Err(error) => assert!(Instant::now() < ends, "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn grant(ledger: &Ledger<MemoryState>, key: &PublicKey, bytes: Vec<u8>) -> Grant {
    match ask(ledger, key, bytes).await.unwrap() {
        Decision::Grant(grant) => grant,
        other => panic!("no grant but {other:?}"),
    }
}

pub(crate) async fn permit(ledger: &Ledger<MemoryState>, slotless: Slotless) -> Permit {
    match ledger.permit(slotless, soon()).await.unwrap() {
        PermitDecision::Permit(permit) => permit,
        PermitDecision::Refused(refusal) => panic!("refused: {refusal}"),
    }
}

pub(crate) fn released(release: Release) -> Released {
    match release {
        Release::Released(released) => released,
        Release::Refused(refusal) => panic!("refused: {refusal}"),
    }
}
