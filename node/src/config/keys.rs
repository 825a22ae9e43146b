//! Where this node finds secrets: `[[keys]]`. What a key may sign is agreed state, not config.

mod password;
mod token;

use std::path::{Path, PathBuf};

use toml::Spanned;

pub use password::PasswordSource;
pub use token::TokenSource;

use super::fault::Checker;
use super::{beside, raw};

/// One place with secret keys, and how to open it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeySource {
    /// A folder of octez `encrypted:` secret keys, one file a key.
    File {
        /// The folder; default `<data_dir>/keys`.
        folder: PathBuf,
        /// Where the password of its files is.
        password: PasswordSource,
    },
    /// A PKCS#11 token: its keys never leave it.
    Pkcs11(TokenSource),
    /// A folder of secret keys that only a key of a PKCS#11 token opens.
    Sealed {
        /// The folder; default `<data_dir>/sealed`.
        folder: PathBuf,
        /// The token.
        token: TokenSource,
        /// The label of the AES key in it.
        sealing_key: String,
    },
}

/// What `sealing_key` is if nothing is said.
pub(crate) const SEALING_KEY: &str = "quorate-seal";

impl KeySource {
    /// The folder of its files, if it has one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::File { folder, .. } | Self::Sealed { folder, .. } => Some(folder),
            Self::Pkcs11(_) => None,
        }
    }

    /// The environment variables that hold a secret of it.
    #[must_use]
    pub fn secret_variable(&self) -> Option<&str> {
        let source = match self {
            Self::File { password, .. } => password,
            Self::Pkcs11(token) | Self::Sealed { token, .. } => &token.pin,
        };
        match source {
            PasswordSource::Variable(name) => Some(name),
            PasswordSource::File(_) | PasswordSource::Credential(_) => None,
        }
    }
}

pub(super) fn check(
    raw: &[raw::Keys],
    data_dir: &Path,
    folder: &Path,
    checker: &mut Checker<'_>,
) -> Vec<KeySource> {
    let mut sources: Vec<KeySource> = Vec::new();
    for (index, keys) in raw.iter().enumerate() {
        let at = format!("keys.{index}");
        let Some(source) = source(keys, &at, data_dir, folder, checker) else {
            continue;
        };
        let place = source.folder();
        if place.is_some() && sources.iter().any(|other| other.folder() == place) {
            checker.fault(
                keys.folder.as_ref().map(Spanned::span),
                &format!("{at}.folder"),
                format!(
                    "{} is already the folder of another [[keys]]",
                    place.unwrap_or_else(|| Path::new("")).display()
                ),
                "give each [[keys]] its own folder",
            );
        }
        sources.push(source);
    }
    sources
}

fn source(
    raw: &raw::Keys,
    at: &str,
    data_dir: &Path,
    folder: &Path,
    checker: &mut Checker<'_>,
) -> Option<KeySource> {
    const WRITE: &str = "write backend = \"file\", \"pkcs11\" or \"sealed\"";
    let place = |default: &str| match &raw.folder {
        Some(path) => beside(folder, path.get_ref()),
        None => data_dir.join(default),
    };
    let backend = raw.backend.as_ref();
    match backend.map(|word| word.get_ref().as_str()) {
        Some("file") => {
            foreign(raw, at, &token::FIELDS, checker);
            foreign(raw, at, &["sealing_key"], checker);
            let password = password::PASSWORD.check(raw, at, folder, checker)?;
            let folder = place("keys");
            Some(KeySource::File { folder, password })
        }
        Some("pkcs11") => {
            foreign(raw, at, &password::FIELDS, checker);
            foreign(raw, at, &["folder", "sealing_key"], checker);
            token::check(raw, at, folder, checker).map(KeySource::Pkcs11)
        }
        Some("sealed") => {
            foreign(raw, at, &password::FIELDS, checker);
            foreign(raw, at, &["key", "sessions"], checker);
            let token = token::check(raw, at, folder, checker)?;
            let sealing_key = raw.sealing_key.as_ref();
            let sealing_key = sealing_key.map_or(SEALING_KEY, |label| label.get_ref());
            Some(KeySource::Sealed {
                folder: place("sealed"),
                token,
                sealing_key: sealing_key.to_owned(),
            })
        }
        Some(other) => {
            let wrong = format!("{other:?} is not a known backend");
            let span = backend.map(Spanned::span);
            checker.fault(span, &format!("{at}.backend"), wrong, WRITE);
            None
        }
        None => {
            checker.fault(None, &format!("{at}.backend"), "is missing", WRITE);
            None
        }
    }
}

/// A field that means nothing to this backend was meant for something, so it is no trifle.
fn foreign(raw: &raw::Keys, at: &str, fields: &[&str], checker: &mut Checker<'_>) {
    let text = |text: &raw::Text| text.as_ref().map(Spanned::span);
    let number = |number: &raw::Number| number.as_ref().map(Spanned::span);
    let written = [
        ("folder", text(&raw.folder)),
        ("password_file", text(&raw.password_file)),
        ("password_credential", text(&raw.password_credential)),
        ("password_variable", text(&raw.password_variable)),
        ("module", text(&raw.module)),
        ("uri", text(&raw.uri)),
        ("token", text(&raw.token)),
        ("serial", text(&raw.serial)),
        ("slot", number(&raw.slot)),
        ("pin_file", text(&raw.pin_file)),
        ("pin_credential", text(&raw.pin_credential)),
        ("pin_variable", text(&raw.pin_variable)),
        ("sessions", number(&raw.sessions)),
        ("sealing_key", text(&raw.sealing_key)),
        ("environment", raw.environment.as_ref().map(Spanned::span)),
        ("key", raw.key.first().map(Spanned::span)),
    ];
    for (field, span) in written {
        if span.is_some() && fields.contains(&field) {
            let backend = raw.backend.as_ref().map_or("", |word| word.get_ref());
            checker.fault(
                span,
                &format!("{at}.{field}"),
                format!("means nothing to backend {backend:?}"),
                "remove it, or correct the backend",
            );
        }
    }
}
