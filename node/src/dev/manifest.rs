//! `dev.json`: what a script needs to find, kill and restart the nodes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use raft_store::disk;
use serde::{Deserialize, Serialize};
use tezos::{Curve, PublicKey, PublicKeyHash};

/// The content of `dev.json`. Scripts read it: fields are added, never renamed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Manifest {
    /// The three nodes, by id.
    pub nodes: Vec<NodeEntry>,
    /// One enrolled key per curve.
    pub keys: Vec<KeyEntry>,
}

/// One running node.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NodeEntry {
    /// Its id in the cluster.
    pub id: u64,
    /// Where to ask for signatures.
    pub signer_url: String,
    /// Where health and metrics are.
    pub ops_url: String,
    /// Its process.
    pub pid: u32,
    /// Its data folder.
    pub data_dir: PathBuf,
    /// What starts it again once it was killed.
    pub argv: Vec<String>,
}

/// One enrolled key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyEntry {
    /// Its curve.
    pub curve: Curve,
    /// Its address.
    pub public_key_hash: PublicKeyHash,
    /// The key.
    pub public_key: PublicKey,
}

impl Manifest {
    /// Where it is.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("dev.json")
    }

    /// Writes it whole, so that a script that polls for it never reads half of it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        disk::replace(&Self::path(dir), &[&text])
    }

    /// Takes it away: what it says is not so, or not so any more.
    ///
    /// # Errors
    /// What the file system says; that there is none is fine.
    pub fn remove(dir: &Path) -> io::Result<()> {
        match fs::remove_file(Self::path(dir)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
