//! `quorate key generate` and `import`: files in this node's key folder, or keys in its token.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tezos::{Curve, PublicKey, PublicKeyHash, SecretKey};

use super::super::{Exit, Failure, runtime, screen};
use super::octez::Octez;
use super::owner::config_of_own_node;
use super::token::{self, Name};
use crate::admin::AdminClient;
use crate::config::{Config, KeySource, PasswordSource};
use crate::keys::file;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Generate {
    /// ed25519 (tz1), secp256k1 (tz2), p256 (tz3) or bls12-381 (tz4).
    curve: Curve,
    /// Which `[[keys]]` of the configuration, from 1.
    #[arg(long, default_value_t = 1, value_name = "N")]
    source: usize,
    #[command(flatten)]
    name: Name,
    /// Let the key be copied to the tokens of other nodes, until `quorate key copy close`.
    #[arg(long)]
    copyable: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Import {
    #[command(flatten)]
    octez: Octez,
    /// Which `[[keys]]` of the configuration, from 1.
    #[arg(long, default_value_t = 1, value_name = "N")]
    source: usize,
    #[command(flatten)]
    name: Name,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What was made.
#[derive(Debug, Serialize)]
struct Made {
    curve: Curve,
    public_key_hash: PublicKeyHash,
    public_key: PublicKey,
    file: PathBuf,
}

impl Generate {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let config = config_of_own_node(file)?;
        if is_token(&config, self.source) {
            let Self { source, curve, .. } = self;
            return token::generate(&config, source, curve, &self.name, self.copyable, self.json);
        }
        no_token_words(&self.name, self.copyable)?;
        let secret = SecretKey::generate(self.curve)
            .map_err(|error| Failure::new(Exit::Io, error.to_string()))?;
        keep(&config, self.source, &secret, self.json)
    }
}

impl Import {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let config = config_of_own_node(file)?;
        if is_token(&config, self.source) {
            let secret = self.octez.read(None)?;
            return token::import(&config, self.source, &secret, &self.name, self.json);
        }
        no_token_words(&self.name, false)?;
        let (_folder, password) = source(&config, self.source)?;
        let secret = self.octez.read(Some(password))?;
        keep(&config, self.source, &secret, self.json)
    }
}

fn is_token(config: &Config, number: usize) -> bool {
    let source = number.checked_sub(1);
    let source = source.and_then(|index| config.keys.get(index));
    matches!(source, Some(KeySource::Pkcs11(_)))
}

/// What only a token understands was meant for one, so it is no trifle.
fn no_token_words(name: &Name, copyable: bool) -> Result<(), Failure> {
    match name.key_name().is_empty() && !copyable {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Config,
            "--label, --id and --copyable are for a [[keys]] with backend = \"pkcs11\"; name \
             --source",
        )),
    }
}

/// Encrypts a secret under the password of the configuration, writes it, and tells a running node.
fn keep(config: &Config, number: usize, secret: &SecretKey, json: bool) -> Result<(), Failure> {
    let (folder, password) = source(config, number)?;
    if !folder.is_dir() {
        let what = format!(
            "the key folder {} is not there; run `quorate init`",
            folder.display()
        );
        return Err(Failure::new(Exit::Identity, what));
    }
    let encrypted = secret
        .encrypt(password.read()?.as_bytes())
        .map_err(|error| Failure::new(Exit::Io, error.to_string()))?;
    let public_key = secret.public_key().clone();
    let written = file::write(folder, &public_key, &encrypted).map_err(|error| {
        Failure::new(
            Exit::Io,
            format!("cannot write into {}: {error}", folder.display()),
        )
    })?;
    let made = Made {
        curve: public_key.curve(),
        public_key_hash: public_key.hash(),
        public_key,
        file: written,
    };
    if json {
        screen::json(&made)?;
    } else {
        screen::line(&format!("{}  {}", made.public_key_hash, made.public_key));
        screen::note(&format!(
            "its secret is in {}; bring the same file to the other nodes, then `quorate key enrol`",
            made.file.display()
        ));
    }
    tell_node(config)
}

/// A running node opens its folders again; without one, it will at its start.
pub(super) fn tell_node(config: &Config) -> Result<(), Failure> {
    let socket = config.admin_socket();
    if !socket.exists() {
        return Ok(());
    }
    let node = AdminClient::new(&socket, config.times.operator_deadline)
        .map_err(|error| Failure::failed(error.to_string()))?;
    match runtime()?.block_on(node.reload(false)) {
        Ok(loaded) => {
            for trouble in loaded.troubles.iter().chain(&loaded.remarks) {
                screen::note(&format!("the running node says: {trouble}"));
            }
        }
        Err(error) => screen::note(&format!("the key is written, but not loaded: {error}")),
    }
    Ok(())
}

fn source(config: &Config, number: usize) -> Result<(&Path, &PasswordSource), Failure> {
    let index = number.checked_sub(1);
    match index.and_then(|index| config.keys.get(index)) {
        Some(KeySource::File { folder, password }) => Ok((folder, password)),
        Some(KeySource::Sealed { .. }) => Err(Failure::new(
            Exit::Config,
            format!(
                "[[keys]] number {number} of the configuration is for sealed keys: bring the same \
                 secret to each node, with `quorate key seal`"
            ),
        )),
        Some(KeySource::Pkcs11(_)) => Err(Failure::new(
            Exit::Config,
            format!("[[keys]] number {number} of the configuration is no key folder"),
        )),
        None => Err(token::missing(number)),
    }
}
