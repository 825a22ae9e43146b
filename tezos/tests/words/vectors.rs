//! Reads the vectors: `tezos/vectors/README.md` says where they come from.

use serde_json::Value;
use tezos::Curve;

pub(crate) fn octez(array: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../vectors/octez.json")).unwrap();
    let entries = all[array].as_array().unwrap().clone();
    assert!(!entries.is_empty(), "no vectors under {array}");
    entries
}

pub(crate) fn tacoinfra() -> Value {
    serde_json::from_str(include_str!("../../vectors/tacoinfra.json")).unwrap()
}

pub(crate) fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is missing in {entry}"))
}

pub(crate) fn bytes(entry: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(entry, field)).unwrap()
}

pub(crate) fn number(entry: &Value, field: &str) -> u32 {
    u32::try_from(
        entry[field]
            .as_u64()
            .unwrap_or_else(|| panic!("{field} in {entry}")),
    )
    .unwrap()
}

pub(crate) fn curve(entry: &Value) -> Curve {
    text(entry, "curve").replace('_', "-").parse().unwrap()
}

/// Base58check of any prefix, written without the crate under test.
pub(crate) fn spell(prefix: &[u8], payload: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let body = [prefix, payload].concat();
    let sum = Sha256::digest(Sha256::digest(&body));
    bs58::encode([body.as_slice(), &sum[..4]].concat()).into_string()
}

/// The payload of a base58check word, read without the crate under test.
pub(crate) fn unspell(prefix_len: usize, word: &str) -> Vec<u8> {
    let all = bs58::decode(word).into_vec().unwrap();
    all[prefix_len..all.len().checked_sub(4).unwrap()].to_vec()
}
