//! A network and disks that take a fixed time for everything, and three places for nodes.

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
use raft_store::memory::{Driver, MemoryDisk, MemoryFolder, Synced};
use raft_store::runtime::Process;
use raft_store::types::{Fingerprint, Member as Address};
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::{Cluster, Setup, Snapshots, View};
use crate::config::{Limits, PlainHttp, SignerApi, Times};
use crate::keys::Keyring;
use crate::metrics::Metrics;
use crate::peers::pins::PinSet;
use crate::peers::wire::{Answer, CallError, Message, Peer, Wire, WireError};
use crate::run::{Assembled, Member};
use crate::sign::tests::secrets::TestSigner;

/// How long a message is on its way, and a sync takes.
pub(super) const DELAY: Duration = Duration::from_millis(2);
/// Longer than anything takes, in virtual time.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Who is reachable, and everything that happened, in order.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) ports: Mutex<BTreeMap<String, Port>>,
    pub(super) events: Mutex<Vec<String>>,
    began: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
pub(super) struct Port {
    node: u64,
    key: Fingerprint,
    process: Process,
    pins: PinSet,
    app: Router,
}

/// The end of one node.
#[derive(Debug)]
pub(super) struct End {
    node: u64,
    key: Fingerprint,
    process: Process,
    world: Arc<World>,
}

/// Syncs of one disk, each [`DELAY`] after it was asked for.
#[derive(Debug)]
pub(super) struct Spindle {
    pub(super) node: u64,
    pub(super) disk: MemoryDisk,
    pub(super) world: Arc<World>,
}

pub(super) struct Node {
    pub(super) process: Process,
    pub(super) disk: MemoryDisk,
    pub(super) cluster: Cluster<MemoryFolder>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

pub(super) fn key(node: u64) -> Fingerprint {
    Fingerprint([u8::try_from(node).unwrap(); 32])
}

pub(super) fn address(node: u64) -> String {
    format!("node-{node}:7101")
}

impl World {
    pub(super) fn note(&self, event: String) {
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
    pub(super) async fn start(node: u64, disk: MemoryDisk, world: &Arc<World>) -> Self {
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

    pub(super) fn assemble(&self, signer: &TestSigner) -> Assembled<MemoryFolder> {
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

    pub(super) async fn sees(&self, fits: impl Fn(&View) -> bool) -> View {
        let mut view = self.cluster.view();
        let seen = timeout(PATIENCE, view.wait_for(|view| fits(view))).await;
        seen.expect("nothing changes any more").unwrap().clone()
    }
}
