//! Enrolling a key: with its policy, its floors, and what is known to be signed elsewhere, at once.

use std::collections::BTreeMap;

use tezos::{Kind, Round, Slot};

use super::burn;
use super::operate::{change_chains, change_release, same_generation, sound, within_limits};
use crate::command::{Answer, Enrolment, Excess, IMPORTS_MAX, Refusal};
use crate::mutant::{self, Mutant};
use crate::state::{Chains, KEYS_MAX, Key, State};

/// Introduces a key, or takes a disabled one into service again. Marks and floors only rise: a
/// known key keeps its own and takes the higher of each.
pub(super) fn enrol(
    state: &mut State,
    enrolment: &Enrolment,
    at_s: u64,
) -> Result<Answer, Refusal> {
    let hash = enrolment.public_key.hash();
    let known = state.keys.get(&hash);
    same_generation(enrolment.generation, known.map_or(0, |key| key.generation))?;
    let mut key = match known {
        None if state.keys.len() >= KEYS_MAX => {
            let count = state.keys.len().saturating_add(1);
            return Err(Refusal::TooMany {
                what: Excess::Keys,
                count,
                limit: KEYS_MAX,
            });
        }
        None => first_enrolment(enrolment, at_s),
        Some(key) if key.enabled && enrolment.imports.is_empty() => {
            return Err(Refusal::AlreadyEnrolled);
        }
        Some(key) if key.enabled => return Err(Refusal::ImportIntoEnabled),
        Some(key) => key.clone(),
    };
    take_policy(&mut key, enrolment, at_s)?;
    take_imports(&mut key, enrolment, at_s)?;
    key.enabled = true;
    key.generation = key.generation.saturating_add(1);
    let generation = key.generation;
    state.keys.insert(hash, key);
    Ok(Answer::Applied { generation })
}

fn first_enrolment(enrolment: &Enrolment, at_s: u64) -> Key {
    Key {
        public_key: enrolment.public_key.clone(),
        role: enrolment.role,
        release: enrolment.release,
        kinds: enrolment.kinds.clone(),
        operations: enrolment.operations.clone(),
        votes: enrolment.votes.clone(),
        chains: enrolment.chains.clone(),
        chains_at_s: at_s,
        authorized: enrolment.authorized.clone(),
        enabled: false,
        generation: 0,
        marks: BTreeMap::new(),
    }
}

fn take_policy(key: &mut Key, enrolment: &Enrolment, at_s: u64) -> Result<(), Refusal> {
    change_release(key, enrolment.release, at_s)?;
    let chains = the_higher_floors(&key.chains, &enrolment.chains);
    change_chains(key, chains, at_s)?;
    key.role = enrolment.role;
    key.kinds.clone_from(&enrolment.kinds);
    key.operations.clone_from(&enrolment.operations);
    key.votes.clone_from(&enrolment.votes);
    key.authorized.clone_from(&enrolment.authorized);
    sound(key)
}

fn the_higher_floors(old: &Chains, new: &Chains) -> Chains {
    match (old, new) {
        (_, Chains::Listed(floors)) => Chains::Listed(
            floors
                .iter()
                .map(|(chain, floor)| (*chain, old.floor(*chain).map_or(*floor, |o| o.max(*floor))))
                .collect(),
        ),
        (Chains::Any { floor: old }, Chains::Any { floor }) => Chains::Any {
            floor: (*old).max(*floor),
        },
        (Chains::Listed(floors), Chains::Any { floor }) => {
            let highest = floors.values().copied().max().unwrap_or(*floor);
            Chains::Any {
                floor: highest.max(*floor),
            }
        }
    }
}

/// An imported slot is burnt, whatever stands there: another signer signed it, and its digest and
/// signature are not known here.
fn take_imports(key: &mut Key, enrolment: &Enrolment, at_s: u64) -> Result<(), Refusal> {
    let count = enrolment.imports.len();
    if count > IMPORTS_MAX {
        return Err(Refusal::TooMany {
            what: Excess::Imports,
            count,
            limit: IMPORTS_MAX,
        });
    }
    for import in &enrolment.imports {
        if mutant::active(Mutant::ImportNotBurnt) {
            continue;
        }
        let chain = import.chain;
        key.chains
            .floor(chain)
            .ok_or(Refusal::ChainNotAllowed { chain })?;
        let slot = Slot::new(import.level, import.round.unwrap_or(Round::MAX));
        for kind in Kind::ALL
            .iter()
            .filter(|kind| import.kind.is_none_or(|one| one == **kind))
        {
            burn(key, chain, *kind, slot, at_s);
        }
    }
    within_limits(key)
}
