//! Genuine messages and signatures of other people's test suites; each names its source.

use serde::de::DeserializeOwned;

/// All vectors of one group.
pub(crate) fn of<T: DeserializeOwned>(group: &str) -> Vec<T> {
    let all: serde_json::Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    serde_json::from_value(all[group].clone()).unwrap()
}
