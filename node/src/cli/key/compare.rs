//! `quorate key compare`: which node can sign with which enrolled key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use tezos::PublicKeyHash;

use super::super::{Failure, screen, with_node};
use crate::admin::{NodeReport, Status};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Compare {
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Every node, by id, and whether it can sign: none if it was not heard of.
#[derive(Debug, Eq, PartialEq, Serialize)]
struct Row {
    key: PublicKeyHash,
    nodes: BTreeMap<u64, Option<bool>>,
}

impl Compare {
    /// A node says that it can sign with a key only after the secret behind it has signed for that
    /// public key: a token proves each key when it is opened, a file is decrypted and compared.
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let status = with_node(file, |node| async move { Ok(node.status().await?) })?;
        let rows = compare(&status);
        if self.json {
            screen::json(&rows)?;
        } else {
            if rows.is_empty() {
                screen::line("no key is enrolled: see `quorate key enrol`");
            }
            for row in &rows {
                screen::line(&row.line());
            }
        }
        let lacking = rows.iter().any(|row| !row.everywhere());
        match lacking {
            true => Err(Failure::failed(
                "not every node can sign with every key; look there with `quorate key list` and \
                 `quorate status`",
            )),
            false => Ok(()),
        }
    }
}

fn compare(status: &Status) -> Vec<Row> {
    let keys: BTreeSet<PublicKeyHash> = status
        .nodes
        .iter()
        .flat_map(|node| node.can_sign.keys().copied())
        .collect();
    let row = |key| Row {
        key,
        nodes: status
            .nodes
            .iter()
            .map(|node| (node.id, able(node, &key)))
            .collect(),
    };
    keys.into_iter().map(row).collect()
}

fn able(node: &NodeReport, key: &PublicKeyHash) -> Option<bool> {
    // What was said too long ago is not known now.
    match node.role == "unknown" {
        true => None,
        false => Some(node.can_sign.get(key).copied().unwrap_or_default()),
    }
}

impl Row {
    fn everywhere(&self) -> bool {
        self.nodes.values().all(|able| *able == Some(true))
    }

    fn line(&self) -> String {
        let nodes = self.nodes.iter().map(|(id, able)| {
            let able = match able {
                Some(true) => "can sign",
                Some(false) => "cannot sign",
                None => "was not heard",
            };
            format!("node {id} {able}")
        });
        format!("{}  {}", self.key, nodes.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_everywhere_only_if_every_node_was_heard_to_sign_with_it() {
        let key = tezos::SecretKey::generate(tezos::Curve::P256).unwrap();
        let row = |able: [Option<bool>; 3]| Row {
            key: key.public_key().hash(),
            nodes: (1..).zip(able).collect(),
        };
        assert!(row([Some(true); 3]).everywhere());
        assert!(!row([Some(true), None, Some(true)]).everywhere());
        let lacking = row([Some(true), Some(false), Some(true)]);
        assert!(!lacking.everywhere());
        assert!(lacking.line().contains("node 2 cannot sign"));
    }
}
