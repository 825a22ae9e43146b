//! `quorate key generate` and `import`: files in this node's key folder.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tezos::{Curve, EncryptedSecretKey, PublicKey, PublicKeyHash, SecretKey};
use zeroize::Zeroizing;

use super::super::{Exit, Failure, runtime, screen};
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
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Import {
    /// The file with the secret key; standard input if not given.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A file with the password of an `encrypted:` key, if it is not the one of the configuration.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Ask for the password of an `encrypted:` key at the terminal.
    #[arg(long, conflicts_with = "password_file")]
    ask_password: bool,
    /// Which `[[keys]]` of the configuration, from 1.
    #[arg(long, default_value_t = 1, value_name = "N")]
    source: usize,
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

/// Longer than any secret key in base58, so that a wrong file is not read whole.
const SECRET_BYTES_MAX: u64 = 1_024;

impl Generate {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let config = Config::load(file)?;
        let secret = SecretKey::generate(self.curve)
            .map_err(|error| Failure::new(Exit::Io, error.to_string()))?;
        keep(&config, self.source, &secret, self.json)
    }
}

impl Import {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let config = Config::load(file)?;
        let text = self.read()?;
        let text = std::str::from_utf8(&text).unwrap_or_default().trim();
        let secret = if text.starts_with("encrypted:") {
            self.decrypt(text, &config)?
        } else {
            SecretKey::parse(text).map_err(|error| {
                Failure::failed(format!(
                    "what was read is not a secret key of Tezos: {error}"
                ))
            })?
        };
        keep(&config, self.source, &secret, self.json)
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut text = Zeroizing::new(Vec::with_capacity(
            usize::try_from(SECRET_BYTES_MAX).unwrap_or_default(),
        ));
        let mut take = |from: &mut dyn Read, place: &str| match from
            .take(SECRET_BYTES_MAX)
            .read_to_end(&mut text)
        {
            Ok(_length) => Ok(()),
            Err(error) => Err(Failure::new(
                Exit::Io,
                format!("cannot read {place}: {error}"),
            )),
        };
        match &self.file {
            Some(path) => {
                let place = path.display().to_string();
                let mut opened = File::open(path).map_err(|error| {
                    Failure::new(Exit::Io, format!("cannot read {place}: {error}"))
                })?;
                take(&mut opened, &place)?;
            }
            None => {
                if io::stdin().is_terminal() {
                    screen::note("paste the secret key (it shows), Enter, then Ctrl-D");
                }
                take(&mut io::stdin(), "standard input")?;
            }
        }
        Ok(text)
    }

    fn decrypt(&self, text: &str, config: &Config) -> Result<SecretKey, Failure> {
        let encrypted: EncryptedSecretKey = text.parse().map_err(|error| {
            Failure::failed(format!(
                "what was read is not an encrypted secret key: {error}"
            ))
        })?;
        let password = match (&self.password_file, self.ask_password) {
            (Some(path), _) => PasswordSource::File(path.clone()).read()?,
            (None, true) => screen::password("password of the key: ")?,
            (None, false) => source(config, self.source)?.1.read()?,
        };
        encrypted.decrypt(password.as_bytes()).map_err(|error| {
            Failure::new(
                Exit::Password,
                format!("{error}; name --password-file or --ask-password"),
            )
        })
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
fn tell_node(config: &Config) -> Result<(), Failure> {
    let socket = config.admin_socket();
    if !socket.exists() {
        return Ok(());
    }
    let node = AdminClient::new(&socket, config.times.operator_deadline)
        .map_err(|error| Failure::failed(error.to_string()))?;
    if let Err(error) = runtime()?.block_on(node.reload()) {
        screen::note(&format!("the key is written, but not loaded: {error}"));
    }
    Ok(())
}

fn source(config: &Config, number: usize) -> Result<(&Path, &PasswordSource), Failure> {
    let index = number.checked_sub(1);
    match index.and_then(|index| config.keys.get(index)) {
        Some(KeySource::File { folder, password }) => Ok((folder, password)),
        Some(KeySource::Pkcs11(_) | KeySource::Sealed { .. }) => {
            let what = format!("[[keys]] number {number} of the configuration is no key folder");
            Err(Failure::new(Exit::Config, what))
        }
        None => {
            let what = format!("the configuration has no [[keys]] number {number}; add one");
            Err(Failure::new(Exit::Config, what))
        }
    }
}
