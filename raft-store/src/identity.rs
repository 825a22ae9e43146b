//! Who a node is: its key, whose fingerprint is its incarnation, and the cluster it belongs to.

use std::{collections::BTreeMap, fmt, path::Path};

use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    codec::{self, CodecError},
    disk,
    types::{Fingerprint, Member},
};

/// DER of an Ed25519 `SubjectPublicKeyInfo` (RFC 8410) up to the 32 bytes of the key.
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The node's Ed25519 key. It speaks for the node to its peers, and signs nothing else.
pub struct NodeKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: [u8; 32],
}

/// Why bytes are no node key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key in PKCS#8")]
pub struct NotAKey;

impl NodeKey {
    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// [`NotAKey`] if the system has no random numbers to give.
    pub fn generate() -> Result<Self, NotAKey> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).or(Err(NotAKey))?;
        Self::from_pkcs8(Zeroizing::new(pkcs8.as_ref().to_vec()))
    }

    fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, NotAKey> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).or(Err(NotAKey))?;
        let public = pair.public_key().as_ref().try_into().or(Err(NotAKey))?;
        Ok(Self { pkcs8, public })
    }

    /// The private key as PKCS#8 v2 DER, for the TLS stack.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public key as `SubjectPublicKeyInfo` DER (44 bytes): an RFC 7250 raw public key.
    #[must_use]
    pub fn spki(&self) -> Vec<u8> {
        [&SPKI_PREFIX[..], &self.public].concat()
    }

    /// The SHA-256 of [`Self::spki`]: the node's incarnation.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint_of(&self.spki())
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({})", self.fingerprint())
    }
}

/// The SHA-256 of a `SubjectPublicKeyInfo` in DER.
#[must_use]
pub fn fingerprint_of(spki: &[u8]) -> Fingerprint {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, spki).as_ref());
    Fingerprint(hash)
}

/// The cluster a folder was bound to when it was formed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterBinding {
    /// The same on every member, drawn when the cluster was formed.
    pub cluster_id: [u8; 16],
    /// The members the cluster was formed of, by node id.
    pub members: BTreeMap<u64, Member>,
    /// This node's id among them.
    pub me: u64,
}

/// What the file `identity` holds.
#[derive(Debug)]
pub struct Identity {
    key: NodeKey,
    cluster: Option<ClusterBinding>,
    retired: bool,
}

/// The form of [`Identity`] in its file.
#[derive(Serialize, Deserialize)]
struct Stored {
    pkcs8: Zeroizing<Vec<u8>>,
    cluster: Option<ClusterBinding>,
    retired: bool,
}

/// Why a file is no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The frame.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The key in it.
    #[error(transparent)]
    Key(#[from] NotAKey),
}

impl Identity {
    /// A new identity, bound to no cluster yet.
    ///
    /// # Errors
    /// As [`NodeKey::generate`].
    pub fn generate() -> Result<Self, NotAKey> {
        Ok(Self {
            key: NodeKey::generate()?,
            cluster: None,
            retired: false,
        })
    }

    /// The node's key.
    #[must_use]
    pub fn key(&self) -> &NodeKey {
        &self.key
    }

    /// The node's incarnation: another key is another node.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.key.fingerprint()
    }

    /// The cluster, once the node was formed into one.
    #[must_use]
    pub fn cluster(&self) -> Option<&ClusterBinding> {
        self.cluster.as_ref()
    }

    /// Whether the node was removed from its cluster; its id is never used again.
    #[must_use]
    pub fn retired(&self) -> bool {
        self.retired
    }

    /// The same identity with this binding.
    pub(crate) fn bound(&self, cluster: ClusterBinding) -> Result<Self, IdentityError> {
        Ok(Self {
            key: self.copy_key()?,
            cluster: Some(cluster),
            retired: self.retired,
        })
    }

    /// The same identity, retired.
    pub(crate) fn ended(&self) -> Result<Self, IdentityError> {
        Ok(Self {
            key: self.copy_key()?,
            cluster: self.cluster.clone(),
            retired: true,
        })
    }

    pub(crate) fn decode(frame: &[u8]) -> Result<Self, IdentityError> {
        let Stored {
            pkcs8,
            cluster,
            retired,
        } = codec::decode(frame)?;
        Ok(Self {
            key: NodeKey::from_pkcs8(pkcs8)?,
            cluster,
            retired,
        })
    }

    /// Writes the file, durably (a failed fsync ends the process).
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let stored = Stored {
            pkcs8: self.key.pkcs8.clone(),
            cluster: self.cluster.clone(),
            retired: self.retired,
        };
        let frame = Zeroizing::new(codec::encode(&stored).map_err(std::io::Error::other)?);
        disk::replace(path, &[&frame])
    }

    fn copy_key(&self) -> Result<NodeKey, NotAKey> {
        NodeKey::from_pkcs8(self.key.pkcs8.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_the_sha256_of_the_spki_and_survives_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        let identity = Identity::generate().unwrap();
        identity.write(&path).unwrap();
        let read = Identity::decode(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read.fingerprint(), identity.fingerprint());
        assert_eq!(identity.key().spki().len(), 44);
        assert_eq!(
            fingerprint_of(&identity.key().spki()),
            identity.fingerprint()
        );
    }

    #[test]
    fn the_private_key_is_in_no_debug_line() {
        let identity = Identity::generate().unwrap();
        let line = format!("{identity:?}");
        assert!(line.contains("sha256:"), "{line}");
        assert!(!line.contains("pkcs8"), "{line}");
    }
}
