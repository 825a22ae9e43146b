//! Opens the key files of all sources, and looks whether the tokens could be opened.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use tezos::PublicKeyHash;

use super::file::{self, FileSigner};
use super::{KeyFault, KeyFaults, Signer, sealed};
use crate::config::{KeySource, TokenSource};

/// Signers by the hash of their public key.
pub(super) type Signers = BTreeMap<PublicKeyHash, Arc<dyn Signer>>;

/// Opens every file of every key folder.
///
/// # Errors
/// Every fault at once.
pub(super) fn open_all(sources: &[KeySource]) -> Result<Signers, KeyFaults> {
    let mut signers = Signers::new();
    let mut faults = Vec::new();
    for source in sources {
        let (folder, password) = match source {
            KeySource::File { folder, password } => (folder, password),
            KeySource::Pkcs11(token) => {
                faults.extend(could_open(token));
                continue;
            }
            KeySource::Sealed { folder, token, .. } => {
                faults.extend(could_open(token));
                faults.extend(sealed::list(folder).err());
                continue;
            }
        };
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

/// What keeps a token from being opened at any time: a library that is not there, a PIN that cannot
/// be read. Everything else may pass, and is tried again.
fn could_open(token: &TokenSource) -> Vec<KeyFault> {
    let module = File::open(&token.module)
        .err()
        .map(|source| KeyFault::NoModule {
            path: token.module.clone(),
            source,
        });
    module.into_iter().chain(token.pin.read().err()).collect()
}
