//! Marks as octez-signer's files, for a baker that goes back. See [`super::octez`] for the format.

use std::collections::BTreeMap;

use raft_store::state::Chains;
use serde_json::{Map, Value, json};
use tezos::{ChainId, Digest, Kind, Level, PublicKeyHash, Round, Slot};

use super::entry::Signer;
use super::fault::{Fault, Faults};
use super::octez::FILES;
use super::pairs::Pairs;
use crate::admin::{MarkOut, MarkedKey};

/// A file that is to be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OctezFile {
    /// Its name in the base folder of octez-signer.
    pub name: &'static str,
    /// Its whole content.
    pub text: String,
}

/// The `hash` of a slot that nothing may be signed in. octez-signer wants one in every mark. No message has
/// this one, and no mark that carries it has a signature: without one octez-signer refuses the slot to
/// every message, whatever its hash (`check_mark` in `handler.ml`).
const NO_MESSAGE: Digest = Digest([0; 32]);

/// chain, key, mark.
type Tree = BTreeMap<String, BTreeMap<String, Value>>;

/// The files that hold the marks of `keys`, put into what is there already, by name in `present`. Only
/// those that differ from what is there are returned.
///
/// They are written under the names before Octez v23 too: such a signer would find no file under the new
/// ones, and take that for "nothing signed yet". A later one does not read the old names for any message
/// of today.
///
/// What other keys have there stays. A mark of one of `keys` that is there is replaced if it is lower, and
/// stays if it is at the same slot: its signature may be repeated.
///
/// # Errors
/// If a file that is there is not understood, or has a higher mark.
pub fn files(
    keys: &[MarkedKey],
    present: &BTreeMap<&'static str, String>,
) -> Result<Vec<OctezFile>, Faults> {
    let mut faults = Vec::new();
    let mut files = Vec::new();
    for (name, kind) in FILES {
        let before = match present.get(name).map(|text| tree(name, text)) {
            None => Tree::new(),
            Some(Ok(tree)) => tree,
            Some(Err(fault)) => {
                faults.push(fault);
                continue;
            }
        };
        let mut after = before.clone();
        for key in keys {
            for (chain, mark) in standing(key, kind) {
                if let Err(fault) = put(&mut after, name, chain, key.public_key_hash, &mark) {
                    faults.push(fault);
                }
            }
        }
        if after != before {
            let mut text = format!("{:#}", json!(after));
            text.push('\n');
            files.push(OctezFile { name, text });
        }
    }
    match faults.is_empty() {
        true => Ok(files),
        false => Err(Faults(faults)),
    }
}

/// The marks of one kind. A floor is not known to octez-signer, so what it forbids becomes a mark: all of
/// the level below it.
fn standing(key: &MarkedKey, kind: Kind) -> BTreeMap<ChainId, MarkOut> {
    let of_kind = key.marks.iter().filter(|mark| mark.kind == kind);
    let mut standing: BTreeMap<ChainId, MarkOut> =
        of_kind.map(|mark| (mark.chain, mark.clone())).collect();
    let with_marks = key.marks.iter().map(|mark| mark.chain);
    let chains: Vec<ChainId> = match &key.chains {
        Chains::Listed(floors) => floors.keys().copied().chain(with_marks).collect(),
        Chains::Any { .. } => with_marks.collect(),
    };
    for chain in chains {
        let below = key.chains.floor(chain);
        let below = below.and_then(|floor| Level::new(floor.get().checked_sub(1)?));
        let Some(level) = below else { continue };
        let burnt = MarkOut {
            chain,
            kind,
            level,
            round: Round::MAX,
            burnt: true,
            digest: None,
            signature: None,
        };
        let at = standing.entry(chain).or_insert_with(|| burnt.clone());
        if slot(at) < slot(&burnt) {
            *at = burnt;
        }
    }
    standing
}

fn put(
    tree: &mut Tree,
    file: &str,
    chain: ChainId,
    key: PublicKeyHash,
    mark: &MarkOut,
) -> Result<(), Fault> {
    let ours = (i64::from(mark.level.get()), i64::from(mark.round.get()));
    let (chain, key) = (chain.to_string(), key.to_string());
    let keys = tree.entry(chain.clone()).or_default();
    if let Some(there) = keys.get(&key) {
        let number = |name: &str| there.get(name).and_then(Value::as_i64);
        let level = number("level").ok_or_else(|| Fault::NotUnderstood {
            file: file.to_owned(),
            signer: Signer::Octez,
            what: format!("the mark of {key} on {chain} has no level"),
        })?;
        // Without a round the whole level counts as signed there.
        let theirs = (
            level,
            number("round").unwrap_or_else(|| Round::MAX.get().into()),
        );
        if theirs > ours {
            let ours = mark.level.get();
            let file = file.to_owned();
            return Err(Fault::AheadOfUs {
                file,
                chain,
                key,
                level,
                ours,
            });
        }
        if theirs == ours {
            return Ok(());
        }
    }
    keys.insert(key, value(mark));
    Ok(())
}

fn value(mark: &MarkOut) -> Value {
    let mut value = Map::new();
    let mut field = |name: &str, content: Value| value.insert(name.to_owned(), content);
    field("level", mark.level.get().into());
    field("round", mark.round.get().into());
    field("hash", mark.digest.unwrap_or(NO_MESSAGE).to_string().into());
    if let Some(signature) = &mark.signature {
        field("signature", signature.to_string().into());
    }
    Value::Object(value)
}

fn tree(file: &str, text: &str) -> Result<Tree, Fault> {
    let not = |what: String| Fault::NotUnderstood {
        file: file.to_owned(),
        signer: Signer::Octez,
        what,
    };
    let chains: Pairs<Pairs<Value>> =
        serde_json::from_str(text).map_err(|error| not(error.to_string()))?;
    let mut tree = Tree::new();
    for (chain, keys) in chains {
        for (key, mark) in keys {
            let there = tree.entry(chain.clone()).or_default();
            if there.insert(key.clone(), mark).is_some() {
                return Err(not(format!("{key} has two marks on {chain}")));
            }
        }
    }
    Ok(tree)
}

fn slot(mark: &MarkOut) -> Slot {
    Slot::new(mark.level, mark.round)
}
