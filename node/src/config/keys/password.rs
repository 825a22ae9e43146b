//! Where a password or a PIN comes from.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::super::fault::Checker;
use super::super::{beside, raw};

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

/// The fields of a password.
pub(super) const FIELDS: [&str; 3] = ["password_file", "password_credential", "password_variable"];

/// One secret that a file names three ways.
pub(super) struct Secret {
    /// What the three fields begin with.
    name: &'static str,
    /// Its three fields.
    read: fn(&raw::Keys) -> [&raw::Text; 3],
}

/// The password of key files.
pub(super) const PASSWORD: Secret = Secret {
    name: "password",
    read: |raw| {
        [
            &raw.password_file,
            &raw.password_credential,
            &raw.password_variable,
        ]
    },
};

/// The PIN of a token.
pub(super) const PIN: Secret = Secret {
    name: "pin",
    read: |raw| [&raw.pin_file, &raw.pin_credential, &raw.pin_variable],
};

impl Secret {
    /// The one source that is named.
    pub(super) fn check(
        &self,
        raw: &raw::Keys,
        at: &str,
        folder: &Path,
        checker: &mut Checker<'_>,
    ) -> Option<PasswordSource> {
        let name = self.name;
        let mut fault = |span, wrong: &str| {
            let write =
                format!("write exactly one of {name}_file, {name}_credential and {name}_variable");
            checker.fault(span, &format!("{at}.{name}_file"), wrong, write);
            None
        };
        let [file, credential, variable] = (self.read)(raw).map(Option::as_ref);
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
            (None, None, None) => fault(None, &format!("no source of the {name} is named")),
            (first, second, third) => fault(
                third.or(second).or(first).map(Spanned::span),
                &format!("more than one source of the {name} is named"),
            ),
        }
    }
}

/// Credential names become file names and variable names, so neither may hold a separator.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty() && name != "." && name != ".." && name.chars().all(plain)
}
