//! A node's data folder in memory: the same small files in the same codec, judged by the same code
//! as those of a [`Folder`](crate::folder::Folder).

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::{MemoryDisk, MemoryLog, MemoryState};
use crate::codec;
use crate::folder::open::{decode_guard, next_boot};
use crate::folder::{self, FolderError, PeersMemory};
use crate::ground::{Ground, LogDisk as _};
use crate::guard::{Guard, INTERVAL};
use crate::hello::{Boot, Disk, PeerMemory};
use crate::identity::ClusterBinding;
use crate::rocks::StoreError;
use crate::runtime;
use crate::types::Fingerprint;
use crate::witness::{Seen, Witnessed};

const IDENTITY: &str = "identity";
const BOOT: &str = "boot";
const GUARD: &str = "guard";
const PEERS: &str = "peers";

/// One start of a node over a [`MemoryDisk`]. The disk is that start's alone until this is dropped,
/// or the disk crashes.
#[derive(Debug)]
pub struct MemoryFolder {
    disk: MemoryDisk,
    epoch: u64,
    identity: Mutex<Identity>,
    boot: Boot,
    peers: PeersMemory,
    keeper: Mutex<Option<Keeper>>,
}

/// What the file `identity` holds: the node's fingerprint without the key. A simulated network
/// knows who is calling.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Identity {
    fingerprint: Fingerprint,
    cluster: Option<ClusterBinding>,
}

/// Keeps guard and peers' memory near the state they describe.
#[derive(Debug)]
struct Keeper {
    kept: Arc<Mutex<Kept>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Kept {
    disk: MemoryDisk,
    epoch: u64,
    log: MemoryLog,
    guard: Guard,
    peers: PeersMemory,
}

impl MemoryFolder {
    /// Makes a node on an empty disk, durably.
    ///
    /// # Errors
    /// [`FolderError::Exists`] if there is one.
    pub fn create(disk: &MemoryDisk, fingerprint: Fingerprint) -> Result<(), FolderError> {
        if disk.file(IDENTITY).is_some() {
            let path = Path::new(IDENTITY).to_owned();
            return Err(FolderError::Exists { path });
        }
        let boot = Boot {
            counter: 0,
            nonce: [0; 16],
        };
        let guard = Guard {
            incarnation: fingerprint,
            boot: 0,
            vote: None,
            reached: None,
            mirrored: false,
            synced: None,
        };
        let identity = Identity {
            fingerprint,
            cluster: None,
        };
        let epoch = disk.next_epoch();
        disk.put_file(epoch, BOOT, frame(&boot)?)?;
        disk.put_file(epoch, GUARD, frame(&guard)?)?;
        let peers = std::collections::BTreeMap::<u64, PeerMemory>::new();
        disk.put_file(epoch, PEERS, frame(&peers)?)?;
        disk.put_file(epoch, IDENTITY, frame(&identity)?)?;
        Ok(())
    }

    /// Starts the node on a disk, with a nonce that no other start of it has.
    ///
    /// # Errors
    /// [`FolderError::Empty`] if there is no node, [`FolderError::Locked`] if it runs, and what is
    /// damaged.
    pub fn open(disk: &MemoryDisk, nonce: [u8; 16]) -> Result<Self, FolderError> {
        let path = Path::new(IDENTITY);
        let identity = disk.file(IDENTITY).ok_or_else(|| FolderError::Empty {
            path: path.to_owned(),
        })?;
        if disk.lock().locked {
            let path = path.to_owned();
            return Err(FolderError::Locked { path });
        }
        let identity: Identity =
            codec::decode(&identity).map_err(|error| FolderError::damaged(path, &error))?;
        let guard = decode_guard(
            Path::new(GUARD),
            &disk.read_file(GUARD)?,
            identity.fingerprint,
        )?;
        let peers = PeersMemory::decode(Path::new(PEERS), &disk.read_file(PEERS)?)?;
        let boot = next_boot(Path::new(BOOT), &disk.read_file(BOOT)?, &guard, nonce)?;
        let epoch = disk.next_epoch();
        disk.put_file(epoch, BOOT, frame(&boot)?)?;
        disk.lock().locked = true;
        Ok(Self {
            disk: disk.clone(),
            epoch,
            identity: Mutex::new(identity),
            boot,
            peers,
            keeper: Mutex::default(),
        })
    }
}

impl Ground for MemoryFolder {
    type Log = MemoryLog;
    type State = MemoryState;

    fn place(&self) -> String {
        format!("the disk in memory of {}", self.fingerprint())
    }

    fn fingerprint(&self) -> Fingerprint {
        lock(&self.identity).fingerprint
    }

    fn binding(&self) -> Option<ClusterBinding> {
        lock(&self.identity).cluster.clone()
    }

    fn boot(&self) -> Boot {
        self.boot
    }

    fn peers_memory(&self) -> &PeersMemory {
        &self.peers
    }

    fn disk(&self) -> Disk {
        if self.disk.lock().full {
            Disk::Full
        } else {
            Disk::Healthy
        }
    }

    fn bind(&self, binding: ClusterBinding) -> Result<(), FolderError> {
        let mut identity = lock(&self.identity);
        let bound = identity.cluster.as_ref();
        if folder::is_bound(Path::new(IDENTITY), identity.fingerprint, bound, &binding)? {
            return Ok(());
        }
        let changed = Identity {
            cluster: Some(binding),
            ..identity.clone()
        };
        self.disk.put_file(self.epoch, IDENTITY, frame(&changed)?)?;
        *identity = changed;
        Ok(())
    }

    fn store(&self, witness: &Witnessed) -> Result<(MemoryLog, MemoryState), FolderError> {
        let path = Path::new("db");
        let guard = self.disk.read_file(GUARD)?;
        let mut guard = decode_guard(Path::new(GUARD), &guard, self.fingerprint())?;
        self.disk.medium(self.epoch).map(drop)?;
        let (log, state, found) = self.disk.open_in(self.epoch);
        found.fit(state.covers()).map_err(|reason| {
            FolderError::Store(StoreError::Damaged {
                path: path.to_owned(),
                reason,
            })
        })?;
        guard
            .check(&crate::rocks::reach(&found), |index| log.id_at(index))
            .map_err(|behind| FolderError::Behind {
                path: path.to_owned(),
                behind,
            })?;
        witness.saw(|| Seen::Boot {
            counter: self.boot.counter,
        });
        log.set_witness(witness, guard.reached)?;
        guard.boot = self.boot.counter;
        guard.follow(log.vote(), log.reached(), None);
        self.disk.put_file(self.epoch, GUARD, frame(&guard)?)?;
        let kept = Kept {
            disk: self.disk.clone(),
            epoch: self.epoch,
            log: log.clone(),
            guard,
            peers: self.peers.clone(),
        };
        *lock(&self.keeper) = Some(Keeper::start(kept));
        Ok((log, state))
    }
}

impl Drop for MemoryFolder {
    /// In order: the guard is written once more. A process that has crashed writes nothing.
    fn drop(&mut self) {
        if let Some(Keeper { kept, task }) = lock(&self.keeper).take() {
            task.abort();
            lock(&kept).keep().ok();
        }
        if let Ok(mut medium) = self.disk.medium(self.epoch) {
            medium.end();
        }
    }
}

impl Keeper {
    fn start(kept: Kept) -> Self {
        let kept = Arc::new(Mutex::new(kept));
        let keeping = Arc::clone(&kept);
        let task = runtime::spawn(async move {
            let mut tick = interval(INTERVAL);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                // The real node ends where this fails, and so has this one: its disk is gone.
                if lock(&keeping).keep().is_err() {
                    return;
                }
            }
        });
        Self { kept, task }
    }
}

impl Kept {
    fn keep(&mut self) -> io::Result<()> {
        if self.guard.follow(self.log.vote(), self.log.reached(), None) {
            let frame = codec::encode(&self.guard).map_err(io::Error::other)?;
            self.disk.put_file(self.epoch, GUARD, frame)?;
        }
        match self.peers.changed()? {
            Some(frame) => self.disk.put_file(self.epoch, PEERS, frame),
            None => self.disk.medium(self.epoch).map(drop),
        }
    }
}

impl MemoryDisk {
    fn file(&self, name: &'static str) -> Option<Vec<u8>> {
        self.lock().live.files.get(name).cloned()
    }

    fn read_file(&self, name: &'static str) -> Result<Vec<u8>, FolderError> {
        self.file(name).ok_or_else(|| FolderError::Damaged {
            path: Path::new(name).to_owned(),
            reason: "the file is missing".to_owned(),
        })
    }

    /// Replaces a file, durably at once.
    fn put_file(&self, epoch: u64, name: &'static str, frame: Vec<u8>) -> io::Result<()> {
        let mut medium = self.medium(epoch)?;
        medium.durable.files.insert(name, frame.clone());
        medium.live.files.insert(name, frame);
        Ok(())
    }
}

fn frame<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    codec::encode(value).map_err(io::Error::other)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
