//! Everything that exists in one simulated run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::coverage::Coverage;
use super::gate::Life;
use super::history::History;
use super::host::Host;
use super::network::{Machine, Network};
use super::plan::Plan;

/// The world of one run. It is over when the run is: nothing outlives its runtime.
#[derive(Debug)]
pub struct World {
    /// What kind of schedule this is.
    pub plan: Plan,
    /// What happened.
    pub history: History,
    /// What was met.
    pub coverage: Coverage,
    /// Between the machines.
    pub network: Network,
    hosts: Mutex<BTreeMap<Machine, Arc<Host>>>,
    signed: Mutex<BTreeMap<String, BTreeSet<String>>>,
    surprises: Mutex<Vec<String>>,
    began: Instant,
    clock_s: AtomicU64,
    healing: AtomicBool,
    /// Until when the bakers have nothing to ask, in microseconds of the history.
    silent_until_us: AtomicU64,
}

/// The three machines of the cluster.
pub const MACHINES: [Machine; 3] = [Machine(1), Machine(2), Machine(3)];

/// What a wall clock shows when a run begins: one evening in 2026.
const WALL_S: u64 = 1_780_000_000;

impl World {
    /// A world without machines.
    #[must_use]
    pub fn new(plan: Plan) -> Arc<Self> {
        Arc::new(Self {
            history: History::new(),
            coverage: Coverage::default(),
            network: Network::new(plan.seed, plan.weather),
            hosts: Mutex::default(),
            signed: Mutex::default(),
            surprises: Mutex::default(),
            began: Instant::now(),
            clock_s: AtomicU64::new(WALL_S),
            healing: AtomicBool::new(false),
            silent_until_us: AtomicU64::new(0),
            plan,
        })
    }

    /// A machine is there from now on.
    pub fn add(&self, host: Arc<Host>) {
        lock(&self.hosts).insert(host.machine, host);
    }

    /// A machine.
    #[must_use]
    pub fn host(&self, machine: Machine) -> Option<Arc<Host>> {
        lock(&self.hosts).get(&machine).cloned()
    }

    /// All machines.
    #[must_use]
    pub fn hosts(&self) -> Vec<Arc<Host>> {
        lock(&self.hosts).values().cloned().collect()
    }

    /// The process that runs, or starts, on a machine.
    #[must_use]
    pub fn life(&self, machine: Machine) -> Option<Arc<Life>> {
        self.host(machine)?.life()
    }

    /// The machine that has an address; a machine that nobody knows has none of ours.
    #[must_use]
    pub fn machine_at(&self, address: &str) -> Machine {
        let hosts = lock(&self.hosts);
        let found = hosts.values().find(|host| host.address == address);
        found.map_or(Machine(0), |host| host.machine)
    }

    /// The node whose disk, or copy of it, a machine runs.
    #[must_use]
    pub fn node_of(&self, machine: Machine) -> u64 {
        self.host(machine).map_or(machine.0, |host| host.node)
    }

    /// The node whose own disk a machine has; none for a copy.
    #[must_use]
    pub fn own_disk(&self, machine: Machine) -> Option<u64> {
        MACHINES.contains(&machine).then_some(machine.0)
    }

    /// The machine whose process leads, as far as it knows itself.
    #[must_use]
    pub fn leader(&self) -> Option<Machine> {
        let leads = |host: &Arc<Host>| host.leads().then_some(host.machine);
        self.hosts().iter().filter_map(leads).next_back()
    }

    /// Seconds since 1970 by every wall clock, jumps included.
    #[must_use]
    pub fn wall_s(&self) -> u64 {
        let since = self.began.elapsed().as_secs();
        self.clock_s.load(Ordering::Relaxed).saturating_add(since)
    }

    /// Sets every wall clock forth or back.
    pub fn jump(&self, forth: bool, seconds: u64) {
        let now = self.clock_s.load(Ordering::Relaxed);
        let then = if forth {
            now.saturating_add(seconds)
        } else {
            now.saturating_sub(seconds)
        };
        self.clock_s.store(then, Ordering::Relaxed);
    }

    /// A signer made a signature for a message. Says how many different ones it has now.
    pub fn signed(&self, bytes: &str, signature: &str) -> usize {
        let mut signed = lock(&self.signed);
        let made = signed.entry(bytes.to_owned()).or_default();
        made.insert(signature.to_owned());
        made.len()
    }

    /// How many different signatures of a message were made.
    #[must_use]
    pub fn signatures(&self, bytes: &str) -> usize {
        lock(&self.signed).get(bytes).map_or(0, BTreeSet::len)
    }

    /// Something happened that no fault explains.
    pub fn surprise(&self, words: String) {
        lock(&self.surprises).push(words);
    }

    /// Everything that no fault explains.
    #[must_use]
    pub fn surprises(&self) -> Vec<String> {
        lock(&self.surprises).clone()
    }

    /// From here on nothing is broken any more.
    pub fn heals(&self) {
        self.healing.store(true, Ordering::Relaxed);
    }

    /// Whether the time of faults is over.
    #[must_use]
    pub fn healing(&self) -> bool {
        self.healing.load(Ordering::Relaxed)
    }

    /// The bakers have nothing to ask for a while: what one node is told last stays the last.
    pub fn silence(&self, time: Duration) {
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let until = self.history.at_us().saturating_add(time);
        self.silent_until_us.fetch_max(until, Ordering::Relaxed);
    }

    /// Whether the bakers have nothing to ask.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.history.at_us() < self.silent_until_us.load(Ordering::Relaxed) && !self.healing()
    }

    /// Ends every process and lets go of every machine: they know the world, and it knew them.
    pub fn end(&self) {
        let hosts = std::mem::take(&mut *lock(&self.hosts));
        for host in hosts.values() {
            host.leave();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
