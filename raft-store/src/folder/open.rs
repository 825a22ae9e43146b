//! Opening a data folder: everything is checked, and what was read is synced, before it is used.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::{BOOT, CREATING, Folder, FolderError, GUARD, IDENTITY, PEERS, PeersMemory};
use crate::{
    codec,
    disk::{self, Medium},
    guard::Guard,
    hello::{Boot, covers},
    identity::Identity,
    types::Fingerprint,
};

impl Folder {
    /// Opens a node's folder: takes the lock, checks every small file, makes durable what it read,
    /// and counts this start. The database is opened by [`Folder::store`].
    ///
    /// `mirror` is a second place for the guard, on another volume (`guard_path` in the config).
    ///
    /// # Errors
    /// See [`FolderError`]; its [`exit_code`](FolderError::exit_code) is the process's.
    pub fn open(path: &Path, mirror: Option<&Path>) -> Result<Self, FolderError> {
        if !path.is_dir() {
            return Err(FolderError::Empty {
                path: path.to_owned(),
            });
        }
        refuse_ground(path)?;
        let lock = lock_folder(path)?;
        refuse_half_made(path)?;
        let identity = read_identity(path)?;
        let guard = read_guards(path, mirror, &identity)?;
        let peers = PeersMemory::read(&path.join(PEERS))?;
        let boot = count_boot(path, &guard)?;
        disk::sync_chain(path)?;
        Ok(Self {
            keeper: Mutex::new(None),
            path: path.to_owned(),
            identity: Mutex::new(Arc::new(identity)),
            boot,
            guard: Mutex::new(guard),
            mirror: mirror.map(Path::to_owned),
            peers,
            _lock: lock,
        })
    }
}

/// Refuses tmpfs, NFS and the like; warns about a container's writable layer.
pub(super) fn refuse_ground(path: &Path) -> Result<(), FolderError> {
    match disk::medium(path)? {
        Medium::Memory(kind) | Medium::Network(kind) => Err(FolderError::Ground {
            path: path.to_owned(),
            kind,
        }),
        Medium::Overlay => {
            tracing::warn!(
                path = %path.display(),
                "the data folder lies in a container's own layer and goes with it: mount a volume"
            );
            Ok(())
        }
        Medium::Disk => Ok(()),
    }
}

/// Locks the folder itself: there is no lock file that somebody could delete.
pub(super) fn lock_folder(path: &Path) -> Result<File, FolderError> {
    let folder = File::open(path).map_err(|error| disk::at(path, error))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(FolderError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(disk::at(path, error).into()),
    }
}

/// The first name in a folder, `lost+found` aside.
pub(super) fn first_name(path: &Path) -> io::Result<Option<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| disk::at(path, error))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.into_iter().find(|name| name != "lost+found"))
}

/// Reads a small file that must be there: missing is damaged, never a default.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, FolderError> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FolderError::Damaged {
            path: path.to_owned(),
            reason: "the file is missing".to_owned(),
        }),
        Err(error) => Err(disk::at(path, error).into()),
    }
}

fn refuse_half_made(path: &Path) -> Result<(), FolderError> {
    if path.join(CREATING).exists() {
        return Err(FolderError::HalfMade {
            path: path.to_owned(),
        });
    }
    if path.join(IDENTITY).exists() {
        return Ok(());
    }
    match first_name(path)? {
        None => Err(FolderError::Empty {
            path: path.to_owned(),
        }),
        Some(name) if name == format!("{CREATING}.new") => Err(FolderError::HalfMade {
            path: path.to_owned(),
        }),
        Some(found) => Err(FolderError::Foreign {
            path: path.to_owned(),
            found,
        }),
    }
}

fn read_identity(folder: &Path) -> Result<Identity, FolderError> {
    let path = folder.join(IDENTITY);
    let identity =
        Identity::decode(&read(&path)?).map_err(|error| FolderError::damaged(&path, &error))?;
    disk::sync_file(&path)?;
    if identity.retired() {
        return Err(FolderError::Retired {
            path: folder.to_owned(),
        });
    }
    Ok(identity)
}

/// The guard in the folder, raised to its mirror. A mirror that existed once must exist.
fn read_guards(
    folder: &Path,
    mirror: Option<&Path>,
    identity: &Identity,
) -> Result<Guard, FolderError> {
    let guard = read_guard(&folder.join(GUARD), identity)?;
    let Some(mirror) = mirror else {
        if guard.mirrored {
            tracing::warn!(
                path = %folder.display(),
                "the guard had a mirror and the config names none: a restored disk is noticed less"
            );
        }
        return Ok(guard);
    };
    if !mirror.exists() && !guard.mirrored {
        return Ok(guard); // named for the first time; the store writes it
    }
    let other = read_guard(mirror, identity)?;
    Ok(Guard {
        boot: guard.boot.max(other.boot),
        vote: match other.vote {
            Some(vote) if !covers(guard.vote, vote) => Some(vote),
            Some(_) | None => guard.vote,
        },
        reached: guard.reached.max(other.reached),
        synced: guard.synced.max(other.synced),
        ..guard
    })
}

fn read_guard(path: &Path, identity: &Identity) -> Result<Guard, FolderError> {
    let guard = decode_guard(path, &read(path)?, identity.fingerprint())?;
    disk::sync_file(path)?;
    Ok(guard)
}

/// The guard in a file, if it is that of the node with this key.
pub(crate) fn decode_guard(
    path: &Path,
    frame: &[u8],
    own: Fingerprint,
) -> Result<Guard, FolderError> {
    let guard = Guard::decode(frame).map_err(|error| FolderError::damaged(path, &error))?;
    if guard.incarnation != own {
        return Err(FolderError::Damaged {
            path: path.to_owned(),
            reason: format!(
                "the guard of another node ({}), this one is {own}",
                guard.incarnation
            ),
        });
    }
    Ok(guard)
}

/// Counts this start, fsynced before anybody hears of it.
fn count_boot(folder: &Path, guard: &Guard) -> Result<Boot, FolderError> {
    let path: PathBuf = folder.join(BOOT);
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    let boot = next_boot(&path, &read(&path)?, guard, nonce)?;
    disk::replace(&path, &[&codec::encode(&boot).map_err(io::Error::other)?])?;
    Ok(boot)
}

/// The start after the one in a file. A count below the guard's is a folder of which a part went
/// back in time.
pub(crate) fn next_boot(
    path: &Path,
    frame: &[u8],
    guard: &Guard,
    nonce: [u8; 16],
) -> Result<Boot, FolderError> {
    let last: Boot = codec::decode(frame).map_err(|error| FolderError::damaged(path, &error))?;
    let damaged = |reason| FolderError::Damaged {
        path: path.to_owned(),
        reason,
    };
    if last.counter < guard.boot {
        return Err(damaged(format!(
            "boot counter is {}, the guard saw {}",
            last.counter, guard.boot
        )));
    }
    let counter = last.counter.checked_add(1);
    let counter = counter.ok_or_else(|| damaged("boot counter is at its end".to_owned()))?;
    Ok(Boot { counter, nonce })
}
