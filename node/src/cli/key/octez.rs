//! A secret key as octez keeps it: read from standard input or a file, never from an argument.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::PathBuf;

use tezos::{EncryptedSecretKey, SecretKey};
use zeroize::Zeroizing;

use super::super::{Exit, Failure, screen};
use crate::config::PasswordSource;

/// Where a secret is read from, and what decrypts it.
#[derive(Debug, clap::Args)]
pub(super) struct Octez {
    /// The file with the secret key; standard input if not given.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A file with the password of an `encrypted:` key, if it is not the one of the configuration.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Ask for the password of an `encrypted:` key at the terminal.
    #[arg(long, conflicts_with = "password_file")]
    ask_password: bool,
}

/// Longer than any secret key in base58, so that a wrong file is not read whole.
const SECRET_BYTES_MAX: u64 = 1_024;

impl Octez {
    /// Reads it; `own` is the password of the configuration, where there is one.
    ///
    /// # Errors
    /// If it is no secret key, or the password does not open it. No secret is repeated.
    pub(super) fn read(&self, own: Option<&PasswordSource>) -> Result<SecretKey, Failure> {
        let text = self.text()?;
        let text = std::str::from_utf8(&text).unwrap_or_default().trim();
        if text.starts_with("encrypted:") {
            return self.decrypt(text, own);
        }
        SecretKey::parse(text).map_err(|error| {
            Failure::failed(format!(
                "what was read is not a secret key of Tezos: {error}"
            ))
        })
    }

    fn text(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
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

    fn decrypt(&self, text: &str, own: Option<&PasswordSource>) -> Result<SecretKey, Failure> {
        let encrypted: EncryptedSecretKey = text.parse().map_err(|error| {
            Failure::failed(format!(
                "what was read is not an encrypted secret key: {error}"
            ))
        })?;
        let password = match (&self.password_file, self.ask_password, own) {
            (Some(path), _, _) => PasswordSource::File(path.clone()).read()?,
            (None, true, _) => screen::password("password of the key: ")?,
            (None, false, Some(own)) => own.read()?,
            (None, false, None) => {
                let what = "the secret key is encrypted: name --password-file or --ask-password";
                return Err(Failure::new(Exit::Password, what));
            }
        };
        encrypted.decrypt(password.as_bytes()).map_err(|error| {
            Failure::new(
                Exit::Password,
                format!("{error}; name --password-file or --ask-password"),
            )
        })
    }
}
