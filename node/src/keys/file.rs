//! Secret keys in files: octez's `encrypted:` format, one line, one file a key, `<hash>.key`.
//!
//! Every curve signs deterministically here: Ed25519 and BLS by their definition, both ECDSA curves
//! by RFC 6979 with low s.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use raft_store::disk;
use raft_store::ledger::{Grant, Permit, Released, Signed};
use tezos::{DecryptError, EncryptedSecretKey, PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::password::{Password, read_private};
use super::{KeyFault, SignFailure, Signer, memory};

/// A key file holds some 100 bytes.
const FILE_BYTES_MAX: u64 = 1_024;

/// The end of a key file's name; other files in the folder are left alone.
const EXTENSION: &str = "key";

/// A secret key from a file, decrypted, in memory that is cleared when it is dropped.
pub struct FileSigner {
    secret: Arc<SecretKey>,
    public_key: PublicKey,
}

impl std::fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileSigner({})", self.public_key.hash())
    }
}

impl FileSigner {
    /// A signer for a secret that was decrypted. Its memory is locked from here on.
    pub fn new(secret: SecretKey) -> Self {
        memory::lock(&secret);
        let public_key = secret.public_key().clone();
        Self {
            secret: Arc::new(secret),
            public_key,
        }
    }

    /// Opens one file.
    ///
    /// # Errors
    /// [`KeyFault`]: exposed, damaged, unencrypted, misnamed, or another password.
    pub fn open(path: &Path, password: &Password) -> Result<Self, KeyFault> {
        let encrypted = read(path)?;
        let secret = encrypted
            .decrypt(password.as_bytes())
            .map_err(|error| match error {
                DecryptError::Password(curve) => KeyFault::WrongPassword {
                    path: path.to_owned(),
                    curve,
                },
                DecryptError::NotAKey(_) => KeyFault::Damaged {
                    path: path.to_owned(),
                    what: error.to_string(),
                },
            })?;
        let signer = Self::new(secret);
        let found = signer.public_key.hash();
        if path
            .file_stem()
            .is_none_or(|stem| *stem != *found.to_string())
        {
            return Err(KeyFault::Misnamed {
                path: path.to_owned(),
                found,
            });
        }
        Ok(signer)
    }
}

impl Signer for FileSigner {
    fn sign(&self, grant: Grant) -> BoxFuture<'static, Result<Signed, SignFailure>> {
        let secret = Arc::clone(&self.secret);
        let key = self.public_key.hash();
        // BLS takes a millisecond: long enough to hold up the heartbeats of this thread.
        let signing = tokio::task::spawn_blocking(move || {
            let signature = secret.sign(grant.message());
            grant
                .seal(signature)
                .map_err(|_wrong| SignFailure::WrongSignature { key })
        });
        signing.map(move |joined| flatten(joined, key)).boxed()
    }

    fn permit(&self, permit: Permit) -> BoxFuture<'static, Result<Released, SignFailure>> {
        let secret = Arc::clone(&self.secret);
        let key = self.public_key.hash();
        let signing = tokio::task::spawn_blocking(move || {
            let signature = if permit.is_possession() {
                let what = "only a BLS key proves its possession".to_owned();
                let proof = secret.prove_possession(permit.message());
                proof.ok_or(SignFailure::Backend { key, what })?
            } else {
                secret.sign(permit.message())
            };
            permit
                .seal(signature)
                .map_err(|_wrong| SignFailure::WrongSignature { key })
        });
        signing.map(move |joined| flatten(joined, key)).boxed()
    }

    fn deterministic(&self) -> bool {
        true
    }

    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

/// A panic in the signing thread, or the end of the runtime, is a failure like any other.
fn flatten<T>(
    joined: Result<Result<T, SignFailure>, tokio::task::JoinError>,
    key: tezos::PublicKeyHash,
) -> Result<T, SignFailure> {
    joined.unwrap_or_else(|_ended| {
        let what = "its thread ended before it had signed".to_owned();
        Err(SignFailure::Backend { key, what })
    })
}

/// The key files of a folder, by name.
///
/// # Errors
/// [`KeyFault::NoFolder`], [`KeyFault::Exposed`] or [`KeyFault::Unreadable`].
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, KeyFault> {
    named(folder, EXTENSION)
}

/// The files of a folder whose names end so, once nobody else may exchange them.
pub(super) fn named(folder: &Path, end: &str) -> Result<Vec<PathBuf>, KeyFault> {
    use std::os::unix::fs::PermissionsExt as _;
    let unreadable = |source: std::io::Error| {
        if source.kind() == std::io::ErrorKind::NotFound {
            return KeyFault::NoFolder {
                folder: folder.to_owned(),
            };
        }
        KeyFault::Unreadable {
            path: folder.to_owned(),
            source,
        }
    };
    let mode = std::fs::metadata(folder)
        .map_err(unreadable)?
        .permissions()
        .mode()
        & 0o7777;
    // Whoever may write the folder may exchange the files in it.
    if mode & 0o022 != 0 {
        return Err(KeyFault::Exposed {
            path: folder.to_owned(),
            mode,
        });
    }
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut files = entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(unreadable))
        .collect::<Result<Vec<_>, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == end));
    files.sort();
    Ok(files)
}

/// Reads a key file without opening the key in it.
///
/// # Errors
/// [`KeyFault`]: exposed, damaged or unencrypted.
pub fn read(path: &Path) -> Result<EncryptedSecretKey, KeyFault> {
    let bytes = read_private(path, 0o077, FILE_BYTES_MAX)?;
    let damaged = |what: &str| KeyFault::Damaged {
        path: path.to_owned(),
        what: what.to_owned(),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_binary| damaged("it is not text"))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.starts_with("unencrypted:") {
        return Err(KeyFault::Unencrypted {
            path: path.to_owned(),
        });
    }
    if !line.starts_with("encrypted:") {
        return Err(damaged("it does not start with `encrypted:`"));
    }
    line.parse()
        .map_err(|_parse| damaged("it is not one encrypted secret key in base58check"))
}

/// Writes a key into a folder, durably, under the name of its hash. The same key again replaces its
/// file, so that a new password can be set.
///
/// # Errors
/// What the file system says. A failed fsync ends the process.
pub fn write(
    folder: &Path,
    public_key: &PublicKey,
    encrypted: &EncryptedSecretKey,
) -> std::io::Result<PathBuf> {
    let path = folder.join(format!("{}.{EXTENSION}", public_key.hash()));
    let line = Zeroizing::new(format!("{encrypted}\n"));
    disk::replace(&path, &[line.as_bytes()])?;
    Ok(path)
}
