//! What operators may change. Each command names the generation it was decided on.

use std::collections::BTreeSet;

use tezos::{ChainId, Curve, Kind, Level, PublicKeyHash, Round, Slot};

use super::{burn, enrol};
use crate::command::{AUTHORIZED_MAX, Answer, Command, Edit, Excess, Refusal};
use crate::mutant::{self, Mutant};
use crate::state::{CHAINS_MAX, Chains, Key, ReleaseMode, Role, State};

/// Applies what an operator decided.
pub(super) fn command(state: &mut State, command: &Command, at_s: u64) -> Result<Answer, Refusal> {
    match command {
        Command::Enrol(enrolment) => enrol::enrol(state, enrolment, at_s),
        Command::Edit {
            key,
            generation,
            edit,
        } => change(state, *key, *generation, |key| self::edit(key, edit, at_s)),
        Command::Disable { key, generation } => change(state, *key, *generation, |key| {
            key.enabled = false;
            Ok(())
        }),
        Command::Enable { key, generation } => change(state, *key, *generation, |key| {
            key.enabled = true;
            Ok(())
        }),
        Command::Raise {
            key,
            generation,
            chain,
            kind,
            level,
        } => change(state, *key, *generation, |key| {
            raise(key, *chain, *kind, *level, at_s)
        }),
        Command::Format { format } => {
            state.format = state.format.max(*format);
            Ok(Answer::Applied { generation: 0 })
        }
    }
}

/// Changes a copy of the key, so that a command is applied whole or not at all.
fn change(
    state: &mut State,
    hash: PublicKeyHash,
    generation: u64,
    apply: impl FnOnce(&mut Key) -> Result<(), Refusal>,
) -> Result<Answer, Refusal> {
    let key = state.keys.get_mut(&hash).ok_or(Refusal::Unknown)?;
    same_generation(generation, key.generation)?;
    let mut changed = key.clone();
    apply(&mut changed)?;
    changed.generation = changed.generation.saturating_add(1);
    *key = changed;
    Ok(Answer::Applied {
        generation: key.generation,
    })
}

pub(super) fn same_generation(expected: u64, actual: u64) -> Result<(), Refusal> {
    if expected == actual || mutant::active(Mutant::GenerationIgnored) {
        Ok(())
    } else {
        Err(Refusal::Generation { expected, actual })
    }
}

fn edit(key: &mut Key, edit: &Edit, at_s: u64) -> Result<(), Refusal> {
    if let Some(release) = edit.release {
        change_release(key, release, at_s)?;
    }
    if let Some(chains) = &edit.chains {
        above_every_mark(key, chains)?;
        change_chains(key, chains.clone(), at_s)?;
    }
    key.role = edit.role.unwrap_or(key.role);
    key.kinds = edit.kinds.clone().unwrap_or_else(|| key.kinds.clone());
    key.operations = edit
        .operations
        .clone()
        .unwrap_or_else(|| key.operations.clone());
    key.votes = edit.votes.clone().unwrap_or_else(|| key.votes.clone());
    key.authorized = edit
        .authorized
        .clone()
        .unwrap_or_else(|| key.authorized.clone());
    sound(key)
}

/// Grants made in the old mode may still be signed and released, so no slot that could be one of
/// theirs may be granted again in the new one: every mark moves one level up first, burnt.
pub(super) fn change_release(
    key: &mut Key,
    release: ReleaseMode,
    at_s: u64,
) -> Result<(), Refusal> {
    if release == key.release {
        return Ok(());
    }
    key.release = release;
    let marks: Vec<_> = key
        .marks
        .iter()
        .map(|(place, mark)| (*place, mark.slot))
        .collect();
    for ((chain, kind), slot) in marks {
        let level = slot
            .level
            .next()
            .ok_or(Refusal::NoLevelAbove { mark: slot })?;
        burn(key, chain, kind, Slot::new(level, Round::ZERO), at_s);
    }
    Ok(())
}

/// A floor may be corrected downward, but never to or below any mark.
fn above_every_mark(key: &Key, chains: &Chains) -> Result<(), Refusal> {
    for chain in known_chains(key) {
        let (Some(old), Some(new)) = (key.chains.floor(chain), chains.floor(chain)) else {
            continue;
        };
        match key.highest(chain) {
            Some(mark) if new < old && new <= mark.level => {
                return Err(Refusal::FloorAtMark {
                    chain,
                    floor: new,
                    mark,
                });
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// Takes over `chains`. What a floor forbade on a chain that is not listed any more stays
/// forbidden, as burnt marks: taking a chain out and putting it back lowers nothing.
pub(super) fn change_chains(key: &mut Key, chains: Chains, at_s: u64) -> Result<(), Refusal> {
    for chain in known_chains(key) {
        let (Some(floor), None) = (key.chains.floor(chain), chains.floor(chain)) else {
            continue;
        };
        let Some(below) = floor.get().checked_sub(1).and_then(Level::new) else {
            continue;
        };
        for kind in Kind::ALL {
            burn(key, chain, *kind, Slot::new(below, Round::MAX), at_s);
        }
    }
    if key.chains != chains {
        key.chains = chains;
        key.chains_at_s = at_s;
    }
    within_limits(key)
}

/// The chains that the key is listed for or has marks on.
fn known_chains(key: &Key) -> BTreeSet<ChainId> {
    let mut chains: BTreeSet<_> = key.marks.keys().map(|(chain, _)| *chain).collect();
    if let Chains::Listed(floors) = &key.chains {
        chains.extend(floors.keys());
    }
    chains
}

pub(super) fn within_limits(key: &Key) -> Result<(), Refusal> {
    let count = known_chains(key).len();
    if count > CHAINS_MAX {
        return Err(Refusal::TooMany {
            what: Excess::Chains,
            count,
            limit: CHAINS_MAX,
        });
    }
    Ok(())
}

/// Whether the policy makes sense for this key.
pub(super) fn sound(key: &Key) -> Result<(), Refusal> {
    let count = key.authorized.len();
    if count > AUTHORIZED_MAX {
        return Err(Refusal::TooMany {
            what: Excess::Clients,
            count,
            limit: AUTHORIZED_MAX,
        });
    }
    let votes_only = key.kinds.iter().all(|kind| *kind == Kind::Attestation)
        && key.operations.is_empty()
        && key.votes.is_empty();
    match key.role {
        Role::Baker | Role::Consensus => Ok(()),
        Role::Companion if votes_only && key.public_key.curve() == Curve::Bls12_381 => Ok(()),
        Role::Companion => Err(Refusal::CompanionPolicy),
    }
}

fn raise(
    key: &mut Key,
    chain: ChainId,
    kind: Option<Kind>,
    level: Level,
    at_s: u64,
) -> Result<(), Refusal> {
    key.chains
        .floor(chain)
        .ok_or(Refusal::ChainNotAllowed { chain })?;
    let to = Slot::new(level, Round::MAX);
    let kinds: Vec<Kind> = Kind::ALL
        .iter()
        .copied()
        .filter(|k| kind.is_none_or(|one| one == *k))
        .collect();
    let slot_of = |kind: &Kind| key.marks.get(&(chain, *kind)).map(|mark| mark.slot);
    match kinds.iter().map(slot_of).min().flatten() {
        Some(mark) if mark >= to => return Err(Refusal::NothingToRaise { mark }),
        Some(_) | None => {}
    }
    for kind in kinds {
        burn(key, chain, kind, to, at_s);
    }
    within_limits(key)
}
