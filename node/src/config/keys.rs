//! Where this node finds secrets: `[[keys]]`. What a key may sign is agreed state, not config.

use std::path::{Path, PathBuf};

use toml::Spanned;

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
}

/// Where a password comes from. Never an argument and never the configuration file itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PasswordSource {
    /// The first line of a file that only its owner can read.
    File(PathBuf),
    /// The systemd credential of that name, in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// The environment variable of that name.
    Variable(String),
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
        let known = backend(keys.backend.as_ref(), &at, checker);
        let password = password(keys, &at, folder, checker);
        let place = match &keys.folder {
            Some(path) => beside(folder, path.get_ref()),
            None => data_dir.join("keys"),
        };
        let taken = sources
            .iter()
            .any(|KeySource::File { folder, .. }| *folder == place);
        if taken {
            checker.fault(
                keys.folder.as_ref().map(Spanned::span),
                &format!("{at}.folder"),
                format!(
                    "{} is already the folder of another [[keys]]",
                    place.display()
                ),
                "give each [[keys]] its own folder",
            );
        }
        if let (true, Some(password)) = (known, password) {
            sources.push(KeySource::File {
                folder: place,
                password,
            });
        }
    }
    sources
}

fn backend(raw: Option<&Spanned<String>>, at: &str, checker: &mut Checker<'_>) -> bool {
    let (span, wrong) = match raw {
        Some(word) if word.get_ref() == "file" => return true,
        Some(word) => (
            Some(word.span()),
            format!("{:?} is not a known backend", word.get_ref()),
        ),
        None => (None, "is missing".to_owned()),
    };
    checker.fault(
        span,
        &format!("{at}.backend"),
        wrong,
        "write backend = \"file\"",
    );
    false
}

fn password(
    raw: &raw::Keys,
    at: &str,
    folder: &Path,
    checker: &mut Checker<'_>,
) -> Option<PasswordSource> {
    let file = raw.password_file.as_ref();
    let credential = raw.password_credential.as_ref();
    let variable = raw.password_variable.as_ref();
    let mut fault = |span, wrong: &str| {
        checker.fault(
            span,
            &format!("{at}.password_file"),
            wrong,
            "write exactly one of password_file, password_credential and password_variable",
        );
        None
    };
    match (file, credential, variable) {
        (Some(path), None, None) => Some(PasswordSource::File(beside(folder, path.get_ref()))),
        (None, Some(name), None) if is_plain(name.get_ref()) => {
            Some(PasswordSource::Credential(name.get_ref().clone()))
        }
        (None, None, Some(name)) if is_plain(name.get_ref()) => {
            Some(PasswordSource::Variable(name.get_ref().clone()))
        }
        (None, Some(name), None) | (None, None, Some(name)) => fault(
            Some(name.span()),
            "a name here is letters, digits, '.', '-' and '_'",
        ),
        (None, None, None) => fault(None, "no source of the password is named"),
        (first, second, third) => fault(
            third.or(second).or(first).map(Spanned::span),
            "more than one source of the password is named",
        ),
    }
}

/// Credential names become file names and variable names, so neither may hold a separator.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty() && name != "." && name != ".." && name.chars().all(plain)
}
