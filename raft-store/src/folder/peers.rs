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
        let memory = Self::decode(path, &super::open::read(path)?)?;
        disk::sync_file(path)?;
        Ok(memory)
    }

    pub(super) fn write_if_changed(&self, path: &Path) -> io::Result<()> {
        match self.changed()? {
            Some(frame) => disk::replace(path, &[&frame]),
            None => Ok(()),
        }
    }

    /// What the file holds; `path` is where a message says that it is.
    pub(crate) fn decode(path: &Path, frame: &[u8]) -> Result<Self, FolderError> {
        let peers = codec::decode(frame).map_err(|error| FolderError::damaged(path, &error))?;
        Ok(Self {
            inner: Arc::new(Mutex::new(Inner {
                peers,
                changed: false,
            })),
        })
    }

    /// The bytes of the file, if they changed since they were last asked for.
    pub(crate) fn changed(&self) -> io::Result<Option<Vec<u8>>> {
        let peers = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            if !std::mem::take(&mut inner.changed) {
                return Ok(None);
            }
            inner.peers.clone()
        };
        codec::encode(&peers).map(Some).map_err(io::Error::other)
    }
}
