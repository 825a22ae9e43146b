//! Files as the other signers write them, and what is made of them.

use raft_store::command::Import;
use tezos::{ChainId, Kind, Level, PublicKeyHash, Round};

use super::*;

mod octez_back;
mod octez_in;
mod signatory_in;
mod tacoinfra_in;

const MAINNET: &str = "NetXdQprcVkpaWU";
const GHOSTNET: &str = "NetXnHfVqm9iesp";
const TZ1: &str = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
const TZ1_OTHER: &str = "tz1RvhdZ5pcjD19vCCK9PgZpnmErTba3dsBs";
const TZ4: &str = "tz4EECtMxAuJ9UDLaiMZH7G1GCFYUWsj8HZn";

fn hash(key: &str) -> PublicKeyHash {
    key.parse().unwrap()
}

fn import(kind: Kind, level: u32, round: Option<u32>) -> Import {
    Import {
        chain: ChainId::MAINNET,
        kind: Some(kind),
        level: Level::new(level).unwrap(),
        round: round.map(|round| Round::new(round).unwrap()),
    }
}

/// One of octez-signer's files with these marks on mainnet: key, level, round.
fn octez_file(marks: &[(&str, i64, i64)]) -> String {
    let marks = marks.iter().map(|(key, level, round)| {
        let hash = "24b5ea0c7c05f5c1c6abab863bf9b863f715540babcbd399322ec3ef0ad0267f";
        format!(r#""{key}": {{ "level": {level}, "round": {round}, "hash": "{hash}" }}"#)
    });
    let marks: Vec<String> = marks.collect();
    format!(r#"{{ "{MAINNET}": {{ {} }} }}"#, marks.join(", "))
}

/// octez-signer's three files with one mark each, of this key.
fn octez_folder(key: &str, block: i64, preattestation: i64, attestation: i64) -> Vec<Entry> {
    let levels = [block, preattestation, attestation];
    let files = octez::FILES.iter().zip(levels);
    files
        .flat_map(|((name, kind), level)| {
            octez::marks(name, *kind, &octez_file(&[(key, level, 0)])).unwrap()
        })
        .collect()
}

fn gathered(key: &str, entries: Vec<Entry>) -> Result<Vec<Import>, String> {
    with_typed(key, entries, &[])
}

fn with_typed(key: &str, entries: Vec<Entry>, by_hand: &[Import]) -> Result<Vec<Import>, String> {
    let said = Said {
        key: hash(key),
        by_hand,
        chains: None,
    };
    gather(&[("the folder".to_owned(), entries)], said)
        .map(|gathered| gathered.imports)
        .map_err(|faults| faults.to_string())
}

/// What a signer that reads two bytes too far takes for the level.
fn misread(level: i64) -> i64 {
    let read = u32::try_from((level & 0xffff) << 16).unwrap();
    i64::from(i32::from_be_bytes(read.to_be_bytes()))
}

/// What is said of a text that is no file of marks.
fn not_understood(read: Result<Vec<Entry>, Fault>) -> String {
    read.unwrap_err().to_string()
}
