//! `quorate key seal`: a secret key that only this node's token opens, on this node's disk.

use std::path::Path;

use hsm::parent::Ceremony;
use serde::Serialize;
use tezos::{Curve, PublicKey, PublicKeyHash, SecretKey};

use super::super::{Exit, Failure, screen};
use super::octez::Octez;
use super::owner::config_of_own_node;
use super::secret::tell_node;
use super::token::{failure, missing, with_token};
use crate::config::{Config, KeySource, TokenSource};
use crate::keys::sealed::{self, Sealed};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Seal {
    #[command(flatten)]
    octez: Octez,
    /// Which `[[keys]]` of the configuration, from 1; default the first with backend "sealed".
    #[arg(long, value_name = "N")]
    source: Option<usize>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What was sealed.
#[derive(Debug, Serialize)]
struct Told {
    curve: Curve,
    public_key_hash: PublicKeyHash,
    public_key: PublicKey,
    file: std::path::PathBuf,
    sealing_key: String,
}

/// The folder, the token and the label of a `[[keys]]` with `backend = "sealed"`.
struct Place<'a> {
    folder: &'a Path,
    token: &'a TokenSource,
    sealing_key: &'a str,
}

impl Seal {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let config = config_of_own_node(file)?;
        let place = Place::of(&config, self.source)?;
        if !place.folder.is_dir() {
            let what = format!(
                "the folder {} is not there; run `quorate init`",
                place.folder.display()
            );
            return Err(Failure::new(Exit::Identity, what));
        }
        let secret = self.octez.read(None)?;
        let sealed = with_token(&config, place.token, async |token| {
            place.keep(token, &secret).await
        })?;
        let told = Told {
            curve: sealed.public_key.curve(),
            public_key_hash: sealed.public_key.hash(),
            public_key: sealed.public_key.clone(),
            file: sealed::path(place.folder, &sealed.public_key.hash()),
            sealing_key: sealed.sealing_key,
        };
        if self.json {
            screen::json(&told)?;
        } else {
            screen::line(&format!("{}  {}", told.public_key_hash, told.public_key));
            screen::note(&format!(
                "its secret is in {}, which this node's token alone opens; seal it on the other \
                 nodes too, then `quorate key enrol`",
                told.file.display()
            ));
        }
        tell_node(&config)
    }
}

impl<'a> Place<'a> {
    fn of(config: &'a Config, number: Option<usize>) -> Result<Self, Failure> {
        let chosen = match number {
            Some(number) => {
                let index = number.checked_sub(1);
                let source = index.and_then(|index| config.keys.get(index));
                Some(source.ok_or_else(|| missing(number))?)
            }
            None => config
                .keys
                .iter()
                .find(|source| matches!(source, KeySource::Sealed { .. })),
        };
        match chosen {
            Some(KeySource::Sealed {
                folder,
                token,
                sealing_key,
            }) => Ok(Self {
                folder,
                token,
                sealing_key,
            }),
            Some(KeySource::File { .. } | KeySource::Pkcs11(_)) | None => Err(Failure::new(
                Exit::Config,
                "the configuration has no such [[keys]] with backend = \"sealed\"; add one",
            )),
        }
    }

    /// Seals, opens what was sealed, and only then writes it, in the place of what was there.
    async fn keep(&self, token: &mut Ceremony, secret: &SecretKey) -> Result<Sealed, Failure> {
        let key = secret.public_key().hash();
        let path = sealed::path(self.folder, &key);
        if path.exists() {
            // What opens is the same secret: sealing it again loses nothing.
            let before = Sealed::read(&path)?;
            before.unseal(token).await.map_err(|trouble| {
                Failure::failed(format!(
                    "{} is there already and does not open ({}): move it away first",
                    path.display(),
                    trouble.what
                ))
            })?;
        }
        self.find_or_make_key(token).await?;
        let sealed = Sealed::seal(token, self.sealing_key, secret)
            .await
            .map_err(failure)?;
        let opened = sealed.unseal(token).await;
        opened.map_err(|trouble| {
            let Failure { exit, what } = failure(trouble);
            let what = format!(
                "the token does not open what it has just sealed, so nothing was written into {}: {what}",
                self.folder.display()
            );
            Failure::new(exit, what)
        })?;
        sealed.write(self.folder).map_err(|error| {
            Failure::new(
                Exit::Io,
                format!("cannot write into {}: {error}", self.folder.display()),
            )
        })?;
        match Sealed::read(&path)? == sealed {
            true => Ok(sealed),
            false => Err(Failure::new(
                Exit::Io,
                format!(
                    "{} does not hold what was written: seal again",
                    path.display()
                ),
            )),
        }
    }

    /// Makes the key that seals at first use. With files of another one in the folder this is not
    /// the first use: then the token is the wrong one, or was wiped.
    async fn find_or_make_key(&self, token: &mut Ceremony) -> Result<(), Failure> {
        let label = self.sealing_key;
        if token.has_sealing_key(label).await.map_err(failure)? {
            return Ok(());
        }
        for path in sealed::list(self.folder)? {
            if Sealed::read(&path).is_ok_and(|sealed| sealed.sealing_key == label) {
                return Err(Failure::failed(format!(
                    "{} was sealed by a key {label:?} that the token {:?} does not have: bring the \
                     right token back, or move the files away and seal every key again",
                    path.display(),
                    token.token().label
                )));
            }
        }
        token.make_sealing_key(label).await.map_err(failure)?;
        screen::note(&format!(
            "made the AES key {label:?} in the token {:?}; it cannot leave it",
            token.token().label
        ));
        Ok(())
    }
}
