//! Reads a line and nothing into it. serde passes over a field that it does not know, and takes one
//! that is not there for none: a misspelt field would then be judged as something else.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Error, Value};

use crate::history::Line;

/// The line that `text` is.
pub(crate) fn line(text: &str) -> Result<Line, Error> {
    let line: Line = serde_json::from_str(text)?;
    let given: Value = serde_json::from_str(text)?;
    // What was understood is what can be written again.
    let understood = serde_json::to_value(&line)?;
    let event = given.get("event").and_then(Value::as_str).unwrap_or("");
    match strange(&given, &understood, for_people(event)) {
        Some(field) => Err(Error::custom(format!("unknown field `{field}`"))),
        None => Ok(line),
    }
}

/// For an optional field that must be said to be none: `#[serde(deserialize_with = "present")]`.
pub(crate) fn present<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(from)
}

/// What the audit file of a node says besides, which is not judged.
fn for_people(event: &str) -> &'static [&'static str] {
    match event {
        "applied" => &["wall", "recorded"],
        "released" => &["wall", "replayed", "decided", "forwarded_by"],
        "proved" => &["wall", "signature", "forwarded_by"],
        "refused" => &["wall", "asked", "forwarded_by"],
        _ => &["wall"],
    }
}

/// The first field that is given and was not understood, at any depth.
fn strange(given: &Value, understood: &Value, besides: &[&str]) -> Option<String> {
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => given
            .iter()
            .filter(|(name, _)| !besides.contains(&name.as_str()))
            .find_map(|(name, inside)| match understood.get(name) {
                Some(understood) => strange(inside, understood, &[]),
                None => Some(name.clone()),
            }),
        (Value::Array(given), Value::Array(understood)) => given
            .iter()
            .zip(understood)
            .find_map(|(given, understood)| strange(given, understood, &[])),
        _ => None,
    }
}
