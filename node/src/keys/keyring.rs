//! All the secrets of this node, by the hash of their public key.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use raft_store::state::ReleaseMode;
use tezos::{PublicKey, PublicKeyHash};

use super::file::{self, FileSigner};
use super::{KeyFault, KeyFaults, SignFailure, Signer};
use crate::config::KeySource;

type Signers = BTreeMap<PublicKeyHash, Arc<dyn Signer>>;

/// All the secrets of this node.
pub struct Keyring {
    sources: Vec<KeySource>,
    signers: RwLock<Arc<Signers>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.signers().keys().map(ToString::to_string))
            .finish()
    }
}

impl Keyring {
    /// Opens every key of every source. Each takes some tens of milliseconds, by design of the
    /// format.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn load(sources: &[KeySource]) -> Result<Self, KeyFaults> {
        let signers = open_all(sources)?;
        Ok(Self {
            sources: sources.to_vec(),
            signers: RwLock::new(Arc::new(signers)),
        })
    }

    /// A keyring of these signers, which come from no file.
    pub fn of(signers: impl IntoIterator<Item = Arc<dyn Signer>>) -> Self {
        let signers = signers
            .into_iter()
            .map(|signer| (signer.public_key().hash(), signer));
        Self {
            sources: Vec::new(),
            signers: RwLock::new(Arc::new(signers.collect())),
        }
    }

    /// Opens the sources again, for keys that came since. On a fault the old keys stay.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn reload(&self) -> Result<(), KeyFaults> {
        if !self.sources.is_empty() {
            let signers = Arc::new(open_all(&self.sources)?);
            *self
                .signers
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = signers;
        }
        Ok(())
    }

    /// The signer of a key that is released in this mode.
    ///
    /// The mode is asked here, at the only door to a signer, so that no caller forgets that a
    /// backend which signs differently each time must not serve a key released after the commit.
    ///
    /// # Errors
    /// [`SignFailure::NoSigner`] or [`SignFailure::NotDeterministic`].
    pub fn signer(
        &self,
        key: &PublicKeyHash,
        release: ReleaseMode,
    ) -> Result<Arc<dyn Signer>, SignFailure> {
        let signers = self.signers();
        let signer = signers
            .get(key)
            .ok_or(SignFailure::NoSigner { key: *key })?;
        match (release, signer.deterministic()) {
            (ReleaseMode::AfterCommit, true) | (ReleaseMode::AfterRecord, _) => {
                Ok(Arc::clone(signer))
            }
            (ReleaseMode::AfterCommit, false) => Err(SignFailure::NotDeterministic { key: *key }),
        }
    }

    /// The public keys of all secrets here.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.signers()
            .values()
            .map(|signer| signer.public_key().clone())
            .collect()
    }

    fn signers(&self) -> Arc<Signers> {
        Arc::clone(
            &self
                .signers
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}

fn open_all(sources: &[KeySource]) -> Result<Signers, KeyFaults> {
    let mut signers = Signers::new();
    let mut faults = Vec::new();
    for source in sources {
        let KeySource::File { folder, password } = source;
        let files = match file::list(folder) {
            Ok(files) => files,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        // An empty folder needs no password: the node may start before its first key is made.
        if files.is_empty() {
            continue;
        }
        let password = match password.read() {
            Ok(password) => password,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        for path in files {
            match FileSigner::open(&path, &password) {
                Ok(signer) => {
                    let key = signer.public_key().hash();
                    if signers.insert(key, Arc::new(signer)).is_some() {
                        faults.push(KeyFault::Twice { key, path });
                    }
                }
                Err(fault) => faults.push(fault),
            }
        }
    }
    if faults.is_empty() {
        Ok(signers)
    } else {
        Err(KeyFaults(faults))
    }
}
