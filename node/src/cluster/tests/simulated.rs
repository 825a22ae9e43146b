//! The whole node in one thread on virtual time: consensus, hello, leadership, forwarding, ledger
//! and sign path over disks in memory and a network of function calls.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use raft_store::command::{Answer as Applied, Command, Enrolment};
use raft_store::memory::{Driver, MemoryDisk, MemoryFolder, Synced};
use raft_store::runtime::{self, Process};
use raft_store::state::{Chains, ReleaseMode, Role};
use raft_store::types::{Fingerprint, Member as Address};
use tezos::{Kind, Level, Signature};
use tokio::time::{Instant, sleep, timeout};

use super::world::attestation;
use crate::answer::Reply;
use crate::cluster::{Cluster, Setup, Snapshots, Stop, View};
use crate::config::{Limits, PlainHttp, SignerApi, Times};
use crate::keys::Keyring;
use crate::metrics::Metrics;
use crate::peers::pins::PinSet;
use crate::peers::wire::{Answer, CallError, Message, Peer, Wire, WireError};
use crate::run::{Assembled, Member};
use crate::sign::tests::secrets::TestSigner;
use crate::sign::{Ask, Sign};

/// How long a message is on its way, and a sync takes.
const DELAY: Duration = Duration::from_millis(2);
/// Longer than anything takes, in virtual time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who is reachable, and everything that happened, in order.
#[derive(Debug, Default)]
struct World {
    ports: Mutex<BTreeMap<String, Port>>,
    events: Mutex<Vec<String>>,
    began: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
struct Port {
    node: u64,
    key: Fingerprint,
    process: Process,
    pins: PinSet,
    app: Router,
}

/// The end of one node.
#[derive(Debug)]
struct End {
    node: u64,
    key: Fingerprint,
    process: Process,
    world: Arc<World>,
}

/// Syncs of one disk, each [`DELAY`] after it was asked for.
#[derive(Debug)]
struct Spindle {
    node: u64,
    disk: MemoryDisk,
    world: Arc<World>,
}

struct Node {
    process: Process,
    disk: MemoryDisk,
    cluster: Cluster<MemoryFolder>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

fn key(node: u64) -> Fingerprint {
    Fingerprint([u8::try_from(node).unwrap(); 32])
}

fn address(node: u64) -> String {
    format!("node-{node}:7101")
}

impl World {
    fn note(&self, event: String) {
        let began = *lock(&self.began).get_or_insert_with(Instant::now);
        let at = began.elapsed().as_micros();
        lock(&self.events).push(format!("{at} {event}"));
    }

    /// Carries a message there and its answer back, whoever may have died in the meantime.
    async fn carry(
        &self,
        from: u64,
        key: Fingerprint,
        to: Address,
        message: Message,
    ) -> Option<Answer> {
        sleep(DELAY).await;
        let port = lock(&self.ports).get(&to.address).cloned()?;
        let id = port
            .pins
            .node(&key)
            .filter(|_| port.key == to.fingerprint)?;
        let path = message.path.clone();
        let mut request = Request::post(message.path);
        request.headers_mut()?.extend(message.headers);
        let mut request = request.body(Body::from(message.body)).ok()?;
        request.extensions_mut().insert(Peer { id, key });
        let served = TowerToHyperService::new(port.app).call(request);
        let response = port.process.spawn(served).await.ok()?.ok()?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        self.note(format!("{from} -> {}{path} {}", port.node, parts.status));
        sleep(DELAY).await;
        Some(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }
}

impl Wire for End {
    fn serve(&self, pins: PinSet, app: Router) -> Result<BoxFuture<'static, ()>, WireError> {
        let port = Port {
            node: self.node,
            key: self.key,
            process: self.process.clone(),
            pins,
            app,
        };
        lock(&self.world.ports).insert(address(self.node), port);
        Ok(Box::pin(pending()))
    }

    fn post<'a>(
        &'a self,
        _to: u64,
        member: &'a Address,
        message: Message,
    ) -> BoxFuture<'a, Result<Answer, CallError>> {
        let (world, member, time) = (Arc::clone(&self.world), member.clone(), message.time);
        let (from, key) = (self.node, self.key);
        // A message on its way is no part of its sender any more.
        let carried = tokio::spawn(async move { world.carry(from, key, member, message).await });
        Box::pin(async move {
            match timeout(time, carried).await {
                Ok(Ok(Some(answer))) => Ok(answer),
                Ok(_) | Err(_) => Err(CallError::Lost("no answer".to_owned())),
            }
        })
    }
}

impl Driver for Spindle {
    fn wanted(&self) {
        let disk = self.disk.clone();
        let mark = disk.begin_sync();
        tokio::spawn(async move {
            sleep(DELAY).await;
            disk.finish_sync(mark);
        });
    }

    fn durable(&self, synced: &[Synced]) {
        for synced in synced {
            self.world.note(format!("{} has {synced:?}", self.node));
        }
    }

    fn stopped(&self, reason: &str) {
        self.world.note(format!("{} stops: {reason}", self.node));
    }
}

impl Node {
    async fn start(node: u64, disk: MemoryDisk, world: &Arc<World>) -> Self {
        let process = Process::new();
        let wire = Arc::new(End {
            node,
            key: key(node),
            process: process.clone(),
            world: Arc::clone(world),
        });
        let nonce = lock(&world.events).len().to_le_bytes();
        let nonce = std::array::from_fn(|at| nonce[at % nonce.len()]);
        let folder = MemoryFolder::open(&disk, nonce).unwrap();
        let clock = AtomicU64::new(1_700_000_000);
        let setup = Setup {
            folder,
            wire,
            times: Times::default(),
            snapshots: Snapshots::default(),
            clock: Arc::new(move || clock.fetch_add(1, Ordering::Relaxed)),
            witness: None,
        };
        let cluster = process.run(Cluster::start(setup)).await.unwrap();
        Self {
            process,
            disk,
            cluster,
        }
    }

    fn assemble(&self, signer: &TestSigner) -> Assembled<MemoryFolder> {
        let keyring = Arc::new(Keyring::of([signer.shared()]));
        let api = SignerApi {
            listen: "127.0.0.1:0".parse().unwrap(),
            base_path: String::new(),
            tls: None,
            allow_plain_http: PlainHttp::Loopback,
            allow_list_known_keys: false,
            allow_to_prove_possession: false,
            limits: Limits::default(),
        };
        let member = Member::of(&self.cluster).unwrap();
        Assembled::new(
            member,
            keyring,
            &Times::default(),
            api,
            Arc::new(Metrics::default()),
        )
    }

    async fn sees(&self, fits: impl Fn(&View) -> bool) -> View {
        let mut view = self.cluster.view();
        let seen = timeout(PATIENCE, view.wait_for(|view| fits(view))).await;
        seen.expect("nothing changes any more").unwrap().clone()
    }
}

/// Forms a cluster of three, enrols a key, signs, kills the leader, and signs on another node.
async fn story(world: Arc<World>, signer: TestSigner) -> [Signature; 2] {
    let mut nodes = BTreeMap::new();
    for id in 1..=3 {
        let disk = MemoryDisk::new();
        MemoryFolder::create(&disk, key(id)).unwrap();
        disk.set_driver(Arc::new(Spindle {
            node: id,
            disk: disk.clone(),
            world: Arc::clone(&world),
        }));
        nodes.insert(id, Node::start(id, disk, &world).await);
    }
    let lines: Vec<_> = (1..=3)
        .map(|id| format!("{}#{}", address(id), key(id)).parse().unwrap())
        .collect();
    let mut signers = BTreeMap::new();
    for (id, node) in &nodes {
        node.process.run(node.cluster.form(&lines)).await.unwrap();
        let assembling = async { node.assemble(&signer) };
        signers.insert(*id, node.process.run(assembling).await);
    }
    let enrolment = Command::Enrol(Box::new(Enrolment {
        generation: 0,
        public_key: signer.key(),
        role: Role::Baker,
        release: ReleaseMode::AfterCommit,
        kinds: [Kind::Attestation].into(),
        operations: [].into(),
        votes: [].into(),
        chains: Chains::Any { floor: Level::ZERO },
        authorized: vec![],
        imports: vec![],
    }));
    let deadline = Instant::now() + PATIENCE;
    let node = &nodes[&2];
    let committed = node
        .process
        .run(node.cluster.propose(enrolment, deadline))
        .await;
    assert_eq!(
        committed.unwrap().answer,
        Applied::Applied { generation: 1 }
    );

    let ask = async |node: u64, level: u32| {
        let path = Arc::clone(&signers[&node].path);
        let ask = Ask::Sign(Sign {
            key: signer.key().hash(),
            bytes: attestation(level, 1),
            authentication: None,
            version: None,
            authorized_only: false,
        });
        match nodes[&node]
            .process
            .spawn(async move { path.request(ask).await })
            .await
            .unwrap()
        {
            Reply::Signed { signature, .. } => signature,
            other => panic!("node {node} says {other:?}"),
        }
    };
    let leader = nodes[&1]
        .sees(|view| view.leader.is_some())
        .await
        .leader
        .unwrap();
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    let first = ask(others[0], 10).await;

    world.note(format!("{leader} is killed"));
    nodes[&leader].disk.crash();
    nodes[&leader].process.end();
    lock(&world.ports).remove(&address(leader));
    nodes[&others[0]]
        .sees(|view| view.leader.is_some_and(|now| now != leader))
        .await;
    let second = ask(others[1], 11).await;
    world.note("signed".to_owned());

    // What the dead one held is free, and it comes back as a follower.
    let node = Node::start(leader, nodes[&leader].disk.clone(), &world).await;
    node.sees(|view| view.leader.is_some_and(|now| now != leader) && view.applied >= Some(4))
        .await;
    [first, second]
}

/// One run from a seed: what was signed, and everything that happened.
fn run(seed: u64, signer: &TestSigner) -> ([Signature; 2], Vec<String>) {
    let _seeded = runtime::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let world = Arc::new(World::default());
    let signed = runtime.block_on(story(Arc::clone(&world), signer.clone()));
    let events = std::mem::take(&mut *lock(&world.events));
    (signed, events)
}

#[test]
fn three_nodes_in_one_thread_sign_through_the_death_of_their_leader_the_same_way_every_time() {
    let signer = TestSigner::deterministic(tezos::Curve::Ed25519);
    let (signed, events) = run(1, &signer);
    assert_ne!(signed[0], signed[1]);
    for _ in 0..3 {
        let (again, repeated) = run(1, &signer);
        assert_eq!(again, signed);
        let differ = events
            .iter()
            .zip(&repeated)
            .position(|(one, other)| one != other);
        let differ = differ.map(|at| (at, &events[at], &repeated[at]));
        assert_eq!(differ, None);
        assert_eq!(events.len(), repeated.len());
    }
    let (_, other) = run(2, &signer);
    assert_ne!(events, other, "another seed is another run");
}

#[test]
fn a_full_disk_ends_its_node_with_the_code_for_io() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let stop = runtime.block_on(async {
        let world = Arc::new(World::default());
        let disk = MemoryDisk::new();
        MemoryFolder::create(&disk, key(1)).unwrap();
        let node = Node::start(1, disk, &world).await;
        let lines = [format!("{}#{}", address(1), key(1)).parse().unwrap()];
        node.process.run(node.cluster.form(&lines)).await.unwrap();
        node.sees(|view| view.is_leader).await;
        node.disk.set_full(true);
        let command = Command::Format { format: 1 };
        let deadline = Instant::now() + PATIENCE;
        drop(
            node.process
                .run(node.cluster.propose(command, deadline))
                .await,
        );
        timeout(PATIENCE, node.cluster.must_stop()).await.unwrap()
    });
    let Stop { exit_code, reason } = stop;
    assert_eq!(exit_code, 74, "{reason}");
}
