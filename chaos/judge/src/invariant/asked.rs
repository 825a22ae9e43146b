//! I13: only what a baker asked for is signed, and only what is understood: what begins like a message
//! with a slot has one (R35). And only the leader of the term of an entry lets go what it allowed: no
//! follower decides (R20), and no node by another's entry.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact, MessageId, Stage};
use crate::findings::Findings;
use crate::history::Event;
use crate::message::Content;
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct AskedFor {
    said: BTreeSet<MessageId>,
    /// Who takes itself for the leader of each term.
    leaders: BTreeMap<u64, BTreeSet<u64>>,
    /// Who let go by an entry of which term first, and where: a node may say that it leads later.
    released: BTreeMap<(u64, u64), (usize, u64)>,
}

impl<'c> Check<'c> for AskedFor {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        match fact.event {
            Event::Leads { node, term } => {
                self.leaders.entry(*term).or_default().insert(*node);
            }
            Event::Released {
                node,
                entry: Some(entry),
                ..
            } => {
                let by = (entry.term, *node);
                self.released.entry(by).or_insert((fact.line, fact.at_us));
            }
            _ => {}
        }
        let Some(shown) = case.shown(fact) else {
            return;
        };
        let words = match (&shown.message.content, shown.stage) {
            (Content::Unreadable(why), _) => {
                format!(
                    "what {} signed cannot be told a slot: {why}",
                    shown.message.key
                )
            }
            (Content::Slotted { .. } | Content::Slotless, Stage::Made | Stage::Released)
                if shown
                    .message
                    .first_asked
                    .is_none_or(|asked| asked > fact.line) =>
            {
                let key = shown.message.key;
                format!("{key} signs what nobody asked for")
            }
            (Content::Slotted { .. } | Content::Slotless, _) => return,
        };
        if self.said.insert(shown.id) {
            found.add(Invariant::I13, fact, &[], words);
        }
    }

    fn end(&mut self, _case: &'c Case<'c>, found: &mut Findings) {
        for ((term, node), at) in &self.released {
            let leads = self
                .leaders
                .get(term)
                .is_some_and(|leaders| leaders.contains(node));
            if !leads {
                let words =
                    format!("node {node} releases by an entry of term {term}, which it never led");
                found.add_at(Invariant::I13, *at, &[], words);
            }
        }
    }
}
