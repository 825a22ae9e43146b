//! `quorate init`: making a data folder, once.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::Path,
};

use super::{
    BOOT, CREATING, DATABASE, Folder, FolderError, GUARD, IDENTITY, PEERS, SNAPSHOT, open,
};
use crate::{
    codec, disk,
    guard::Guard,
    hello::{Boot, PeerMemory},
    identity::Identity,
    rocks,
    types::Fingerprint,
};

/// What `create` makes, in the order in which it makes it.
const MADE: [&str; 6] = [DATABASE, BOOT, GUARD, PEERS, SNAPSHOT, IDENTITY];

impl Folder {
    /// Makes a node: its folder, key and empty database, all of it durable. Gives the fingerprint
    /// that the operator passes to `quorate cluster form`.
    ///
    /// A crash at any point leaves a folder that `open` refuses and `create` completes: the marker
    /// `creating` is the first thing in it and the last to go.
    ///
    /// # Errors
    /// [`FolderError::Exists`] if there is a node, [`FolderError::Foreign`] if there is anything
    /// else, [`FolderError::Ground`] on tmpfs, NFS and the like, [`FolderError::Io`].
    pub fn create(path: &Path) -> Result<Fingerprint, FolderError> {
        open::refuse_ground(nearest(path))?;
        disk::create_folder(path)?;
        let _lock = open::lock_folder(path)?;
        prepare(path)?;
        let marker = path.join(CREATING);
        disk::replace(
            &marker,
            &[&codec::encode(&CREATING).map_err(io::Error::other)?],
        )?;
        let identity = fill(path)?;
        disk::sync_chain(path)?;
        fs::remove_file(&marker)?;
        disk::sync_folder(path)?;
        Ok(identity.fingerprint())
    }
}

fn fill(path: &Path) -> Result<Identity, FolderError> {
    let identity = Identity::generate()?;
    rocks::create(&path.join(DATABASE))?;
    let boot = Boot {
        counter: 0,
        nonce: [0; 16],
    };
    disk::replace(
        &path.join(BOOT),
        &[&codec::encode(&boot).map_err(io::Error::other)?],
    )?;
    let guard = Guard {
        incarnation: identity.fingerprint(),
        boot: 0,
        vote: None,
        reached: None,
        mirrored: false,
        synced: Some(0),
    };
    guard.write(&path.join(GUARD))?;
    let peers = codec::encode(&BTreeMap::<u64, PeerMemory>::new()).map_err(io::Error::other)?;
    disk::replace(&path.join(PEERS), &[&peers])?;
    identity.write(&path.join(IDENTITY))?;
    Ok(identity)
}

/// Leaves an empty folder, or a half-made one emptied of what a crashed `create` left.
///
/// **Invariant:** nothing is removed but from a folder that has the marker. Such a folder was never
/// opened, so nothing in it was ever promised to anybody.
fn prepare(path: &Path) -> Result<(), FolderError> {
    if !path.join(CREATING).exists() {
        let found = open::first_name(path)?;
        return match found {
            None => Ok(()),
            // A crash before the marker was renamed into place.
            Some(name) if name == format!("{CREATING}.new") => Ok(()),
            Some(_) if path.join(IDENTITY).exists() => Err(FolderError::Exists {
                path: path.to_owned(),
            }),
            Some(found) => Err(FolderError::Foreign {
                path: path.to_owned(),
                found,
            }),
        };
    }
    for name in MADE {
        let made = path.join(name);
        let staged = disk::staged(&made);
        for file in [made, staged] {
            match fs::symlink_metadata(&file) {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(&file)?,
                Ok(_) => fs::remove_file(&file)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    disk::sync_folder(path)?;
    Ok(())
}

/// The folder, or the nearest one above it that exists.
fn nearest(path: &Path) -> &Path {
    path.ancestors()
        .find(|folder| File::open(folder).is_ok())
        .unwrap_or_else(|| Path::new("."))
}
