//! I14: a refusal is a decision and never an outage (P4). Who is told 409 can be told why: somebody
//! asked for this slot or one above, an operator gave an order about this key, or the slot is below a
//! floor, burnt, or too far above. And an enrolled key is never unknown: state that is missing is not
//! read as empty (P5).

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact, Message, MessageId, Place};
use crate::findings::Findings;
use crate::history::{Action, Event, Key, Told};
use crate::message::Slot;
use crate::verdict::Invariant;

/// A mark may always rise by so many levels at once; how far it may rise beyond depends on a clock
/// that the history does not have.
const JUMP_LEVELS: i64 = 1000;

#[derive(Default)]
pub(super) struct Reasons<'c> {
    asked: BTreeMap<Place<'c>, Highest>,
    /// The highest level that was released, or that some node's mark stands at: a signature may be lost
    /// with its node, and the mark stays.
    reached: BTreeMap<Place<'c>, i64>,
    /// The keys that an operator gave an order about.
    ordered: BTreeSet<&'c str>,
    /// The keys that are enrolled, and since which line that is known.
    enrolled: BTreeMap<&'c str, usize>,
    enrolments: BTreeMap<u64, &'c str>,
}

/// The highest slot that was asked, and whether more than one message was asked there.
struct Highest {
    slot: Slot,
    message: MessageId,
    contested: bool,
}

impl<'c> Check<'c> for Reasons<'c> {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        match fact.event {
            Event::Run { keys, .. } => {
                let keys = keys.iter().map(|key| (&*key.key, fact.line));
                self.enrolled.extend(keys);
            }
            Event::Ordered { order, action } => self.ordered(*order, action),
            Event::Obeyed {
                order,
                told: Told::Committed | Told::Drained,
            } => {
                if let Some(key) = self.enrolments.get(order) {
                    self.enrolled.entry(key).or_insert(fact.line);
                }
            }
            Event::Asked { .. } => self.asked(fact, case),
            Event::Applied { mark, .. } => {
                let (place, slot) = Place::of(mark);
                self.reached(place, slot);
            }
            Event::Answered { status, .. } => self.answered(*status, fact, case, found),
            _ => {}
        }
    }
}

impl<'c> Reasons<'c> {
    fn ordered(&mut self, order: u64, action: &'c Action) {
        let key = match action {
            Action::Enrol(Key { key, .. }) => {
                self.enrolments.insert(order, key);
                key
            }
            Action::Disable { key } | Action::Enable { key } | Action::Raise { key, .. } => key,
        };
        self.ordered.insert(key);
    }

    fn asked(&mut self, fact: &Fact<'_>, case: &'c Case<'c>) {
        let Some((id, message)) = case.message(fact) else {
            return;
        };
        let Some((place, slot)) = message.slotted() else {
            return;
        };
        let this = || Highest {
            slot,
            message: id,
            contested: false,
        };
        let highest = self.asked.entry(place).or_insert_with(this);
        if slot > highest.slot {
            *highest = this();
        } else if slot == highest.slot && id != highest.message {
            highest.contested = true;
        }
    }

    fn answered(&mut self, status: u16, fact: &Fact<'_>, case: &'c Case<'c>, found: &mut Findings) {
        let (Some((_, message)), Some(asked)) = (case.message(fact), fact.asked) else {
            return;
        };
        let words = match (status, message.slotted()) {
            (200, Some((place, slot))) => return self.reached(place, slot),
            (404, _) if self.is_enrolled(message, asked) => {
                format!("{} is said to be unknown, and is enrolled", message.key)
            }
            (409, Some((place, slot))) if !self.is_reasonable(place, slot, case) => format!(
                "{place} is refused at {slot}, and nobody asked for that slot or one above, nor \
                 ordered anything about the key"
            ),
            _ => return,
        };
        found.add(Invariant::I14, fact, &[asked], words);
    }

    fn reached(&mut self, place: Place<'c>, slot: Slot) {
        let level = self.reached.entry(place).or_insert(slot.level);
        *level = slot.level.max(*level);
    }

    fn is_enrolled(&self, message: &Message<'_>, asked: usize) -> bool {
        let since = self.enrolled.get(message.key);
        since.is_some_and(|since| asked > *since)
    }

    fn is_reasonable(&self, place: Place<'_>, slot: Slot, case: &Case<'_>) -> bool {
        let taken = self.asked.get(&place).is_some_and(|highest| {
            highest.slot > slot || (highest.slot == slot && highest.contested)
        });
        let key = case.keys.iter().find(|key| key.key == place.key);
        taken
            || self.ordered.contains(place.key)
            || key.is_none_or(|key| self.is_barred(key, place, slot))
    }

    /// Whether the policy at the start of the run speaks against it.
    fn is_barred(&self, key: &Key, place: Place<'_>, slot: Slot) -> bool {
        let floors = key.floors.iter().map(|(_, floor)| *floor);
        let floor = floors.max().unwrap_or(i64::MAX);
        let reached = self.reached.get(&place).copied();
        // A floor of zero takes the first level as it is given.
        let from = reached
            .into_iter()
            .chain((floor > 0).then_some(floor))
            .max();
        let is_burnt = key
            .burnt
            .iter()
            .any(|mark| Place::of(mark).0 == place && slot <= Place::of(mark).1);
        slot.level < floor
            || is_burnt
            || from.is_some_and(|from| slot.level.saturating_sub(from) > JUMP_LEVELS)
    }
}
