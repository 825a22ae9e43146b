//! The keys that every cluster of a run gets, made once.

use std::path::Path;

use judge::history::{Key, Release};
use raft_store::disk;
use raft_store::state::ReleaseMode;
use tezos::{ChainId, Curve, PublicKey, SecretKey};

use super::failed::Failed;

/// A chain that does not exist, for messages that no network takes.
pub(crate) const CHAIN: ChainId = ChainId(*b"rcut");

/// The lowest level that may be signed.
pub(crate) const FLOOR: u32 = 1;

/// A key whose encrypted file lies on every node.
#[derive(Clone, Debug)]
pub(crate) struct KitKey {
    /// The key.
    pub(crate) public_key: PublicKey,
    /// How it is enrolled.
    pub(crate) release: ReleaseMode,
    /// The line of its file, in octez's `encrypted:` format.
    encrypted: String,
}

/// The password of the key files, and the keys.
#[derive(Clone, Debug)]
pub(crate) struct Kit {
    password: String,
    /// One per curve.
    pub(crate) keys: Vec<KitKey>,
}

impl Kit {
    /// New keys: one per curve. The P-256 key releases only what is recorded; the others as soon as
    /// the mark is committed.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub(crate) fn make() -> Result<Self, Failed> {
        let password = format!("chaos {}", super::clock::now_us());
        let all = [
            (Curve::Ed25519, ReleaseMode::AfterCommit),
            (Curve::Secp256k1, ReleaseMode::AfterCommit),
            (Curve::P256, ReleaseMode::AfterRecord),
            (Curve::Bls12_381, ReleaseMode::AfterCommit),
        ];
        let keys = all
            .into_iter()
            .map(|(curve, release)| make(curve, release, &password))
            .collect::<Result<_, _>>()?;
        Ok(Self { password, keys })
    }

    /// Writes the password where the configurations look for it.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn write_password(&self, file: &Path) -> Result<(), Failed> {
        disk::replace(file, &[self.password.as_bytes()]).map_err(Failed::file(file))
    }

    /// Writes the key files as an operator would bring them: whole and fsynced.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn write_keys(&self, folder: &Path) -> Result<(), Failed> {
        disk::create_folder(folder).map_err(Failed::file(folder))?;
        for key in &self.keys {
            let file = folder.join(format!("{}.key", key.public_key.hash()));
            disk::replace(&file, &[key.encrypted.as_bytes()]).map_err(Failed::file(&file))?;
        }
        Ok(())
    }
}

impl KitKey {
    /// The key as the judge is told of it.
    pub(crate) fn told(&self) -> Key {
        Key {
            key: self.public_key.hash().to_string(),
            public_key: self.public_key.to_string(),
            release: match self.release {
                ReleaseMode::AfterCommit => Release::AfterCommit,
                ReleaseMode::AfterRecord => Release::AfterRecord,
            },
            floors: vec![(CHAIN.to_string(), i64::from(FLOOR))],
            burnt: Vec::new(),
        }
    }

    /// `--release` of `quorate key enrol`.
    pub(crate) const fn release_word(&self) -> &'static str {
        match self.release {
            ReleaseMode::AfterCommit => "after-commit",
            ReleaseMode::AfterRecord => "after-record",
        }
    }
}

fn make(curve: Curve, release: ReleaseMode, password: &str) -> Result<KitKey, Failed> {
    let no_randomness = |error: tezos::NoRandomness| Failed::step(error.to_string());
    let secret = SecretKey::generate(curve).map_err(no_randomness)?;
    let encrypted = secret.encrypt(password.as_bytes()).map_err(no_randomness)?;
    Ok(KitKey {
        public_key: secret.public_key().clone(),
        release,
        encrypted: encrypted.to_string(),
    })
}
