//! tacoinfra's `keys.json`: which keys, and where their marks are. The marks are not in it.
//!
//! Source of the format: tacoinfra/remote-signer, commit `d957f5b8ef73be06e1798ebf8e8c75be65a3e21e`,
//! `tezos_signer/config.py`.
//!
//! **Invariant:** the file may hold secret keys, so nothing of its content is ever repeated in a
//! message but the name of the table and of the region. That is why it is looked at as a plain JSON value:
//! the faults of a typed one would quote what they found.

use serde_json::{Map, Value};
use tezos::{PublicKey, PublicKeyHash};

use super::entry::{Entry, Signer};
use super::fault::Fault;

/// What a file of tacoinfra's turned out to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// Exported rows, with marks.
    Rows(Vec<Entry>),
    /// `keys.json`: the marks are in a DynamoDB table, and this gets them out.
    Table {
        /// The command that exports the table.
        export: String,
    },
}

/// What `file` holds for `key`.
///
/// # Errors
/// If it is neither, if it lists other keys only, or if its marks were in memory and are gone.
pub fn content(file: &str, text: &str, key: PublicKeyHash) -> Result<Content, Fault> {
    let config = match serde_json::from_str(text) {
        Ok(Value::Object(config)) if config.contains_key("keys") => config,
        _ => return super::dynamodb::rows(file, text).map(Content::Rows),
    };
    let not_here = |what: String| Fault::NotHere {
        file: file.to_owned(),
        what,
    };
    if !may_have(&config, key) {
        return Err(not_here(format!(
            "{key} is not among its keys; name the configuration of the signer that has it"
        )));
    }
    match config.get("chain_ratchet").and_then(Value::as_str) {
        Some("dynamodb") => Ok(Content::Table {
            export: export(&config),
        }),
        Some("mockery") => Err(not_here(
            "its chain_ratchet is \"mockery\", which kept the marks in memory: they are gone with the process. Leave the \
             file out and say by hand what may have been signed, --import CHAIN=LEVEL with the level of the chain's head \
             when that signer was stopped"
                .to_owned(),
        )),
        _ => Err(Fault::NotUnderstood {
            file: file.to_owned(),
            signer: Signer::Tacoinfra,
            what: "chain_ratchet is neither dynamodb nor mockery".to_owned(),
        }),
    }
}

/// Whether the key is listed. `true` also if a listed key cannot be told: a secret key is not looked
/// into, and the rows of the table name the keys themselves.
fn may_have(config: &Map<String, Value>, key: PublicKeyHash) -> bool {
    let names: Vec<&str> = match config.get("keys") {
        Some(Value::Object(keys)) => keys.keys().map(String::as_str).collect(),
        Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names.iter().any(|name| {
        let name = name.split(':').next().unwrap_or_default();
        match (name.parse::<PublicKeyHash>(), name.parse::<PublicKey>()) {
            (Ok(hash), _) => hash == key,
            (_, Ok(public_key)) => public_key.hash() == key,
            // A secret key, or a key of another curve.
            (Err(_), Err(_)) => true,
        }
    })
}

fn export(config: &Map<String, Value>) -> String {
    let word = |name: &str| config.get(name).and_then(Value::as_str);
    let region =
        word("aws_region").map_or_else(String::new, |region| format!(" --region {region}"));
    let table = word("ddb_table").unwrap_or("TABLE");
    format!(
        "aws dynamodb scan --table-name {table}{region} --consistent-read --output json > marks.json"
    )
}
