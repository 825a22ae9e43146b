//! A key as a command enrols it, and as the judge reads it.

use judge::history::{self, Mark};
use raft_store::command::{Command, Enrolment, Import};
use raft_store::state::{Chains, Role};
use tezos::{Kind, Level, Round};

use crate::sim::keys::pair;
use crate::sim::plan::{KeyPlan, MAINNET, OTHER_CHAIN};
use crate::sim::witness;

/// The key as the judge reads it.
#[must_use]
pub fn described(plan: &KeyPlan) -> Option<history::Key> {
    let pair = pair(plan.curve, plan.set)?;
    let key = pair.public().hash().to_string();
    let burnt = |(level, round): (u32, Option<u32>)| {
        let mark = |kind: Kind| Mark {
            key: key.clone(),
            chain: MAINNET.to_string(),
            kind: witness::kind(kind),
            level: level.into(),
            round: round.unwrap_or(Round::MAX.get()).into(),
            digest: String::new(),
        };
        Kind::ALL.iter().map(|kind| mark(*kind)).collect::<Vec<_>>()
    };
    let mut floors = vec![(MAINNET.to_string(), i64::from(plan.floor))];
    if plan.floor == 0 {
        floors.push((OTHER_CHAIN.to_string(), 0));
    }
    Some(history::Key {
        public_key: pair.public().to_string(),
        release: witness::release(plan.release),
        floors,
        burnt: plan.import.map(burnt).unwrap_or_default(),
        key,
    })
}

/// The command that enrols it. None if there is no such key, or it begins at no level.
pub(super) fn enrolment(
    plan: &KeyPlan,
    generation: u64,
    import: Option<(u32, Option<u32>)>,
) -> Option<Command> {
    let pair = pair(plan.curve, plan.set)?;
    let mut chains = [(MAINNET, Level::new(plan.floor)?)].into_iter().collect();
    if plan.floor == 0 {
        chains = [(MAINNET, Level::ZERO), (OTHER_CHAIN, Level::ZERO)]
            .into_iter()
            .collect();
    }
    let imports = import.and_then(|(level, round)| {
        Some(Import {
            chain: MAINNET,
            kind: None,
            level: Level::new(level)?,
            round: round.and_then(Round::new),
        })
    });
    Some(Command::Enrol(Box::new(Enrolment {
        generation,
        public_key: pair.public().clone(),
        role: Role::Baker,
        release: plan.release,
        kinds: Kind::ALL.iter().copied().collect(),
        operations: [].into(),
        votes: [].into(),
        chains: Chains::Listed(chains),
        authorized: Vec::new(),
        imports: imports.into_iter().collect(),
    })))
}
