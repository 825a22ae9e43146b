//! I6: a node does not vote in a term below one that it voted in before: what it knew of that term
//! would be lost, and with it for whom it had voted there.
//!
//! A disk takes votes one after the other, and so does a node those for itself, which it tells as they
//! become durable. A vote for another node is told as it leaves, which may be a little after a later
//! one: only one that comes long after that is held against it.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use super::lives::doubled;
use crate::case::{Case, Fact};
use crate::findings::Findings;
use crate::history::Event;
use crate::verdict::Invariant;

/// So long a vote may take to leave after it was given.
const LEAVES_WITHIN_US: u64 = 5_000_000;

#[derive(Default)]
pub(super) struct Falling {
    /// The nodes that are not one process on one disk throughout, once it is known.
    doubled: Option<BTreeSet<u64>>,
    durable: BTreeMap<u64, Highest>,
    given: BTreeMap<u64, Highest>,
}

/// The highest term that a node voted in: when it first did, and where.
#[derive(Clone, Copy)]
struct Highest {
    term: u64,
    at_us: u64,
    line: usize,
}

impl<'c> Check<'c> for Falling {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        let (Event::Vote {
            node,
            term,
            candidate,
        }
        | Event::VoteDurable {
            node,
            term,
            candidate,
        }) = fact.event
        else {
            return;
        };
        let doubled = self.doubled.get_or_insert_with(|| doubled(case));
        if doubled.contains(node) {
            return;
        }
        let this = Highest {
            term: *term,
            at_us: fact.at_us,
            line: fact.line,
        };
        let is_told_late = matches!(fact.event, Event::Vote { .. }) && candidate != node;
        let votes = match fact.event {
            Event::VoteDurable { .. } => &mut self.durable,
            _ => &mut self.given,
        };
        let highest = votes.entry(*node).or_insert(this);
        if this.term > highest.term {
            *highest = this;
            return;
        }
        let patience = if is_told_late { LEAVES_WITHIN_US } else { 0 };
        if this.term < highest.term && this.at_us.saturating_sub(highest.at_us) >= patience {
            let words = format!(
                "node {node} votes in term {term} after it voted in term {}",
                highest.term
            );
            found.add(Invariant::I6, fact, &[highest.line], words);
        }
    }
}
