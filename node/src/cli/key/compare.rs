//! `quorate key compare`: which node can sign with which enrolled key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use tezos::PublicKeyHash;

use super::super::{Failure, screen, with_node};
use crate::admin::{Holdings, NodeReport, Status};

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
    /// Why not, by the node's own words or for want of them.
    troubles: BTreeMap<u64, String>,
}

impl Compare {
    /// A node says that it can sign with a key only after the secret behind it has signed for that
    /// public key: a token proves each key when it is opened, a file is decrypted and compared.
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let rows = with_node(file, |node| async move {
            let mut rows = compare(&node.status().await?);
            let lacking = rows.iter().filter(|row| !row.everywhere());
            let lacking: Vec<PublicKeyHash> = lacking.map(|row| row.key).collect();
            if !lacking.is_empty() {
                let said = node.holdings(lacking).await?;
                rows.iter_mut().for_each(|row| row.explain(&said));
            }
            Ok(rows)
        })?;
        if self.json {
            screen::json(&rows)?;
        } else {
            if rows.is_empty() {
                screen::line("no key is enrolled: see `quorate key enrol`");
            }
            for row in &rows {
                screen::line(&row.line());
                for (node, trouble) in &row.troubles {
                    screen::line(&format!("  node {node}: {trouble}"));
                }
            }
        }
        let lacking = rows.iter().any(|row| !row.everywhere());
        match lacking {
            true => Err(Failure::failed(
                "not every node can sign with every key: correct what each node says of it, then run \
                 `quorate key reload` there",
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
        troubles: BTreeMap::new(),
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

    /// Adds why a node cannot sign.
    fn explain(&mut self, said: &[Holdings]) {
        for (id, able) in &self.nodes {
            if *able == Some(true) {
                continue;
            }
            let said = said.iter().find(|said| said.node == *id);
            let silent = said.and_then(|said| said.silent.clone());
            let own = said.and_then(|said| said.keys.iter().find(|held| held.key == self.key));
            let trouble = silent.or_else(|| own?.trouble.clone());
            let trouble = trouble.unwrap_or_else(|| match own {
                Some(_able) => "it can by now; ask again".to_owned(),
                None => "it did not say why; see its log".to_owned(),
            });
            self.troubles.insert(*id, trouble);
        }
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
    use crate::admin::Holding;

    #[test]
    fn a_key_is_everywhere_only_if_every_node_was_heard_to_sign_with_it() {
        let key = tezos::SecretKey::generate(tezos::Curve::P256).unwrap();
        let row = |able: [Option<bool>; 3]| Row {
            key: key.public_key().hash(),
            nodes: (1..).zip(able).collect(),
            troubles: BTreeMap::new(),
        };
        assert!(row([Some(true); 3]).everywhere());
        assert!(!row([Some(true), None, Some(true)]).everywhere());
        let lacking = row([Some(true), Some(false), Some(true)]);
        assert!(!lacking.everywhere());
        assert!(lacking.line().contains("node 2 cannot sign"));
    }

    #[test]
    fn each_node_that_cannot_sign_says_why_itself_and_one_that_is_silent_is_told_so() {
        let secret = tezos::SecretKey::generate(tezos::Curve::P256).unwrap();
        let key = secret.public_key().hash();
        let held = |node, trouble: Option<&str>| Holdings {
            node,
            keys: vec![Holding {
                key,
                deterministic: None,
                trouble: trouble.map(str::to_owned),
            }],
            silent: None,
        };
        let mut row = Row {
            key,
            nodes: (1..)
                .zip([Some(true), Some(false), None, Some(false)])
                .collect(),
            troubles: BTreeMap::new(),
        };
        let silent = Holdings {
            node: 3,
            keys: Vec::new(),
            silent: Some("no answer from node 3".to_owned()),
        };
        row.explain(&[
            held(1, None),
            held(2, Some("the PIN is wrong")),
            silent,
            held(4, None),
        ]);
        let told: Vec<&str> = row.troubles.values().map(String::as_str).collect();
        assert_eq!(
            told,
            [
                "the PIN is wrong",
                "no answer from node 3",
                "it can by now; ask again"
            ]
        );
    }
}
