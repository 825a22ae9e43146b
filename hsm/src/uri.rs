//! `pkcs11:` URIs (RFC 7512): one line that names a module, a token, a key and where its PIN is.

use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::{KeyName, TokenName};

/// What a URI says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Uri {
    /// The module (`?module-path=`).
    pub module: Option<PathBuf>,
    /// The token (`token=`, `serial=`, `slot-id=`, `manufacturer=`, `model=`).
    pub token: TokenName,
    /// The key (`id=`, `object=`).
    pub key: KeyName,
    /// A file with the PIN (`?pin-source=`, a path or a `file:` URI).
    pub pin_file: Option<PathBuf>,
}

/// Why a text is no URI that can be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UriFault {
    /// Another scheme, or none.
    #[error("it does not begin with `pkcs11:`")]
    Scheme,
    /// The PIN itself.
    #[error(
        "it holds a PIN (`pin-value`): whoever reads the file has it; name a file with `pin-source`"
    )]
    PinValue,
    /// An attribute that is not known, or makes no sense here.
    #[error("attribute `{0}` is not known here")]
    Unknown(String),
    /// An attribute twice.
    #[error("attribute `{0}` is there twice")]
    Twice(String),
    /// A value that is not what its attribute wants.
    #[error("attribute `{name}` is not {wanted}")]
    Value {
        /// The attribute.
        name: String,
        /// What it should be.
        wanted: &'static str,
    },
}

impl FromStr for Uri {
    type Err = UriFault;

    fn from_str(text: &str) -> Result<Self, UriFault> {
        let rest = text
            .trim()
            .strip_prefix("pkcs11:")
            .ok_or(UriFault::Scheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        let path = path.split(';').map(|part| (part, false));
        let query = query.split('&').map(|part| (part, true));
        let mut seen = Vec::new();
        for (part, in_query) in path.chain(query).filter(|(part, _)| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| UriFault::Value {
                name: part.to_owned(),
                wanted: "followed by `=` and a value",
            })?;
            if seen.contains(&name) {
                return Err(UriFault::Twice(name.to_owned()));
            }
            seen.push(name);
            uri.take(name, value, in_query)?;
        }
        Ok(uri)
    }
}

impl Uri {
    fn take(&mut self, name: &str, value: &str, in_query: bool) -> Result<(), UriFault> {
        let fault = |wanted| UriFault::Value {
            name: name.to_owned(),
            wanted,
        };
        let bytes: Vec<u8> = percent_decode_str(value).collect();
        let text = || String::from_utf8(bytes.clone()).map_err(|_binary| fault("UTF-8"));
        match (name, in_query) {
            ("token", false) => self.token.label = Some(text()?),
            ("serial", false) => self.token.serial = Some(text()?),
            ("manufacturer", false) => self.token.manufacturer = Some(text()?),
            ("model", false) => self.token.model = Some(text()?),
            ("slot-id", false) => {
                let slot = text()?.parse().map_err(|_text| fault("a number"))?;
                self.token.slot = Some(slot);
            }
            ("id", false) => self.key.id = Some(bytes),
            ("object", false) => self.key.label = Some(text()?),
            ("type", false) if value == "private" => {}
            ("type", false) => return Err(fault("`private`: it is the private key that signs")),
            ("module-path", true) => self.module = Some(PathBuf::from(text()?)),
            ("pin-source", true) => {
                let source = text()?;
                let path = source.strip_prefix("file:").unwrap_or(&source);
                if path.starts_with('|') {
                    return Err(fault("a file"));
                }
                let path = path.strip_prefix("//").unwrap_or(path);
                self.pin_file = Some(PathBuf::from(path));
            }
            ("pin-value", _) => return Err(UriFault::PinValue),
            (other, _) => return Err(UriFault::Unknown(other.to_owned())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_module_token_key_and_where_the_pin_is() {
        let uri: Uri = "pkcs11:token=baker%20one;serial=0a;id=%01%ff;object=k;type=private\
                        ?module-path=/usr/lib/m.so&pin-source=file:/etc/pin"
            .parse()
            .unwrap();
        assert_eq!(uri.token.label.as_deref(), Some("baker one"));
        assert_eq!(uri.token.serial.as_deref(), Some("0a"));
        assert_eq!(uri.key.id, Some(vec![1, 255]));
        assert_eq!(uri.key.label.as_deref(), Some("k"));
        assert_eq!(uri.module, Some(PathBuf::from("/usr/lib/m.so")));
        assert_eq!(uri.pin_file, Some(PathBuf::from("/etc/pin")));
        let uri: Uri = "pkcs11:slot-id=3?pin-source=/etc/pin".parse().unwrap();
        assert_eq!(uri.token.slot, Some(3));
        assert_eq!(uri.pin_file, Some(PathBuf::from("/etc/pin")));
    }

    #[test]
    fn a_pin_in_a_uri_is_refused_and_not_repeated() {
        let fault = "pkcs11:token=a?pin-value=123456"
            .parse::<Uri>()
            .unwrap_err();
        assert_eq!(fault, UriFault::PinValue);
        assert!(!fault.to_string().contains("123456"));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (text, named) in [
            ("token=a", "pkcs11:"),
            ("pkcs11:tokn=a", "tokn"),
            ("pkcs11:token=a;token=b", "token"),
            ("pkcs11:slot-id=x", "slot-id"),
            ("pkcs11:token", "token"),
            ("pkcs11:token=a;type=cert", "type"),
            ("pkcs11:token=a?pin-source=|program", "pin-source"),
        ] {
            let fault = text.parse::<Uri>().unwrap_err().to_string();
            assert!(fault.contains(named), "{text}: {fault}");
        }
    }
}
