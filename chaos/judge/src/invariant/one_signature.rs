//! I7: for a message with a slot at most one signature is ever released (P2, R14): the hash of a
//! block covers its signature, so two signatures of one header are two blocks.
//!
//! **Invariant:** what a signer makes and nobody releases is not counted: a randomising signer makes
//! another each time. Nor is a message without a slot: nothing is recorded for it.

use std::collections::BTreeMap;

use super::Check;
use crate::case::{Case, Fact, MessageId, SignatureId, Stage};
use crate::findings::Findings;
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct OneSignature {
    first: BTreeMap<MessageId, First>,
}

struct First {
    signature: SignatureId,
    line: usize,
    said: bool,
}

impl<'c> Check<'c> for OneSignature {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        let Some(shown) = case.shown(fact).filter(|shown| shown.stage != Stage::Made) else {
            return;
        };
        let (Some(signature), Some((place, slot))) = (shown.signature, shown.message.slotted())
        else {
            return;
        };
        let first = self.first.entry(shown.id).or_insert(First {
            signature,
            line: fact.line,
            said: false,
        });
        if first.signature != signature && !first.said {
            first.said = true;
            let words = format!("two signatures are released of one message: {place} at {slot}");
            found.add(Invariant::I7, fact, &[first.line], words);
        }
    }
}
