//! I11: nothing is signed below a floor, nothing that is burnt, and nothing with a key or on a chain
//! that was never enrolled (R12, R27, R42).

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact, Message, MessageId, Place};
use crate::findings::Findings;
use crate::history::{Action, Event, Key, Told};
use crate::message::Slot;
use crate::verdict::Invariant;

/// The chain of a policy that holds for every chain.
const ANY: &str = "*";

#[derive(Default)]
pub(super) struct Policies<'c> {
    keys: BTreeMap<&'c str, Policy<'c>>,
    /// The keys that operators ask to enrol.
    orders: BTreeMap<u64, &'c Key>,
    judged: BTreeSet<MessageId>,
}

/// What is known to hold for a key.
#[derive(Default)]
struct Policy<'c> {
    floors: Vec<Floors<'c>>,
    burnt: BTreeMap<Place<'c>, Vec<(Slot, usize)>>,
}

/// Floors that may be in force, since they were asked for and until others were committed.
struct Floors<'c> {
    key: &'c Key,
    order: Option<u64>,
    until: Option<usize>,
}

impl<'c> Check<'c> for Policies<'c> {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        match fact.event {
            Event::Run { keys, .. } => {
                for key in keys {
                    self.introduce(key, None, 0);
                }
            }
            Event::Ordered {
                order,
                action: Action::Enrol(key),
            } => {
                // Until a key is known nothing is signed with it, so the first enrolment holds from
                // the order on.
                let is_known = self.keys.contains_key(&*key.key);
                let burnt_from = if is_known { usize::MAX } else { 0 };
                self.introduce(key, Some(*order), burnt_from);
                self.orders.insert(*order, key);
            }
            Event::Obeyed { order, told } => self.obeyed(*order, *told, fact.line),
            _ => {}
        }
        if let Some(shown) = case.shown(fact)
            && self.judged.insert(shown.id)
            && let Some(words) = self.forbids(shown.message)
        {
            found.add(Invariant::I11, fact, &[], words);
        }
    }
}

impl<'c> Policies<'c> {
    fn introduce(&mut self, key: &'c Key, order: Option<u64>, burnt_from: usize) {
        let policy = self.keys.entry(&key.key).or_default();
        let until = None;
        policy.floors.push(Floors { key, order, until });
        policy.burn(key, burnt_from);
    }

    fn obeyed(&mut self, order: u64, told: Told, line: usize) {
        let Some(key) = self.orders.get(&order) else {
            return;
        };
        let policy = self.keys.entry(&key.key).or_default();
        match told {
            Told::Committed | Told::Drained => {
                let others = policy.floors.iter_mut();
                let before = others.take_while(|floors| floors.order != Some(order));
                for floors in before.filter(|floors| floors.until.is_none()) {
                    floors.until = Some(line);
                }
                policy.burn(key, line);
            }
            Told::Refused => policy.floors.retain(|floors| floors.order != Some(order)),
            Told::Unknown => {}
        }
    }

    /// Why this message may not be signed, if it may not. A message that was asked before a policy
    /// may have been granted before it.
    fn forbids(&self, message: &Message<'_>) -> Option<String> {
        let policy = self.keys.get(message.key);
        let (policy, (place, slot)) = match (policy, message.slotted()) {
            (Some(policy), Some(slotted)) => (policy, slotted),
            (Some(_), None) => return None,
            (None, Some((place, slot))) => {
                return Some(format!(
                    "{place} is signed at {slot}, and the key is not enrolled"
                ));
            }
            (None, None) => {
                return Some(format!("{} signs, and is not enrolled", message.key));
            }
        };
        let in_force = policy.floors.iter().filter(|floors| {
            let until = floors.until.unwrap_or(usize::MAX);
            !message.is_asked_only_after(until)
        });
        let floors = in_force.filter_map(|floors| floor(floors.key, place.chain));
        match floors.min() {
            None => return Some(format!("{place} is signed, and that chain is not allowed")),
            Some(floor) if slot.level < floor => {
                return Some(format!(
                    "{place} is signed at {slot}, below its floor {floor}"
                ));
            }
            Some(_) => {}
        }
        let mut burnt = policy.burnt.get(&place).into_iter().flatten();
        burnt
            .find(|(burnt, from)| {
                slot <= *burnt && (*from == 0 || message.is_asked_only_after(*from))
            })
            .map(|(burnt, _)| format!("{place} is signed at {slot}, and is burnt up to {burnt}"))
    }
}

impl<'c> Policy<'c> {
    fn burn(&mut self, key: &'c Key, from: usize) {
        for mark in &key.burnt {
            let (place, slot) = Place::of(mark);
            self.burnt.entry(place).or_default().push((slot, from));
        }
    }
}

fn floor(key: &Key, chain: &str) -> Option<i64> {
    let of = |name: &str| key.floors.iter().find(|(chain, _)| chain == name);
    of(chain).or_else(|| of(ANY)).map(|(_, floor)| *floor)
}
