//! What a node remembers of its peers, in one file.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use super::FolderError;
use crate::{
    codec, disk,
    hello::{Hello, PeerMemory, Suspect},
};

/// The highest this node saw of every peer, by node id. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct PeersMemory {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    peers: BTreeMap<u64, PeerMemory>,
    changed: bool,
}

impl PeersMemory {
    /// Judges a hello of the peer with this id, and remembers it if it is believed.
    ///
    /// # Errors
    /// Why the peer must not be believed.
    pub fn judge(&self, peer: u64, hello: &Hello) -> Result<(), Suspect> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = inner.peers.get(&peer).cloned().unwrap_or_default();
        memory.judge(hello)?;
        if inner.peers.get(&peer) != Some(&memory) {
            inner.peers.insert(peer, memory);
            inner.changed = true;
        }
        Ok(())
    }

    pub(super) fn read(path: &Path) -> Result<Self, FolderError> {
        let frame = super::open::read(path)?;
        let peers = codec::decode(&frame).map_err(|error| FolderError::damaged(path, &error))?;
        disk::sync_file(path)?;
        Ok(Self {
            inner: Arc::new(Mutex::new(Inner {
                peers,
                changed: false,
            })),
        })
    }

    pub(super) fn write_if_changed(&self, path: &Path) -> io::Result<()> {
        let peers = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            if !std::mem::take(&mut inner.changed) {
                return Ok(());
            }
            inner.peers.clone()
        };
        disk::replace(path, &[&codec::encode(&peers).map_err(io::Error::other)?])
    }
}
