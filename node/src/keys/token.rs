//! Secret keys in a PKCS#11 token: they never leave it, and most tokens sign differently each time.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hsm::parent::{Launch, Module, Place, Within};
use raft_store::ledger::{Grant, Permit, Released, Signed};
use tezos::{Digest, PublicKey, PublicKeyHash};

use super::pin::PinSource;
use super::{SignFailure, Signer};
use crate::config::TokenSource;

/// The hidden command that makes a process of this program the one that holds a module.
pub const COMMAND: &str = "pkcs11-module";

/// How long loading a module, logging in, and finding the keys may take, each: a network HSM opens
/// connections, and a login may be slow on purpose.
const CONNECT: Duration = Duration::from_secs(20);

/// One key of a token.
#[derive(Debug)]
pub struct TokenSigner {
    module: Arc<Module>,
    public_key: PublicKey,
}

impl TokenSigner {
    pub(super) const fn new(module: Arc<Module>, public_key: PublicKey) -> Self {
        Self { module, public_key }
    }
}

impl Signer for TokenSigner {
    fn sign(&self, grant: Grant) -> BoxFuture<'static, Result<Signed, SignFailure>> {
        let (module, key) = (Arc::clone(&self.module), self.public_key.hash());
        async move {
            let signature = signature(&module, key, grant.message()).await?;
            let sealed = grant.seal(signature);
            sealed.map_err(|_wrong| wrong(&module, key))
        }
        .boxed()
    }

    fn permit(&self, permit: Permit) -> BoxFuture<'static, Result<Released, SignFailure>> {
        let (module, key) = (Arc::clone(&self.module), self.public_key.hash());
        async move {
            if permit.is_possession() {
                let what = "only a BLS key proves its possession".to_owned();
                return Err(SignFailure::Backend { key, what });
            }
            let signature = signature(&module, key, permit.message()).await?;
            let sealed = permit.seal(signature);
            sealed.map_err(|_wrong| wrong(&module, key))
        }
        .boxed()
    }

    /// What a token does is its own affair: many randomise, and a new firmware may begin to.
    fn deterministic(&self) -> bool {
        false
    }

    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

async fn signature(
    module: &Module,
    key: PublicKeyHash,
    message: &[u8],
) -> Result<tezos::Signature, SignFailure> {
    let digest = *Digest::of(message).as_bytes();
    let signed = module.sign(key, digest).await;
    signed.map_err(|trouble| SignFailure::Backend {
        key,
        what: trouble.what,
    })
}

fn wrong(module: &Module, key: PublicKeyHash) -> SignFailure {
    module.suspect(key);
    SignFailure::WrongSignature { key }
}

/// How the module of a source is started, and watched.
pub(super) fn start(
    source: &TokenSource,
    secrets: &BTreeSet<String>,
    data_dir: &Path,
    sign: Duration,
) -> Module {
    let guard = PinSource::new(source.pin.clone(), data_dir);
    Module::start(place(source, secrets, sign), Arc::new(guard))
}

/// A token, as the process that holds its module is asked for it. `secrets` are the environment
/// variables that hold one.
#[must_use]
pub fn place(source: &TokenSource, secrets: &BTreeSet<String>, sign: Duration) -> Place {
    Place {
        module: source.module.clone(),
        token: source.token.clone(),
        keys: source.keys.clone(),
        sessions: source.sessions,
        launch: launch(&source.environment, secrets),
        within: Within {
            sign,
            connect: CONNECT,
        },
    }
}

fn launch(environment: &BTreeMap<String, String>, secrets: &BTreeSet<String>) -> Launch {
    // systemd's credentials and sockets are this node's, and so is the word that ties it to `dev`.
    let own = [
        "CREDENTIALS_DIRECTORY",
        "NOTIFY_SOCKET",
        "QUORATE_DIES_WITH",
    ];
    let own = own.into_iter().map(str::to_owned);
    Launch {
        // The very file that runs here, also after an upgrade put another one in its place.
        program: PathBuf::from("/proc/self/exe"),
        arguments: vec![OsString::from(COMMAND)],
        set: environment.clone(),
        remove: own.chain(secrets.iter().cloned()).collect(),
    }
}
