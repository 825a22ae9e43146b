//! How a token and a key in it are named.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which token: everything that is said must fit, and exactly one token may.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct TokenName {
    /// The label that the token was initialised with (`CK_TOKEN_INFO.label`, without its padding).
    pub label: Option<String>,
    /// The serial number (`CK_TOKEN_INFO.serialNumber`).
    pub serial: Option<String>,
    /// The number of the slot. Many modules number anew at each start: prefer label or serial.
    pub slot: Option<u64>,
    /// The manufacturer of the token.
    pub manufacturer: Option<String>,
    /// The model of the token.
    pub model: Option<String>,
}

impl TokenName {
    /// Whether anything is said at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = [
            ("label", self.label.as_ref()),
            ("serial", self.serial.as_ref()),
            ("slot", self.slot.map(|slot| slot.to_string()).as_ref()),
            ("manufacturer", self.manufacturer.as_ref()),
            ("model", self.model.as_ref()),
        ]
        .into_iter()
        .filter_map(|(what, value)| Some(format!("{what} {:?}", value?)))
        .collect::<Vec<_>>();
        match said.is_empty() {
            true => out.write_str("any token"),
            false => write!(out, "token with {}", said.join(", ")),
        }
    }
}

/// Which key of a token, by `CKA_ID`, `CKA_LABEL`, or both; exactly one private key may fit.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyName {
    /// The bytes of `CKA_ID`.
    pub id: Option<Vec<u8>>,
    /// `CKA_LABEL`.
    pub label: Option<String>,
}

impl KeyName {
    /// Whether nothing is said: then every key that can sign for Tezos is meant.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.id.is_none() && self.label.is_none()
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.id, &self.label) {
            (Some(id), None) => write!(out, "key with id {}", hex::encode(id)),
            (None, Some(label)) => write!(out, "key with label {label:?}"),
            (Some(id), Some(label)) => {
                write!(out, "key with id {} and label {label:?}", hex::encode(id))
            }
            (None, None) => out.write_str("any key"),
        }
    }
}
