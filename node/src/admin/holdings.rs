//! What each node says of its secrets: whether it can sign with them now, how, and why not.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use raft_store::command::Command;
use raft_store::state::ReleaseMode;
use serde::{Deserialize, Serialize};
use tezos::PublicKeyHash;

use super::Admin;
use crate::cluster::Hop;
use crate::keys::SignFailure;

/// The name under which nodes ask each other.
const ASK: &str = "holdings";

/// How long a peer has to answer: it only looks at what it knows.
const WITHIN: Duration = Duration::from_secs(2);

/// `POST /keys/holdings`: what every node says of its secrets of these keys.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AskHoldings {
    /// The keys.
    pub keys: Vec<PublicKeyHash>,
}

/// What one node says of its secrets.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Holdings {
    /// The node.
    pub node: u64,
    /// What it says of each key; none if it did not answer.
    pub keys: Vec<Holding>,
    /// Why it did not answer, if so.
    pub silent: Option<String>,
}

/// What a node says of its secret of one key. Nodes send it to each other, and bincode goes by
/// position: another form of it needs another name of the question.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Holding {
    /// The key.
    pub key: PublicKeyHash,
    /// Whether it signs the same message the same way each time; none if no secret can be used now.
    pub deterministic: Option<bool>,
    /// Why this node cannot sign with it as it is enrolled, if so.
    pub trouble: Option<String>,
}

/// Answers what peers ask of this node's secrets, for as long as `admin` lives.
pub fn answer_peers(admin: &Arc<Admin>) {
    let weak: Weak<Admin> = Arc::downgrade(admin);
    admin
        .cluster
        .route(ASK, move |_hop: Hop, keys: Vec<PublicKeyHash>| {
            let admin = weak.upgrade();
            async move { admin.map_or_else(Vec::new, |admin| own(&admin, &keys)) }
        });
}

/// What every node says of these keys. One that does not answer in time is told as silent.
pub(super) async fn everywhere(admin: &Admin, keys: &[PublicKeyHash]) -> Vec<Holdings> {
    let view = admin.cluster.view().borrow().clone();
    let question = keys.to_vec();
    let asked = view.members.keys().map(|id| {
        let (node, question) = (*id, &question);
        let me = view.me == Some(node);
        async move {
            let answer = match me {
                true => Ok(own(admin, question)),
                false => admin.cluster.forward(node, ASK, question, WITHIN).await,
            };
            let (keys, silent) = match answer {
                Ok(keys) => (keys, None),
                Err(fault) => (Vec::new(), Some(fault.to_string())),
            };
            Holdings { node, keys, silent }
        }
    });
    join_all(asked).await
}

/// What this node has of these keys.
fn own(admin: &Admin, keys: &[PublicKeyHash]) -> Vec<Holding> {
    let state = admin.cluster.ledger().map(|ledger| ledger.state());
    let release = |key: &PublicKeyHash| Some(state.as_ref()?.keys.get(key)?.release);
    let holding = |key: &PublicKeyHash| {
        let deterministic = admin.keyring.deterministic(key);
        let able = match release(key) {
            Some(release) => admin.keyring.signer(key, release).map(drop),
            None => deterministic.clone().map(drop),
        };
        Holding {
            key: *key,
            deterministic: deterministic.ok(),
            trouble: able.err().map(words),
        }
    };
    keys.iter().map(holding).collect()
}

/// Why this node cannot sign, to people who know of which node and key.
fn words(failure: SignFailure) -> String {
    match failure {
        SignFailure::TokenAway { what, .. } | SignFailure::Backend { what, .. } => what,
        other @ (SignFailure::NoSigner { .. }
        | SignFailure::NotDeterministic { .. }
        | SignFailure::WrongSignature { .. }) => other.to_string(),
    }
}

/// Refuses to release a key after the commit that a node holds in a token: that node could sign with
/// it no more. What a node that is silent, or whose token is away, holds is not known.
///
/// # Errors
/// Which nodes those are, and what to do.
pub(super) async fn may_release_so(admin: &Admin, command: &Command) -> Result<(), String> {
    let key = match command {
        Command::Enrol(enrolment) if enrolment.release == ReleaseMode::AfterCommit => {
            enrolment.public_key.hash()
        }
        Command::Edit { key, edit, .. } if edit.release == Some(ReleaseMode::AfterCommit) => *key,
        Command::Enrol(_)
        | Command::Edit { .. }
        | Command::Disable { .. }
        | Command::Enable { .. }
        | Command::Raise { .. }
        | Command::Format { .. } => return Ok(()),
    };
    refuse(key, &everywhere(admin, &[key]).await)
}

fn refuse(key: PublicKeyHash, said: &[Holdings]) -> Result<(), String> {
    let in_token = |said: &&Holdings| {
        let mut keys = said.keys.iter();
        keys.any(|held| held.key == key && held.deterministic == Some(false))
    };
    let nodes = said.iter().filter(in_token);
    let nodes: Vec<String> = nodes.map(|said| format!("node {}", said.node)).collect();
    match nodes.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "refused: {} holds {key} in a PKCS#11 token, which signs the same message differently each \
             time, so released after the commit no such node could sign with it: say `--release \
             after-record`, or bring the key to that node as a file or with `quorate key seal`, and take \
             its token out of node.toml; nothing was changed",
            nodes.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R31: what no node could serve is not decided; what is not known forbids nothing.
    #[test]
    fn r31_a_key_in_a_token_of_any_node_is_not_released_after_the_commit() {
        let secret = tezos::SecretKey::generate(tezos::Curve::P256).unwrap();
        let key = secret.public_key().hash();
        let held = |node, deterministic| Holdings {
            node,
            keys: vec![Holding {
                key,
                deterministic,
                trouble: None,
            }],
            silent: None,
        };
        let silent = Holdings {
            node: 3,
            keys: Vec::new(),
            silent: Some("no answer".to_owned()),
        };
        let files = [held(1, Some(true)), held(2, None), silent.clone()];
        assert_eq!(refuse(key, &files), Ok(()));
        let token = [held(1, Some(true)), held(2, Some(false)), silent];
        let refused = refuse(key, &token).unwrap_err();
        assert!(refused.contains("node 2 holds"), "{refused}");
        assert!(refused.contains("--release after-record"), "{refused}");
    }
}
