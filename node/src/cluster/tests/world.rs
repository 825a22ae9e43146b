//! The three nodes, and what is done to them.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use raft_store::command::{Answer, Command, Enrolment};
use raft_store::folder::{Folder, FolderError};
use raft_store::ledger::{Decision, Unavailable, system_clock};
use raft_store::policy::{self, Allowed, Request};
use raft_store::state::{Chains, ReleaseMode, Role};
use tempfile::TempDir;
use tezos::payload::Payload;
use tezos::{Curve, Kind, Level, PublicKeyHash, SecretKey};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::{Cluster, MemberLine, Setup, Snapshots, StartError, View};
use crate::config::Times;
use crate::peers::pinned::Pinned;

/// Longer than anything that is waited for; a test that needs it has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// Three folders, and the nodes that run over them.
pub(super) struct World {
    pub(super) nodes: BTreeMap<u64, Cluster>,
    others: Mutex<Vec<(Cluster, PathBuf)>>,
    at: BTreeMap<u64, SocketAddr>,
    _kept: Vec<TcpSocket>,
    pub(super) lines: Vec<MemberLine>,
    key: SecretKey,
    root: TempDir,
}

/// Every node ends before its folder is removed: a guard that cannot be written ends the process.
impl Drop for World {
    fn drop(&mut self) {
        let others = std::mem::take(&mut *self.others.lock().unwrap());
        let nodes = std::mem::take(&mut self.nodes);
        let nodes = nodes.into_iter().map(|(id, node)| (node, self.folder(id)));
        let all: Vec<_> = nodes.chain(others).collect();
        let end = async {
            for (node, folder) in all {
                node.end().await;
                drop(node);
                free(&folder).await;
            }
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(end));
    }
}

impl World {
    /// Three nodes that are made and started, and belong to no cluster yet.
    pub(super) async fn unformed() -> Self {
        // RUST_LOG=node=info shows what the nodes say.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_test_writer();
        log.try_init().ok();
        // Beside the test binary: the system's folder for such things may be memory.
        let beside = std::env::current_exe().unwrap();
        let root = tempfile::tempdir_in(beside.parent().unwrap()).unwrap();
        // Bound and never listening, these keep the ports for the nodes while they are stopped: who
        // asks for any free port gets another.
        let kept: Vec<_> = (0..3).map(|_| keep_a_port()).collect();
        let mut addresses: Vec<_> = kept.iter().map(|it| it.local_addr().unwrap()).collect();
        // Ids go by address: so do these.
        addresses.sort_by_key(SocketAddr::port);
        let key = SecretKey::generate(Curve::Ed25519).unwrap();
        let (nodes, at, lines) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut world = Self {
            nodes,
            others: Mutex::default(),
            at,
            _kept: kept,
            lines,
            key,
            root,
        };
        for (id, address) in (1..).zip(addresses) {
            let fingerprint = Folder::create(&world.folder(id)).unwrap();
            world
                .lines
                .push(format!("{address}#{fingerprint}").parse().unwrap());
            world.at.insert(id, address);
            let folder = Folder::open(&world.folder(id), None).unwrap();
            let node = start_on(folder, listen(address).await).await.unwrap();
            world.nodes.insert(id, node);
        }
        world
    }

    /// Three nodes that form a cluster and have a leader.
    pub(super) async fn formed() -> Self {
        let world = Self::unformed().await;
        for node in world.nodes.values() {
            node.form(&world.lines).await.unwrap();
        }
        world.leader().await;
        world
    }

    /// The same, with one key enrolled through a node that does not lead.
    pub(super) async fn enrolled() -> Self {
        let world = Self::formed().await;
        let leader = world.leader().await;
        let follower = world.nodes.iter().find(|(id, _)| **id != leader).unwrap().1;
        let committed = follower.propose(world.enrolment(), soon()).await.unwrap();
        assert_eq!(committed.answer, Answer::Applied { generation: 1 });
        world
    }

    pub(super) fn enrolment(&self) -> Command {
        Command::Enrol(Box::new(Enrolment {
            generation: 0,
            public_key: self.key.public_key().clone(),
            role: Role::Baker,
            release: ReleaseMode::AfterCommit,
            kinds: [Kind::Block, Kind::Preattestation, Kind::Attestation].into(),
            operations: [].into(),
            votes: [].into(),
            chains: Chains::Any {
                floor: Level::new(0).unwrap(),
            },
            authorized: vec![],
            imports: vec![],
        }))
    }

    pub(super) fn pkh(&self) -> PublicKeyHash {
        self.key.public_key().hash()
    }

    pub(super) fn folder(&self, id: u64) -> PathBuf {
        self.root.path().join(format!("node{id}"))
    }

    /// Waits until every running node sees the same leader among the running ones.
    pub(super) async fn leader(&self) -> u64 {
        let ends = soon();
        loop {
            let seen: Vec<_> = self
                .nodes
                .values()
                .map(|node| node.view().borrow().leader)
                .collect();
            let first = seen.first().copied().flatten();
            if let Some(leader) = first.filter(|leader| {
                seen.iter().all(|seen| *seen == Some(*leader)) && self.nodes.contains_key(leader)
            }) {
                return leader;
            }
            assert!(Instant::now() < ends, "no common leader: {seen:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks whoever leads to grant an attestation at `level`, through changes of the leader.
    pub(super) async fn advance(&self, level: u32, salt: u8) -> Decision {
        let ends = soon();
        loop {
            match self.try_advance(self.leader().await, level, salt).await {
                Ok(decision) => return decision,
                Err(error) => assert!(Instant::now() < ends, "{error}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn try_advance(
        &self,
        node: u64,
        level: u32,
        salt: u8,
    ) -> Result<Decision, Unavailable> {
        let payload = Payload::decode(Curve::Ed25519, attestation(level, salt)).unwrap();
        let ledger = self.nodes[&node].ledger().unwrap();
        let request = Request {
            key: self.pkh(),
            payload,
            authentication: None,
            version: None,
        };
        let allowed = policy::allow(&ledger.state(), request);
        let Ok(Allowed::Slotted(slotted)) = allowed else {
            return Err(Unavailable::NotLeader { leader: None }); // the enrolment is on its way
        };
        ledger
            .advance(slotted, Instant::now() + Duration::from_secs(2))
            .await
    }

    /// Waits until every running node has the mark at `level`.
    pub(super) async fn marked(&self, level: u32) {
        let ends = soon();
        for node in self.nodes.values() {
            loop {
                let highest = {
                    let state = node.ledger().unwrap().state();
                    let marks = state.keys.get(&self.pkh()).map(|key| key.marks.clone());
                    marks
                        .into_iter()
                        .flatten()
                        .map(|(_, mark)| mark.slot.level.get())
                        .max()
                };
                if highest == Some(level) {
                    break;
                }
                assert!(
                    Instant::now() < ends,
                    "{node:?} stands at {highest:?}, not {level}"
                );
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Ends a node, as a process that is killed would: nothing is handed over.
    pub(super) async fn stop(&mut self, id: u64) {
        let node = self.nodes.remove(&id).unwrap();
        node.end().await;
        drop(node);
        self.freed(id).await;
    }

    /// Ends two nodes at one time, for a test that has something to do before their folders are
    /// [`Self::freed`].
    pub(super) async fn end_both(&mut self, ids: [u64; 2]) {
        let [one, other] = ids.map(|id| self.nodes.remove(&id).unwrap());
        tokio::join!(one.end(), other.end());
    }

    /// Waits until a node that was ended has left its folder.
    pub(super) async fn freed(&self, id: u64) {
        free(&self.folder(id)).await;
    }

    /// Starts a node again at its address.
    pub(super) async fn start(&mut self, id: u64) {
        let folder = Folder::open(&self.folder(id), None).unwrap();
        let listener = listen(self.at[&id]).await;
        self.nodes
            .insert(id, start_on(folder, listener).await.unwrap());
    }

    /// Starts a node over any folder, at any address.
    pub(super) async fn start_folder(&self, path: &Path, at: SocketAddr) -> Cluster {
        let folder = Folder::open(path, None).unwrap();
        let listener = listen(at).await;
        let node = start_on(folder, listener).await.unwrap();
        let other = (node.clone(), path.to_owned());
        self.others.lock().unwrap().push(other);
        node
    }

    /// Ends the nodes that were started over other folders.
    pub(super) async fn end_others(&self) {
        let others = std::mem::take(&mut *self.others.lock().unwrap());
        for (node, path) in others {
            node.end().await;
            drop(node);
            free(&path).await;
        }
    }

    pub(super) fn address(&self, id: u64) -> SocketAddr {
        self.at[&id]
    }

    /// Copies a folder that nobody has open.
    pub(super) fn copy(&self, id: u64, name: &str) -> PathBuf {
        let to = self.root.path().join(name);
        copy_folder(&self.folder(id), &to);
        to
    }

    /// Removes a node's folder, as if its disk were new.
    pub(super) fn wipe(&self, id: u64) {
        fs::remove_dir_all(self.folder(id)).unwrap();
    }

    /// Waits until every other node believes this start of a node.
    pub(super) async fn believed(&self, id: u64, boot: u64) {
        for other in self.nodes.keys().filter(|other| **other != id) {
            let of = |view: &View| {
                view.peers[&id]
                    .hello
                    .as_ref()
                    .map(|hello| hello.boot.counter)
            };
            self.sees(*other, "that start", |view| of(view) == Some(boot))
                .await;
        }
    }

    /// Waits until the view of a node fits.
    pub(super) async fn sees(&self, id: u64, what: &str, fits: impl Fn(&View) -> bool) -> View {
        let mut view = self.nodes[&id].view();
        let seen = timeout(PATIENCE, view.wait_for(|view| fits(view))).await;
        seen.unwrap_or_else(|_| panic!("node {id} does not see {what}"))
            .unwrap()
            .clone()
    }
}

/// A port of this machine that nobody else is given.
fn keep_a_port() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

/// Listens once whoever listened there before has ended, which may be a moment after its node.
async fn listen(at: SocketAddr) -> TcpListener {
    let ends = soon();
    loop {
        match TcpListener::bind(at).await {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < ends, "{at}: {error}"),
        }
        sleep(Duration::from_millis(10)).await;
    }
}

async fn start_on(folder: Folder, listener: TcpListener) -> Result<Cluster, StartError> {
    let wire = Pinned::new(folder.identity().key(), listener).unwrap();
    Cluster::start(Setup {
        folder,
        wire,
        times: Times::default(),
        snapshots: Snapshots::default(),
        clock: system_clock(),
        witness: None,
    })
    .await
}

/// Waits until nobody has the folder open: the last task of a node ends a moment after it.
async fn free(folder: &Path) {
    let ends = soon();
    loop {
        let locked = fs::File::open(folder).unwrap().try_lock().is_err();
        if !locked {
            return;
        }
        assert!(Instant::now() < ends, "{} is still open", folder.display());
        sleep(Duration::from_millis(10)).await;
    }
}

/// Opens and closes a folder, which counts a boot.
pub(super) fn count_a_boot(folder: &Path) -> Result<(), FolderError> {
    Folder::open(folder, None).map(drop)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An attestation without DAL for slot (level, 0): watermark, chain, branch, tag 21, slot, level,
/// round, payload hash (octez-protocol: `Operation_repr`).
pub(in crate::cluster::tests) fn attestation(level: u32, salt: u8) -> Vec<u8> {
    let mut bytes = vec![0x13, 1, 2, 3, 4];
    bytes.extend([salt; 32]);
    bytes.extend([21, 0, 7]);
    bytes.extend(level.to_be_bytes());
    bytes.extend(0u32.to_be_bytes());
    bytes.extend([9; 32]);
    bytes
}
