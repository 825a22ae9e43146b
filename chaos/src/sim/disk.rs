//! The disk of one machine in time: how long an fsync takes, when it fails, and what of it the
//! judge is told. The judge hears from the disk itself what is durable, never from the product.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use judge::history::Event;
use raft_store::memory::{Driver, MemoryDisk, Synced};
use tokio::time::sleep;

use super::dice::{Concern, Dice};
use super::gate::Gate;
use super::network::Machine;
use super::witness::{durable, entry};
use super::world::World;

/// What drives the disk of one machine.
#[derive(Debug)]
pub struct Drive {
    world: Weak<World>,
    machine: Machine,
    disk: MemoryDisk,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    dice: Dice,
    fsync_us: (u64, u64),
    fails: bool,
    /// An fsync is under way.
    busy: bool,
    /// Somebody waits for one that begins later.
    wanted: bool,
}

impl Drive {
    /// Puts `disk` of `machine` under a drive.
    pub fn mount(world: &Arc<World>, machine: Machine, disk: &MemoryDisk) -> Arc<Self> {
        let drive = Arc::new_cyclic(|_own| Self {
            world: Arc::downgrade(world),
            machine,
            disk: disk.clone(),
            state: Mutex::new(State {
                dice: Dice::new(world.plan.seed, Concern::Disk, machine.0),
                fsync_us: world.plan.fsync_us,
                fails: false,
                busy: false,
                wanted: false,
            }),
        });
        disk.set_driver(Arc::new(Wheel(Arc::clone(&drive))));
        drive
    }

    /// How long an fsync takes from now on, in microseconds.
    pub fn pace(&self, fsync_us: (u64, u64)) {
        self.lock().fsync_us = fsync_us;
    }

    /// The next fsync fails; nothing of what it was for reaches the disk.
    pub fn fail(&self, fails: bool) {
        self.lock().fails = fails;
    }

    /// How many of `pending` unsynced batches a power cut leaves: any prefix may have reached the
    /// disk by itself, since they are in one write-ahead log.
    pub fn survivors(&self, pending: usize) -> usize {
        let most = u64::try_from(pending).unwrap_or_default();
        let mut state = self.lock();
        let left = match state.dice.between(0, 3) {
            0 | 1 => 0,
            2 => state.dice.between(0, most),
            _ => most.saturating_sub(1),
        };
        usize::try_from(left).unwrap_or_default()
    }

    /// Runs one fsync after the other, until nobody waits.
    async fn run(self: Arc<Self>) {
        loop {
            self.lock().wanted = false;
            let Some(world) = self.world.upgrade() else {
                return;
            };
            let life = world.life(self.machine);
            if let Some(life) = &life {
                // The fault may be here; what is gone is told by the disk itself.
                life.pass(Gate::FsyncBegins).ok();
            }
            let mark = self.disk.begin_sync();
            let time = self.time();
            drop(world);
            sleep(time).await;
            if std::mem::take(&mut self.lock().fails) {
                self.disk.fail_sync(mark);
            } else if self.disk.finish_sync(mark)
                && let Some(life) = &life
            {
                life.pass(Gate::FsyncEnded).ok();
            }
            let mut state = self.lock();
            if !state.wanted {
                state.busy = false;
                return;
            }
        }
    }

    fn time(&self) -> Duration {
        let mut state = self.lock();
        let (low, high) = state.fsync_us;
        state.dice.micros(low, high)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The side of the drive that the disk turns.
#[derive(Debug)]
struct Wheel(Arc<Drive>);

impl Driver for Wheel {
    fn wanted(&self) {
        let mut state = self.0.lock();
        state.wanted = true;
        if !std::mem::replace(&mut state.busy, true) {
            tokio::spawn(Arc::clone(&self.0).run());
        }
    }

    fn durable(&self, synced: &[Synced]) {
        let Some(world) = self.0.world.upgrade() else {
            return;
        };
        // A copy of a disk is no second voice of its node in any majority.
        let Some(node) = world.own_disk(self.0.machine) else {
            return;
        };
        for synced in synced {
            match synced {
                Synced::Vote(vote) => world.history.write(Event::VoteDurable {
                    node,
                    term: vote.leader_id.term,
                    candidate: vote.leader_id.voted_for,
                }),
                Synced::Entry(logged) => world.history.write(durable(node, logged)),
                Synced::Truncated(last) => {
                    world.coverage.count("event: tail truncated");
                    let from = last.map_or(0, |last| last.index.saturating_add(1));
                    world.history.write(Event::Undone { node, from });
                }
                Synced::Purged(upto) => {
                    world.coverage.count("event: log purged");
                    let upto = entry((*upto).into());
                    world.history.write(Event::SnapshotDurable { node, upto });
                }
                Synced::Other => {}
            }
        }
    }

    fn stopped(&self, reason: &str) {
        if let Some(world) = self.0.world.upgrade() {
            world.exited(self.0.machine, EXIT_IO, reason);
        }
    }
}

/// A disk that fails ends its process with this.
const EXIT_IO: u8 = 74;
