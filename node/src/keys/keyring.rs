//! All the secrets of this node, by the hash of their public key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use hsm::parent::Module;
use raft_store::state::ReleaseMode;
use tezos::{PublicKey, PublicKeyHash};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::opening::{Signers, open_all};
use super::pin::PinSource;
use super::token::{self, TokenSigner};
use super::vault::Vault;
use super::{KeyFaults, SignFailure, Signer};
use crate::config::{KeySource, TokenSource};

/// All the secrets of this node.
pub struct Keyring {
    sources: Vec<KeySource>,
    /// The keys that are in this process.
    signers: RwLock<Arc<Signers>>,
    /// The modules whose keys are not; empty until they are started.
    tokens: OnceLock<Tokens>,
    /// Counts what changed in what this node can sign.
    changes: watch::Sender<u64>,
}

/// The running modules, the sealed files, and the tasks that hear of changes.
struct Tokens {
    modules: Vec<Arc<Module>>,
    vaults: Vec<Vault>,
    _hearing: JoinSet<()>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.public_keys();
        f.debug_set()
            .entries(keys.iter().map(|key| key.hash().to_string()))
            .finish()
    }
}

impl Keyring {
    /// Opens every key of every source that is in files, each of which takes some tens of
    /// milliseconds by design of the format, and looks whether the others could be opened.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn load(sources: &[KeySource]) -> Result<Self, KeyFaults> {
        let signers = open_all(sources)?;
        Ok(Self {
            sources: sources.to_vec(),
            signers: RwLock::new(Arc::new(signers)),
            tokens: OnceLock::new(),
            changes: watch::Sender::new(0),
        })
    }

    /// A keyring of these signers, which come from no source.
    pub fn of(signers: impl IntoIterator<Item = Arc<dyn Signer>>) -> Self {
        let signers = signers
            .into_iter()
            .map(|signer| (signer.public_key().hash(), signer));
        Self {
            sources: Vec::new(),
            signers: RwLock::new(Arc::new(signers.collect())),
            tokens: OnceLock::new(),
            changes: watch::Sender::new(0),
        }
    }

    /// Starts the modules of all tokens, and opens the sealed files; a token that cannot be opened is
    /// tried again for as long as this lives. `sign` is how long one signature may take. Needs a running tokio runtime.
    pub fn start(&self, data_dir: &Path, sign: Duration) {
        let secrets = self.sources.iter().filter_map(KeySource::secret_variable);
        let secrets: BTreeSet<String> = secrets.map(str::to_owned).collect();
        let mut hearing = JoinSet::new();
        let modules = tokens(&self.sources).map(|source| {
            let module = Arc::new(token::start(source, &secrets, data_dir, sign));
            let (mut standing, changes) = (module.standing(), self.changes.clone());
            hearing.spawn(async move {
                while standing.changed().await.is_ok() {
                    changes.send_modify(|count| *count = count.wrapping_add(1));
                }
            });
            module
        });
        let modules = modules.collect();
        let vaults = self.sources.iter().filter_map(|source| match source {
            KeySource::Sealed { folder, token, .. } => {
                let guard = PinSource::new(token.pin.clone(), data_dir);
                let place = token::place(token, &secrets, sign);
                Some(Vault::start(folder, place, guard, self.changes.clone()))
            }
            KeySource::File { .. } | KeySource::Pkcs11(_) => None,
        });
        let vaults = vaults.collect();
        let started = Tokens {
            modules,
            vaults,
            _hearing: hearing,
        };
        // Started twice, the first ones go on.
        self.tokens.set(started).ok();
    }

    /// Changes whenever what this node can sign may have.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn modules(&self) -> impl Iterator<Item = &Arc<Module>> {
        self.tokens
            .get()
            .into_iter()
            .flat_map(|tokens| &tokens.modules)
    }

    pub(super) fn vaults(&self) -> impl Iterator<Item = &Vault> {
        self.tokens
            .get()
            .into_iter()
            .flat_map(|tokens| &tokens.vaults)
    }

    /// Opens the files of the sources again. On a fault the old keys stay.
    ///
    /// # Errors
    /// Every fault at once; then nothing was touched.
    pub(super) fn open_files(&self) -> Result<(), KeyFaults> {
        if !self.sources.is_empty() {
            let signers = Arc::new(open_all(&self.sources)?);
            *self
                .signers
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = signers;
        }
        self.tell();
        Ok(())
    }

    /// What this node can sign may have changed.
    pub(super) fn tell(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whether a key signs the same message the same way each time.
    ///
    /// # Errors
    /// [`SignFailure`]: no secret of it can be used now.
    pub fn deterministic(&self, key: &PublicKeyHash) -> Result<bool, SignFailure> {
        Ok(self.find(key)?.deterministic())
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
        let signer = self.find(key)?;
        match (release, signer.deterministic()) {
            (ReleaseMode::AfterCommit, true) | (ReleaseMode::AfterRecord, _) => Ok(signer),
            (ReleaseMode::AfterCommit, false) => Err(SignFailure::NotDeterministic { key: *key }),
        }
    }

    fn find(&self, key: &PublicKeyHash) -> Result<Arc<dyn Signer>, SignFailure> {
        if let Some(signer) = self.signers().get(key) {
            return Ok(Arc::clone(signer));
        }
        let mut troubles = Vec::new();
        for module in self.modules() {
            let standing = module.standing();
            let standing = standing.borrow();
            if let Some(public_key) = standing.keys.get(key) {
                let module = Arc::clone(module);
                return Ok(Arc::new(TokenSigner::new(module, public_key.clone())));
            }
            troubles.extend(standing.trouble.iter().map(ToString::to_string));
            troubles.extend(standing.refused.iter().map(|refused| refused.why.clone()));
        }
        for vault in self.vaults() {
            let opened = vault.opened();
            if let Some(signer) = opened.signers.get(key) {
                return Ok(Arc::clone(signer));
            }
            troubles.extend(opened.troubles);
        }
        match troubles.is_empty() {
            true => Err(SignFailure::NoSigner { key: *key }),
            false => Err(SignFailure::TokenAway {
                key: *key,
                what: troubles.join("; "),
            }),
        }
    }

    /// The public keys of all secrets that could be used now.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        let mut keys: BTreeMap<PublicKeyHash, PublicKey> = self
            .signers()
            .iter()
            .map(|(hash, signer)| (*hash, signer.public_key().clone()))
            .collect();
        for module in self.modules() {
            keys.extend(module.standing().borrow().keys.clone());
        }
        for vault in self.vaults() {
            let signers = vault.opened().signers.into_iter();
            keys.extend(signers.map(|(hash, signer)| (hash, signer.public_key().clone())));
        }
        keys.into_values().collect()
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

fn tokens(sources: &[KeySource]) -> impl Iterator<Item = &TokenSource> {
    sources.iter().filter_map(|source| match source {
        KeySource::Pkcs11(token) => Some(token),
        KeySource::File { .. } | KeySource::Sealed { .. } => None,
    })
}
