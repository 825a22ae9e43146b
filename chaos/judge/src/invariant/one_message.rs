//! I1: for each (key, chain, kind, level, round) at most one message is ever signed, also if no
//! baker ever receives the signature (P1, R1).

use std::collections::BTreeMap;

use super::Check;
use crate::case::{Case, Fact, MessageId, Place};
use crate::findings::Findings;
use crate::message::Slot;
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct OneMessage<'c> {
    first: BTreeMap<(Place<'c>, Slot), First>,
}

struct First {
    message: MessageId,
    line: usize,
    /// Said once: a second message comes to light when it is made, released and answered.
    said: bool,
}

impl<'c> Check<'c> for OneMessage<'c> {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        let Some(shown) = case.shown(fact) else {
            return;
        };
        let Some((place, slot)) = shown.message.slotted() else {
            return;
        };
        let first = self.first.entry((place, slot)).or_insert(First {
            message: shown.id,
            line: fact.line,
            said: false,
        });
        if first.message != shown.id && !first.said {
            first.said = true;
            let words = format!("two messages are signed as {place} at {slot}");
            found.add(Invariant::I1, fact, &[first.line], words);
        }
    }
}
