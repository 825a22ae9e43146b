//! All marks of all sources, judged, and made into what one enrolment imports.

use std::collections::BTreeMap;

use raft_store::command::Import;
use raft_store::state::Chains;
use tezos::{ChainId, Kind, Level, PublicKeyHash, Round, Slot};

use super::entry::Entry;
use super::fault::{Fault, Faults};
use super::misread;

/// What the operator said beside the files.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The key that is to be enrolled.
    pub key: PublicKeyHash,
    /// The marks that were typed.
    pub by_hand: &'a [Import],
    /// The chains that were listed, if any were.
    pub chains: Option<&'a Chains>,
}

/// What is to be imported, and what was read to know it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Gathered {
    /// The typed marks, then one for each chain and kind of the files.
    pub imports: Vec<Import>,
    /// Every mark of the key that was read, and what became of it if it was not taken as it is.
    pub lines: Vec<String>,
}

/// The highest level of each chain that was surely read well.
type Highest = BTreeMap<ChainId, i64>;

/// What became of one mark of the key.
enum Judged {
    Taken(ChainId, Kind, Level, Option<Round>),
    /// It cannot be right, and a typed mark stands in for it.
    Replaced(String),
}

/// Takes, for each chain and kind, the highest mark of all sources. A source is what one `--import`
/// named, and all the marks in it.
///
/// A kind without a mark on a chain that has others is burnt up to the highest of them: a file that is
/// missing is not "nothing signed yet".
///
/// # Errors
/// Every mark of the key that cannot be taken, every source without the key, and every chain that was
/// not listed.
pub fn gather(sources: &[(String, Vec<Entry>)], said: Said<'_>) -> Result<Gathered, Faults> {
    let mut faults = Vec::new();
    let mut gathered = Gathered {
        imports: said.by_hand.to_vec(),
        lines: Vec::new(),
    };
    let highest = read_well(sources, said);
    let mut best: BTreeMap<(ChainId, Kind), (Level, Option<Round>)> = BTreeMap::new();
    for (source, entries) in sources {
        let name = said.key.to_string();
        let (own, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.key == name);
        if own.is_empty() {
            faults.push(other_key(source, name, &others));
        }
        for entry in own {
            match judge(entry, &highest, said) {
                Ok(Judged::Taken(chain, kind, level, round)) => {
                    gathered.lines.push(format!("read {entry}"));
                    let mark = (level, round);
                    let at = best.entry((chain, kind)).or_insert(mark);
                    if slot(mark) > slot(*at) {
                        *at = mark;
                    }
                }
                Ok(Judged::Replaced(why)) => gathered.lines.push(format!(
                    "left out {entry}: {why}; the mark that was typed stands in for it"
                )),
                Err(fault) => faults.push(fault),
            }
        }
    }
    let of_files = best
        .into_iter()
        .map(|((chain, kind), (level, round))| Import {
            chain,
            kind: Some(kind),
            level,
            round,
        });
    let of_files: Vec<Import> = of_files.collect();
    let (missing, lines) = of_missing_kinds(&of_files, said.by_hand);
    gathered.lines.extend(lines);
    gathered.imports.extend(of_files);
    gathered.imports.extend(missing);
    faults.extend(not_listed(&gathered.imports, said.chains));
    match faults.is_empty() {
        true => Ok(gathered),
        false => Err(Faults(faults)),
    }
}

/// The chains that imports are for, each with its floor: the highest level of its marks, or the one
/// after it if nothing on that level may be signed.
///
/// # Errors
/// If there is no level above.
pub fn floors(imports: &[Import]) -> Result<Chains, Fault> {
    let mut floors = BTreeMap::new();
    for chain in imports.iter().map(|import| import.chain) {
        let on_chain = || imports.iter().filter(|import| import.chain == chain);
        let Some(level) = on_chain().map(|import| import.level).max() else {
            continue;
        };
        let mut top = on_chain().filter(|import| import.level == level);
        let floor = match top.all(|import| import.round.is_none()) {
            true => level.next().ok_or(Fault::NoLevelAbove { chain, level })?,
            false => level,
        };
        floors.insert(chain, floor);
    }
    Ok(Chains::Listed(floors))
}

fn judge(entry: &Entry, highest: &Highest, said: Said<'_>) -> Result<Judged, Fault> {
    let fault = |what: String| Fault::Mark {
        entry: Box::new(entry.clone()),
        what,
    };
    let chain: ChainId = entry
        .chain
        .parse()
        .map_err(|error| fault(format!("{:?} is no chain: {error}", entry.chain)))?;
    let kind = entry.kind.clone().map_err(|unknown| {
        fault(format!(
            "{unknown:?} is no kind of message that this version knows; install one that does"
        ))
    })?;
    let number = |number: i64| u32::try_from(number).ok();
    let level = number(entry.level).and_then(Level::new);
    let round = entry
        .round
        .map(|round| number(round).and_then(Round::new).ok_or(()))
        .transpose();
    let doubt = misread::possible(entry)
        .then(|| misread::doubt(entry.level, highest.get(&chain).copied()))
        .flatten();
    match (level, round, doubt) {
        (Some(level), Ok(round), None) => Ok(Judged::Taken(chain, kind, level, round)),
        (level, round, doubt) => {
            let why = doubt.unwrap_or_else(|| match (level, round) {
                (None, _) => "no block has that level".to_owned(),
                (Some(_), _) => "no block has that round".to_owned(),
            });
            let typed = |import: &Import| {
                import.chain == chain && import.kind.is_none_or(|one| one == kind)
            };
            if said.by_hand.iter().any(typed) {
                return Ok(Judged::Replaced(why));
            }
            Err(fault(format!(
                "{why}, so it is not taken. octez-signer before July 2025 and tacoinfra's remote-signer misread the level \
                 of tz4 votes, and the true one cannot be told from it. Say it by hand, and it stands in for this one: \
                 --import {kind}:{chain}=LEVEL, with the level of the chain's head when that signer was stopped, or a \
                 later one"
            )))
        }
    }
}

fn read_well(sources: &[(String, Vec<Entry>)], said: Said<'_>) -> Highest {
    let entries = sources.iter().flat_map(|(_, entries)| entries);
    let of_files = entries.filter(|entry| !misread::possible(entry));
    let of_files = of_files.filter_map(|entry| Some((entry.chain.parse().ok()?, entry.level)));
    let typed = said
        .by_hand
        .iter()
        .map(|import| (import.chain, i64::from(import.level.get())));
    let mut highest = Highest::new();
    for (chain, level) in of_files.chain(typed) {
        let at = highest.entry(chain).or_insert(level);
        *at = level.max(*at);
    }
    highest
}

fn of_missing_kinds(of_files: &[Import], by_hand: &[Import]) -> (Vec<Import>, Vec<String>) {
    let mut highest: BTreeMap<ChainId, Level> = BTreeMap::new();
    for import in of_files {
        let at = highest.entry(import.chain).or_insert(import.level);
        *at = import.level.max(*at);
    }
    let mut missing = Vec::new();
    let mut lines = Vec::new();
    for (chain, level) in highest {
        for kind in Kind::ALL {
            let has = |import: &Import| {
                import.chain == chain && import.kind.is_none_or(|one| one == *kind)
            };
            if of_files.iter().chain(by_hand).any(has) {
                continue;
            }
            lines.push(format!(
                "no {kind} mark on {chain}: level {level}, the highest of the others, is taken"
            ));
            missing.push(Import {
                chain,
                kind: Some(*kind),
                level,
                round: None,
            });
        }
    }
    (missing, lines)
}

fn not_listed(imports: &[Import], chains: Option<&Chains>) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for import in imports {
        let chain = import.chain;
        let fault = Fault::OtherChain { chain };
        if chains.is_some_and(|chains| chains.floor(chain).is_none()) && !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

fn other_key(source: &str, key: String, others: &[&Entry]) -> Fault {
    let mut has: Vec<String> = others.iter().map(|entry| entry.key.clone()).collect();
    has.sort();
    has.dedup();
    Fault::OtherKey {
        source_name: source.to_owned(),
        key,
        has,
    }
}

fn slot((level, round): (Level, Option<Round>)) -> Slot {
    Slot::new(level, round.unwrap_or(Round::MAX))
}
