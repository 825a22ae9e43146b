//! A PKCS#11 token: which module, which token, which keys, and where its PIN is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hsm::parent::Wanted;
use hsm::{KeyName, TokenName, Uri};
use toml::Spanned;

use super::super::fault::Checker;
use super::super::{beside, raw};
use super::password::{PIN, PasswordSource};

/// A PKCS#11 token and the keys in it that are to sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSource {
    /// The module, a shared library of the HSM's vendor.
    pub module: PathBuf,
    /// The token; what is said of it must fit exactly one.
    pub token: TokenName,
    /// The keys; empty for every key of the token that can sign for Tezos.
    pub keys: Vec<Wanted>,
    /// How many signatures may be made at once, 1 to 64. Default 4.
    pub sessions: usize,
    /// Where the PIN of the normal user is.
    pub pin: PasswordSource,
    /// Environment variables that the module wants.
    pub environment: BTreeMap<String, String>,
}

/// The fields of a token.
pub(super) const FIELDS: [&str; 11] = [
    "module",
    "uri",
    "token",
    "serial",
    "slot",
    "pin_file",
    "pin_credential",
    "pin_variable",
    "sessions",
    "environment",
    "key",
];

const SESSIONS: usize = 4;
const SESSIONS_MAX: u64 = 64;

pub(super) fn check(
    raw: &raw::Keys,
    at: &str,
    folder: &Path,
    checker: &mut Checker<'_>,
) -> Option<TokenSource> {
    let uri = uri(raw, at, checker);
    let module = module(raw, &uri, at, folder, checker);
    let token = token(raw, &uri, at, checker);
    let pin = pin(raw, &uri, at, folder, checker);
    let sessions = sessions(raw, at, checker);
    let keys = keys(raw, &uri, at, checker);
    let environment = raw.environment.as_ref();
    Some(TokenSource {
        module: module?,
        token: token?,
        keys: keys?,
        sessions: sessions?,
        pin: pin?,
        environment: environment
            .map(|set| set.get_ref().clone())
            .unwrap_or_default(),
    })
}

fn uri(raw: &raw::Keys, at: &str, checker: &mut Checker<'_>) -> Uri {
    let Some(written) = &raw.uri else {
        return Uri::default();
    };
    written
        .get_ref()
        .parse()
        .unwrap_or_else(|fault: hsm::UriFault| {
            checker.fault(
                Some(written.span()),
                &format!("{at}.uri"),
                fault.to_string(),
                "write uri = \"pkcs11:token=LABEL;id=%01\" (RFC 7512)",
            );
            Uri::default()
        })
}

fn module(
    raw: &raw::Keys,
    uri: &Uri,
    at: &str,
    folder: &Path,
    checker: &mut Checker<'_>,
) -> Option<PathBuf> {
    let field = format!("{at}.module");
    let written = raw.module.as_ref();
    match (written, &uri.module) {
        (Some(path), None) => Some(beside(folder, path.get_ref())),
        (None, Some(path)) => Some(path.clone()),
        (None, None) => {
            let write =
                "write module = \"/usr/lib/softhsm/libsofthsm2.so\", the library of the HSM";
            checker.fault(None, &field, "is missing", write);
            None
        }
        (Some(path), Some(_)) => {
            let wrong = "is named here and in the uri";
            checker.fault(Some(path.span()), &field, wrong, "name it once");
            None
        }
    }
}

fn token(raw: &raw::Keys, uri: &Uri, at: &str, checker: &mut Checker<'_>) -> Option<TokenName> {
    let mut name = uri.token.clone();
    let mut once = |field: &str, known: &mut Option<String>, written: &raw::Text| {
        let Some(written) = written else { return };
        if known.replace(written.get_ref().clone()).is_some() {
            let wrong = "is named here and in the uri";
            checker.fault(
                Some(written.span()),
                &format!("{at}.{field}"),
                wrong,
                "name it once",
            );
        }
    };
    once("token", &mut name.label, &raw.token);
    once("serial", &mut name.serial, &raw.serial);
    if let Some(slot) = &raw.slot {
        name.slot = Some(*slot.get_ref());
    }
    if name.is_empty() {
        checker.fault(
            None,
            &format!("{at}.token"),
            "no token is named",
            "write token = \"LABEL\", serial = \"..\" or slot = 0",
        );
        return None;
    }
    Some(name)
}

fn pin(
    raw: &raw::Keys,
    uri: &Uri,
    at: &str,
    folder: &Path,
    checker: &mut Checker<'_>,
) -> Option<PasswordSource> {
    let written = [&raw.pin_file, &raw.pin_credential, &raw.pin_variable];
    match &uri.pin_file {
        Some(path) if written.iter().all(|text| text.is_none()) => Some(PasswordSource::File(
            beside(folder, &path.to_string_lossy()),
        )),
        Some(_) => {
            let span = raw.uri.as_ref().map(Spanned::span);
            let wrong = "the uri names a source of the PIN, and so does another line";
            checker.fault(span, &format!("{at}.uri"), wrong, "name it once");
            None
        }
        None => PIN.check(raw, at, folder, checker),
    }
}

fn sessions(raw: &raw::Keys, at: &str, checker: &mut Checker<'_>) -> Option<usize> {
    let Some(written) = &raw.sessions else {
        return Some(SESSIONS);
    };
    let number = *written.get_ref();
    if (1..=SESSIONS_MAX).contains(&number) {
        return usize::try_from(number).ok();
    }
    checker.fault(
        Some(written.span()),
        &format!("{at}.sessions"),
        format!("{number} is not between 1 and {SESSIONS_MAX}"),
        format!("write sessions = {SESSIONS}"),
    );
    None
}

fn keys(raw: &raw::Keys, uri: &Uri, at: &str, checker: &mut Checker<'_>) -> Option<Vec<Wanted>> {
    let mut keys = Vec::new();
    if !uri.key.is_empty() {
        keys.push(Wanted {
            name: uri.key.clone(),
            public_key_hash: None,
        });
    }
    let mut right = true;
    for (index, key) in raw.key.iter().enumerate() {
        let at = format!("{at}.key.{index}");
        match wanted(key, &at, checker) {
            Some(key) if keys.iter().any(|other: &Wanted| other.name == key.name) => {
                let wrong = format!("the {} is named twice", key.name);
                checker.fault(
                    Some(raw_span(&raw.key, index)),
                    &at,
                    wrong,
                    "name each key once",
                );
                right = false;
            }
            Some(key) => keys.push(key),
            None => right = false,
        }
    }
    right.then_some(keys)
}

fn raw_span(keys: &[Spanned<raw::Key>], index: usize) -> std::ops::Range<usize> {
    keys.get(index).map(Spanned::span).unwrap_or_default()
}

fn wanted(key: &Spanned<raw::Key>, at: &str, checker: &mut Checker<'_>) -> Option<Wanted> {
    let raw = key.get_ref();
    let mut right = true;
    let mut fault = |span, field: &str, wrong: &str, write: &str| {
        checker.fault(span, &format!("{at}.{field}"), wrong, write);
        right = false;
    };
    let id = raw.id.as_ref().and_then(|id| {
        let bytes = hex::decode(id.get_ref())
            .ok()
            .filter(|bytes| !bytes.is_empty());
        if bytes.is_none() {
            let write = "write id = \"01\", the bytes of CKA_ID";
            fault(Some(id.span()), "id", "is not hexadecimal", write);
        }
        bytes
    });
    let public_key_hash = raw.public_key_hash.as_ref().and_then(|hash| {
        let read = hash.get_ref().parse().ok();
        if read.is_none() {
            let wrong = "is not the hash of a public key";
            fault(
                Some(hash.span()),
                "public_key_hash",
                wrong,
                "write tz1..., tz2... or tz3...",
            );
        }
        read
    });
    let label = raw.label.as_ref().map(|label| label.get_ref().clone());
    if raw.id.is_none() && label.is_none() {
        let write =
            "write id = \"01\" (CKA_ID in hexadecimal), label = \"..\" (CKA_LABEL), or both";
        fault(Some(key.span()), "id", "the key is not named", write);
    }
    right.then_some(Wanted {
        name: KeyName { id, label },
        public_key_hash,
    })
}
