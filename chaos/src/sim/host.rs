//! One machine: its disk, its signers, and the process that runs on it, if one does.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use judge::history::Event;
use node::cluster::{Ability, Cluster, MemberLine, Setup, Snapshots};
use node::config::{Limits, PlainHttp, SignerApi, Times};
use node::keys::Keyring;
use node::metrics::Metrics;
use node::run::{Assembled, Drain, Member, watch_ability};
use raft_store::memory::{MemoryDisk, MemoryFolder};
use raft_store::runtime;
use raft_store::types::Fingerprint;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::dice::{Concern, Dice};
use super::disk::Drive;
use super::gate::Life;
use super::network::Machine;
use super::signer::Hsm;
use super::wire::Cable;
use super::witness::Ear;
use super::world::World;

/// One machine.
pub struct Host {
    /// Which.
    pub machine: Machine,
    /// The node whose disk, or copy of it, this is.
    pub node: u64,
    /// Where its process listens for peers.
    pub address: String,
    /// The key in its data folder.
    pub key: Fingerprint,
    /// Its disk.
    pub disk: MemoryDisk,
    /// What drives its disk.
    pub drive: Arc<Drive>,
    /// What it signs with.
    pub hsm: Arc<Hsm>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    starts: u64,
    life: Option<Arc<Life>>,
    running: Option<Running>,
    /// Its disk was put in another's place: it is right to refuse it, and to stay down.
    condemned: bool,
    /// What the last process left behind.
    left: Left,
}

/// What a process left behind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Left {
    #[default]
    Nothing,
    UnsyncedBytes,
    LostTail,
}

/// A node's part in a simulated cluster.
pub type Node = Cluster<MemoryFolder>;

/// A process that takes part in its cluster.
#[derive(Clone)]
pub struct Running {
    /// The process.
    pub life: Arc<Life>,
    /// The node's part in the cluster.
    pub cluster: Node,
    /// How it leaves.
    pub drain: Drain,
    /// What bakers speak to, once the node belongs to a cluster.
    pub signer: Arc<OnceLock<Assembled<MemoryFolder>>>,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blow {
    /// It is killed: what it wrote stays in the cache, unsynced.
    Kill,
    /// The machine loses its power: what is unsynced is gone, or a part of it.
    PowerCut,
}

/// How many entries each of openraft's purges takes at least; small, so that purges happen.
const PURGE_BATCH: u64 = 1;

impl Host {
    /// A machine with this disk, which is in nobody's hands yet; at an address of its own, if no
    /// other is given.
    #[must_use]
    pub fn new(
        world: &Arc<World>,
        machine: Machine,
        at: Option<String>,
        node: u64,
        key: Fingerprint,
        disk: MemoryDisk,
    ) -> Arc<Self> {
        let drive = Drive::mount(world, machine, &disk);
        Arc::new(Self {
            machine,
            node,
            address: at.unwrap_or_else(|| address(machine)),
            key,
            disk,
            drive,
            hsm: Hsm::new(world, machine),
            state: Mutex::default(),
        })
    }

    /// The line that the operator forms the cluster with.
    ///
    /// # Panics
    /// Never: the line is one.
    #[must_use]
    #[expect(clippy::expect_used, reason = "an address of ours is one")]
    pub fn line(&self) -> MemberLine {
        let line = format!("{}#{}", self.address, self.key);
        line.parse().expect("a member line")
    }

    /// The process that runs or starts here.
    #[must_use]
    pub fn life(&self) -> Option<Arc<Life>> {
        self.lock().life.clone()
    }

    /// The process that takes part.
    #[must_use]
    pub fn running(&self) -> Option<Running> {
        self.lock().running.clone()
    }

    /// Whether the process here takes itself for the leader.
    #[must_use]
    pub fn leads(&self) -> bool {
        let running = self.running();
        running.is_some_and(|running| running.cluster.view().borrow().is_leader)
    }

    /// Its disk is no longer its own: it may end by itself, and is not started again.
    pub fn condemn(&self) {
        self.lock().condemned = true;
    }

    /// Whether its disk is no longer its own.
    #[must_use]
    pub fn condemned(&self) -> bool {
        self.lock().condemned
    }

    /// Starts a process, unless one is there.
    pub fn start(self: &Arc<Self>, world: &Arc<World>) {
        let life = Arc::new(Life::new());
        let boot = {
            let mut state = self.lock();
            if state.life.is_some() {
                return;
            }
            state.life = Some(Arc::clone(&life));
            state.starts = state.starts.saturating_add(1);
            match std::mem::take(&mut state.left) {
                Left::Nothing => {}
                Left::UnsyncedBytes => world.coverage.count("event: restart over unsynced bytes"),
                Left::LostTail => world.coverage.count("event: restart after a lost tail"),
            }
            state.starts
        };
        let (host, world) = (Arc::clone(self), Arc::clone(world));
        let process = life.process().clone();
        process.spawn(async move {
            match host.run(&world, &life, boot).await {
                Ok(running) => host.take_part(&world, running).await,
                Err((code, reason)) => world.exited(host.machine, code, &reason),
            }
        });
    }

    /// What `quorate node` does, with the product's own parts, until the node takes part.
    async fn run(
        self: &Arc<Self>,
        world: &Arc<World>,
        life: &Arc<Life>,
        boot: u64,
    ) -> Result<Running, (u8, String)> {
        let index = self.machine.0.saturating_mul(1000).saturating_add(boot);
        let nonce = Dice::new(world.plan.seed, Concern::Product, index).bytes();
        let ground = MemoryFolder::open(&self.disk, nonce)
            .map_err(|error| (error.exit_code(), error.to_string()))?;
        let cable = Cable {
            world: Arc::downgrade(world),
            machine: self.machine,
            address: self.address.clone(),
            key: self.key,
            life: Arc::clone(life),
        };
        let clock = Arc::downgrade(world);
        let setup = Setup {
            folder: ground,
            wire: Arc::new(cable),
            times: Times::default(),
            clock: Arc::new(move || clock.upgrade().map_or(0, |world| world.wall_s())),
            snapshots: Snapshots {
                every: world.plan.snapshot_every,
                keep: world.plan.snapshot_keep,
                purge_batch: PURGE_BATCH,
            },
            witness: Some(Ear::at(world, self.machine, life)),
        };
        let cluster = Cluster::start(setup)
            .await
            .map_err(|error| (error.exit_code(), error.to_string()))?;
        Ok(Running {
            life: Arc::clone(life),
            cluster,
            drain: Drain::new(Times::default()),
            signer: Arc::default(),
        })
    }

    /// From here on the process is asked; it ends by itself only if it must.
    async fn take_part(self: &Arc<Self>, world: &Arc<World>, running: Running) {
        let cluster = running.cluster.clone();
        self.lock().running = Some(running.clone());
        let keyring = Arc::new(self.hsm.keyring(&running.life));
        runtime::spawn(sign(running, keyring));
        let stop = cluster.must_stop().await;
        world.exited(self.machine, stop.exit_code, &stop.reason);
    }

    /// Ends the process. Says whether there was one.
    pub fn strike(&self, world: &World, blow: Blow) -> bool {
        let Some(life) = self.lock().life.take() else {
            return false;
        };
        life.end();
        self.lock().running = None;
        let pending = self.disk.unsynced();
        let left = match blow {
            Blow::Kill => {
                self.disk.crash();
                if pending > 0 {
                    Left::UnsyncedBytes
                } else {
                    Left::Nothing
                }
            }
            Blow::PowerCut => self.cut_power(world, pending),
        };
        self.lock().left = left;
        let node = self.node;
        world.history.write(Event::Ended { node, code: None });
        true
    }

    /// What is in the cache is gone, or a part of it.
    fn cut_power(&self, world: &World, pending: usize) -> Left {
        let survive = self.drive.survivors(pending);
        self.disk.power_cut_after(survive);
        if pending == 0 {
            return Left::Nothing;
        }
        world.coverage.count(if survive == 0 {
            "disk: unsynced tail lost"
        } else {
            "disk: part of the tail survived"
        });
        Left::LostTail
    }

    /// A power cut also takes what an earlier process that was killed had left in the cache.
    pub fn cut_power_while_down(&self, world: &World) {
        if self.life().is_none() {
            let left = self.cut_power(world, self.disk.unsynced());
            self.lock().left = left;
        }
    }

    /// Leaves as an operator lets it: drained, with exit code 0.
    pub async fn drain(&self, world: &World) -> bool {
        let Some(running) = self.running() else {
            return false;
        };
        let (drain, cluster) = (running.drain.clone(), running.cluster.clone());
        let leaving = running
            .life
            .process()
            .spawn(async move { drain.run(&cluster).await });
        let left = timeout(DRAIN_MOST, running.life.outlives(leaving)).await;
        if !matches!(left, Ok(Ok(Ok(())))) {
            return false;
        }
        let Some(life) = self.lock().life.take() else {
            return false;
        };
        life.end();
        self.lock().running = None;
        self.disk.crash();
        let (node, code) = (self.node, Some(0));
        world.history.write(Event::Ended { node, code });
        true
    }

    /// The run is over.
    pub fn leave(&self) {
        let mut state = self.lock();
        state.running = None;
        if let Some(life) = state.life.take() {
            life.end();
        }
        drop(state);
        self.disk.crash();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// The process of a machine ended by itself. Like systemd, start it again after an I/O error,
    /// and after no other one.
    pub fn exited(self: &Arc<Self>, machine: Machine, code: u8, reason: &str) {
        let Some(host) = self.host(machine) else {
            return;
        };
        let Some(life) = host.lock().life.take() else {
            return;
        };
        life.end();
        host.lock().running = None;
        host.disk.crash();
        let (node, exit) = (host.node, Some(i32::from(code)));
        self.history.write(Event::Ended { node, code: exit });
        match code {
            EXIT_IO => self.start_later(machine, Duration::from_secs(1)),
            _ if host.condemned() => self.coverage.count("event: suspect peer stopped"),
            _ => {
                let words = format!("node {node} ended with {code} by itself: {reason}");
                self.surprise(words);
            }
        }
    }

    /// Starts a machine's process after a while.
    pub fn start_later(self: &Arc<Self>, machine: Machine, after: Duration) {
        let world = Arc::clone(self);
        tokio::spawn(async move {
            sleep(after).await;
            if let Some(host) = world.host(machine).filter(|host| !host.condemned()) {
                host.start(&world);
            }
        });
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Running({:?})", self.cluster)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Host({:?})", self.machine)
    }
}

/// What `quorate node` does from the moment in which the node belongs to a cluster, until it drains.
async fn sign(running: Running, keyring: Arc<Keyring>) {
    let Running {
        cluster,
        drain,
        signer,
        ..
    } = running;
    let times = Times::default();
    let (told, _ability) = watch::channel(Ability::default());
    let able = watch_ability(
        cluster.clone(),
        Arc::clone(&keyring),
        drain.begun(),
        told,
        times.heartbeat,
    );
    runtime::spawn(able);
    let mut view = cluster.view();
    let member = loop {
        if let Some(member) = Member::of(&cluster) {
            break member;
        }
        if view.changed().await.is_err() {
            return;
        }
    };
    let (api, metrics) = (signer_api(), Arc::new(Metrics::default()));
    let assembled = Assembled::new(member, keyring, &times, api, metrics);
    let mut in_work = assembled.path.admission().in_work();
    signer.set(assembled).ok();
    drain.set_in_work(true);
    let mut stop = drain.stop_signing();
    stop.wait_for(|stop| *stop).await.ok();
    in_work.wait_for(|count| *count == 0).await.ok();
    drain.set_in_work(false);
}

/// The signer API as it is configured without a word about it.
fn signer_api() -> SignerApi {
    SignerApi {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 6732)),
        base_path: String::new(),
        tls: None,
        allow_plain_http: PlainHttp::Loopback,
        allow_list_known_keys: false,
        allow_to_prove_possession: false,
        limits: Limits::default(),
    }
}

/// Addresses of the range that documents use (RFC 5737).
fn address(machine: Machine) -> String {
    format!("192.0.2.{}:7101", machine.0)
}

/// Longer than a drain takes.
const DRAIN_MOST: Duration = Duration::from_secs(20);
/// The exit code of a process whose disk failed, after which systemd starts it again.
const EXIT_IO: u8 = 74;
