//! A node's data folder: the identity, the guard, what it remembers of its peers, the database.
//!
//! ```text
//! <data_dir>/        flock'd while a process has it open
//!   creating         there while `create` is at work: such a folder was never opened
//!   identity         the node's key and the cluster it is bound to
//!   boot             how often the folder was opened, and the nonce of the last time
//!   guard            what the database must still contain
//!   peers            the highest this node saw of every peer
//!   snapshot         the published snapshot, once there is one
//!   db/              RocksDB
//!   db.judged/       a copy, while a torn write-ahead log is judged
//! ```
//!
//! **Invariant:** [`Folder::create`] and [`Folder::open`] are different acts. Whatever is missing,
//! half made, foreign or damaged is refused by `open` with the next command to type, and is never
//! read as "nothing signed yet".

mod create;
mod error;
pub(crate) mod open;
mod peers;

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

pub use self::{error::FolderError, peers::PeersMemory};
use crate::{
    guard::{Guard, Keeper, When},
    hello::{Boot, Hello, Suspect},
    identity::{ClusterBinding, Identity},
    rocks::{self, RocksLog, RocksState},
    types::Fingerprint,
    witness::{Seen, Witnessed},
};

const CREATING: &str = "creating";
const IDENTITY: &str = "identity";
const BOOT: &str = "boot";
const GUARD: &str = "guard";
const PEERS: &str = "peers";
const SNAPSHOT: &str = "snapshot";
const DATABASE: &str = "db";

/// An open data folder. It is this process's alone until it is dropped.
#[derive(Debug)]
pub struct Folder {
    // Dropped first: writes the guard once more.
    keeper: Mutex<Option<Keeper>>,
    path: PathBuf,
    identity: Mutex<Arc<Identity>>,
    boot: Boot,
    guard: Mutex<Guard>,
    mirror: Option<PathBuf>,
    peers: PeersMemory,
    // Dropped last: the kernel releases the lock, also after a kill.
    _lock: File,
}

impl Folder {
    /// The user whose node lives in a folder, by number; none if no node does, or that cannot be told.
    #[must_use]
    pub fn owner(path: &Path) -> Option<u32> {
        let identity = fs::metadata(path.join(IDENTITY)).ok()?;
        Some(identity.uid())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who the node is, as of now: forming and retiring change it.
    #[must_use]
    pub fn identity(&self) -> Arc<Identity> {
        Arc::clone(&lock(&self.identity))
    }

    /// This start of the node.
    #[must_use]
    pub fn boot(&self) -> Boot {
        self.boot
    }

    /// What the node remembers of its peers. It is on disk within [`crate::guard::INTERVAL`] once
    /// the store is open.
    #[must_use]
    pub fn peers_memory(&self) -> &PeersMemory {
        &self.peers
    }

    /// Judges a peer's hello against what is remembered, and remembers it.
    ///
    /// # Errors
    /// Why the peer must not be believed.
    pub fn judge(&self, peer: u64, hello: &Hello) -> Result<(), Suspect> {
        self.peers.judge(peer, hello)
    }

    /// Binds the folder to a cluster, durably. Binding it again to the same cluster does nothing.
    ///
    /// # Errors
    /// [`FolderError::Bound`] if it is bound to another cluster or other members,
    /// [`FolderError::NotAMember`] if the binding names another key for this node.
    pub fn bind(&self, binding: ClusterBinding) -> Result<(), FolderError> {
        let mut identity = lock(&self.identity);
        if is_bound(
            &self.path,
            identity.fingerprint(),
            identity.cluster(),
            &binding,
        )? {
            return Ok(());
        }
        self.rewrite(&mut identity, |identity| identity.bound(binding))
    }

    /// Writes down that the node was removed from its cluster, durably. The folder is not opened
    /// again.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn retire(&self) -> Result<(), FolderError> {
        self.rewrite(&mut lock(&self.identity), Identity::ended)
    }

    fn rewrite(
        &self,
        identity: &mut Arc<Identity>,
        change: impl FnOnce(&Identity) -> Result<Identity, crate::identity::IdentityError>,
    ) -> Result<(), FolderError> {
        let path = self.path.join(IDENTITY);
        let changed = change(identity).map_err(|error| FolderError::damaged(&path, &error))?;
        changed.write(&path)?;
        *identity = Arc::new(changed);
        Ok(())
    }

    /// Opens the database, holds it against the guard, makes durable what was read, and keeps the
    /// guard from here on. Call it once. `witness` sees this start, and what the log does.
    ///
    /// # Errors
    /// [`FolderError::Store`] if a file or row of it is damaged, [`FolderError::Behind`] if it is
    /// older than the guard.
    pub fn store(&self, witness: &Witnessed) -> Result<(RocksLog, RocksState), FolderError> {
        let path = self.path.join(DATABASE);
        let guard = lock(&self.guard).clone();
        let (log, state) = rocks::open_guarded(&path, &self.path.join(SNAPSHOT), &guard)?;
        let at = guard
            .reached
            .map(|reached| log.id_at(reached.index))
            .transpose()?
            .flatten();
        guard
            .check(log.opened(), |_index| at)
            .map_err(|behind| FolderError::Behind { path, behind })?;
        witness.saw(|| Seen::Boot {
            counter: self.boot.counter,
        });
        // What the guard saw was durable in an earlier process, which lived to see it.
        log.set_witness(witness, guard.reached)?;
        self.write_guard(&log)?;
        *lock(&self.keeper) = Some(self.keep(log.clone())?);
        Ok((log, state))
    }

    /// Makes durable what was written, writes the last guard, and keeps it no longer.
    pub fn put_away(&self) {
        drop(lock(&self.keeper).take());
    }

    /// The first guard of this boot, written even if nothing moved.
    fn write_guard(&self, log: &RocksLog) -> io::Result<()> {
        let mut guard = lock(&self.guard);
        guard.boot = self.boot.counter;
        guard.mirrored = self.mirror.is_some();
        guard.follow(log.vote(), log.reached(), log.synced());
        write_both(&guard, &self.path, self.mirror.as_deref())
    }

    fn keep(&self, log: RocksLog) -> io::Result<Keeper> {
        let (path, mirror) = (self.path.clone(), self.mirror.clone());
        let (mut written, peers) = (lock(&self.guard).clone(), self.peers.clone());
        Keeper::start(self.path.join(GUARD), move |when| {
            if when == When::Last {
                settle(&log); // a node that ends in order leaves nothing younger than its guard
            }
            if written.follow(log.vote(), log.reached(), log.synced()) {
                write_both(&written, &path, mirror.as_deref())?;
            }
            peers.write_if_changed(&path.join(PEERS))
        })
    }
}

/// How long nothing must be written until the state machine, which ends after consensus and tells nobody,
/// is taken to have ended.
const QUIET: Duration = Duration::from_millis(20);
/// It is waited for so many times at most.
const WAITS: usize = 50;

/// Makes durable what nobody waits for, until nothing comes any more.
fn settle(log: &RocksLog) {
    log.sync();
    for _wait in 0..WAITS {
        let written = log.synced();
        thread::sleep(QUIET);
        log.sync();
        if log.synced() == written {
            break;
        }
    }
}

/// Whether a node with the key `own` that is bound to `bound` is bound to `asked` already. If not,
/// it may be.
///
/// # Errors
/// [`FolderError::Bound`] if it is bound to another one, [`FolderError::NotAMember`] if `asked`
/// names another key for it.
pub(crate) fn is_bound(
    path: &Path,
    own: Fingerprint,
    bound: Option<&ClusterBinding>,
    asked: &ClusterBinding,
) -> Result<bool, FolderError> {
    match bound {
        Some(bound) if bound == asked => return Ok(true),
        Some(bound) => {
            return Err(FolderError::Bound {
                path: path.to_owned(),
                cluster: hex::encode(bound.cluster_id),
                asked: hex::encode(asked.cluster_id),
            });
        }
        None => {}
    }
    let member = asked.members.get(&asked.me);
    if member.is_none_or(|member| member.fingerprint != own) {
        return Err(FolderError::NotAMember {
            path: path.to_owned(),
            id: asked.me,
            own,
        });
    }
    Ok(false)
}

fn write_both(guard: &Guard, folder: &Path, mirror: Option<&Path>) -> io::Result<()> {
    guard.write(&folder.join(GUARD))?;
    mirror.map_or(Ok(()), |mirror| guard.write(mirror))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
