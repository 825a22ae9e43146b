//! The rule: what may be signed. Pure and total; the same state and entry give the same answer on
//! every node, at every time.
//!
//! **Invariant:** no function here lowers a mark, forgets a key, or frees a slot. A burnt slot is a
//! missed reward, a reused one a slash.

mod enrol;
mod operate;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use tezos::{ChainId, Curve, Kind, Level, PublicKeyHash, Slot};

use crate::command::{Act, Advance, Answer, PermitAsked, Permitted, Proposal, Record, Refusal};
use crate::mutant::{self, Mutant};
use crate::state::{CHAINS_MAX, Chains, Key, Mark, Stamp, State};

/// The levels that a mark may always rise at once.
pub const JUMP_LEVELS_MIN: u64 = 1000;

/// Applies one entry.
pub fn apply(state: &mut State, proposal: &Proposal) -> Answer {
    let at_s = proposal.at_s;
    let answer = match &proposal.act {
        _ if proposal.format() > state.format => Err(Refusal::FormatNotAgreed {
            format: proposal.format(),
            agreed: state.format,
        }),
        Act::Advance(asked) => advance(state, asked, at_s),
        Act::Record(record) => self::record(state, record),
        Act::Permit(asked) => permit(state, asked),
        Act::Command(command) => operate::command(state, command, at_s),
    };
    answer.unwrap_or_else(Answer::Refused)
}

/// The table of the design, first row that fits.
fn advance(state: &mut State, asked: &Advance, at_s: u64) -> Result<Answer, Refusal> {
    let Advance {
        chain,
        kind,
        slot,
        digest,
        ..
    } = *asked;
    let locked = state.locked;
    let key = state.keys.get_mut(&asked.key).ok_or(Refusal::Unknown)?;
    let mark = key.marks.get(&(chain, kind));

    if let Some(signature) = mark
        .and_then(|mark| mark.signature_for(slot, digest))
        .cloned()
    {
        return Ok(Answer::Replayed { digest, signature });
    }
    gate(key, locked, asked)?;
    let granted = Answer::Granted {
        digest,
        release: key.release,
    };
    match mark.map(|mark| (slot.cmp(&mark.slot), mark)) {
        Some((Ordering::Less, mark)) => Err(Refusal::Below {
            asked: slot,
            mark: mark.slot,
        }),
        Some((Ordering::Equal, mark)) => match &mark.stamp {
            Stamp::Burnt => Err(Refusal::Burnt { slot }),
            Stamp::Signed { digest: other, .. }
                if *other != digest && !mutant::active(Mutant::TwoDigestsForOneSlot) =>
            {
                Err(Refusal::Conflict { slot })
            }
            Stamp::Signed { .. } => Ok(granted),
        },
        Some((Ordering::Greater, _)) | None => {
            within_a_jump(key, asked, at_s)?;
            within_the_chains(key, chain)?;
            let stamp = Stamp::Signed {
                digest,
                signature: None,
            };
            key.marks.insert(
                (chain, kind),
                Mark {
                    slot,
                    stamp,
                    moved_at_s: at_s,
                },
            );
            Ok(granted)
        }
    }
}

/// The same gate, then: the first signature wins, and nothing is recorded for a mark that moved on.
fn record(state: &mut State, record: &Record) -> Result<Answer, Refusal> {
    let Advance {
        chain,
        kind,
        slot,
        digest,
        ..
    } = record.advance;
    let locked = state.locked;
    let key = state
        .keys
        .get_mut(&record.advance.key)
        .ok_or(Refusal::Unknown)?;
    if !mutant::active(Mutant::RecordNotGated) {
        gate(key, locked, &record.advance)?;
    }
    let never = Refusal::NeverGranted { slot };
    let mark = key
        .marks
        .get_mut(&(chain, kind))
        .ok_or_else(|| never.clone())?;
    match (slot.cmp(&mark.slot), &mut mark.stamp) {
        (Ordering::Less, _) => Err(Refusal::MovedOn {
            asked: slot,
            mark: mark.slot,
        }),
        (Ordering::Greater, _) => Err(never),
        (Ordering::Equal, Stamp::Burnt) => Err(Refusal::Burnt { slot }),
        (Ordering::Equal, Stamp::Signed { digest: other, .. }) if *other != digest => {
            Err(Refusal::Conflict { slot })
        }
        (Ordering::Equal, Stamp::Signed { signature, .. }) => {
            if mutant::active(Mutant::SecondRecordWins) {
                *signature = None;
            }
            let winner = signature.get_or_insert_with(|| record.signature.clone());
            Ok(Answer::Recorded {
                digest,
                signature: winner.clone(),
            })
        }
    }
}

/// A message without a slot: no mark, but disable, lock and audit hold for it too.
fn permit(state: &State, asked: &PermitAsked) -> Result<Answer, Refusal> {
    let key = in_service(state, asked.key)?;
    match &asked.what {
        Permitted::Operation { names, votes } => {
            if let Some(name) = names.difference(&key.operations).next() {
                return Err(Refusal::OperationNotAllowed { name: *name });
            }
            if let Some(vote) = votes.difference(&key.votes).next() {
                return Err(Refusal::VoteNotAllowed { vote: *vote });
            }
        }
        Permitted::Possession if key.public_key.curve() == Curve::Bls12_381 => {}
        Permitted::Possession => return Err(Refusal::NoPossession),
    }
    Ok(Answer::Permitted {
        digest: asked.digest,
    })
}

/// What stands before the mark, for *Advance* and *Record* alike.
fn gate(key: &Key, locked: bool, asked: &Advance) -> Result<(), Refusal> {
    let Advance {
        chain, kind, slot, ..
    } = *asked;
    usable(key, locked)?;
    let floor = key
        .chains
        .floor(chain)
        .ok_or(Refusal::ChainNotAllowed { chain })?;
    if !key.kinds.contains(&kind) {
        return Err(Refusal::KindNotAllowed { kind });
    }
    if slot.level < floor && !mutant::active(Mutant::FloorIgnored) {
        return Err(Refusal::BelowFloor { asked: slot, floor });
    }
    Ok(())
}

fn in_service(state: &State, hash: PublicKeyHash) -> Result<&Key, Refusal> {
    let key = state.keys.get(&hash).ok_or(Refusal::Unknown)?;
    usable(key, state.locked)?;
    Ok(key)
}

const fn usable(key: &Key, locked: bool) -> Result<(), Refusal> {
    match (key.enabled, locked) {
        (false, _) => Err(Refusal::Disabled),
        (true, true) => Err(Refusal::Locked),
        (true, false) => Ok(()),
    }
}

/// One bad request must not burn a key for years. A floor above zero counts as a mark; without
/// either, the first level is taken as given.
fn within_a_jump(key: &Key, asked: &Advance, at_s: u64) -> Result<(), Refusal> {
    let mark = key
        .marks
        .get(&(asked.chain, asked.kind))
        .map(|m| (m.slot.level, m.moved_at_s));
    let floor = key
        .chains
        .floor(asked.chain)
        .filter(|floor| *floor > Level::ZERO);
    let floor = floor.map(|floor| (floor, key.chains_at_s));
    let Some((level, moved_at_s)) = mark.max(floor) else {
        return Ok(());
    };
    let limit = at_s.saturating_sub(moved_at_s).max(JUMP_LEVELS_MIN);
    let rise = asked.slot.level.get().saturating_sub(level.get());
    if u64::from(rise) > limit {
        return Err(Refusal::Jump {
            asked: asked.slot,
            mark: level,
            limit,
        });
    }
    Ok(())
}

/// The wildcard chain must not let strangers fill the state.
fn within_the_chains(key: &Key, chain: ChainId) -> Result<(), Refusal> {
    match key.chains {
        Chains::Any { .. } if !has_room_for(key, chain) => {
            Err(Refusal::TooManyChains { limit: CHAINS_MAX })
        }
        Chains::Any { .. } | Chains::Listed(_) => Ok(()),
    }
}

fn has_room_for(key: &Key, chain: ChainId) -> bool {
    if key.marks.len() < CHAINS_MAX || key.highest(chain).is_some() {
        return true;
    }
    let chains: BTreeSet<ChainId> = key.marks.keys().map(|(chain, _)| *chain).collect();
    chains.len() < CHAINS_MAX
}

/// Burns everything up to and including `slot`, unless the mark is above it already.
fn burn(key: &mut Key, chain: ChainId, kind: Kind, slot: Slot, at_s: u64) {
    let burnt = Mark {
        slot,
        stamp: Stamp::Burnt,
        moved_at_s: at_s,
    };
    match key.marks.get_mut(&(chain, kind)) {
        Some(mark) if mark.slot > slot => {}
        Some(Mark {
            slot: at,
            stamp: Stamp::Burnt,
            ..
        }) if *at == slot => {}
        Some(mark) => *mark = burnt,
        None => {
            key.marks.insert((chain, kind), burnt);
        }
    }
}
