//! I6: a node votes for one candidate in a term, also across a restart, and a term has one leader,
//! whom a majority voted for. A leader that restarts does not lead the same term again: its log may
//! have lost what it had replicated under that term before its own disk had it. Where the disks tell
//! which votes they hold, a vote leaves only after it is durable.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact};
use crate::findings::Findings;
use crate::history::Event;
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct Terms {
    /// By node and term: for whom, and in which line.
    votes: BTreeMap<u64, BTreeMap<u64, (u64, usize)>>,
    /// By term and candidate: everybody who ever voted for it.
    voters: BTreeMap<(u64, u64), BTreeSet<u64>>,
    /// The votes that are on a disk: node, term, candidate.
    durable: BTreeSet<(u64, u64, u64)>,
    leaders: BTreeMap<u64, Leader>,
    /// How often each node was started.
    starts: BTreeMap<u64, u64>,
}

struct Leader {
    node: u64,
    start: u64,
    line: usize,
}

impl<'c> Check<'c> for Terms {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        match fact.event {
            Event::Boot { node, .. } => {
                let starts = self.starts.entry(*node).or_default();
                *starts = starts.saturating_add(1);
            }
            Event::OtherDisk { node } => {
                self.votes.remove(node);
            }
            Event::VoteDurable {
                node,
                term,
                candidate,
            } => {
                self.durable.insert((*node, *term, *candidate));
            }
            Event::Vote {
                node,
                term,
                candidate,
            } => self.votes((*node, *term, *candidate), fact, case, found),
            Event::Leads { node, term } => self.leads(*node, *term, fact, case, found),
            _ => {}
        }
    }
}

impl Terms {
    fn votes(
        &mut self,
        vote: (u64, u64, u64),
        fact: &Fact<'_>,
        case: &Case<'_>,
        found: &mut Findings,
    ) {
        let (node, term, candidate) = vote;
        let voters = self.voters.entry((term, candidate)).or_default();
        voters.insert(node);
        let votes = self.votes.entry(node).or_default();
        let (first, line) = *votes.entry(term).or_insert((candidate, fact.line));
        if first != candidate {
            let words = format!(
                "node {node} votes for node {candidate} in term {term}, and did for node {first}"
            );
            found.add(Invariant::I6, fact, &[line], words);
        } else if case.disks_tell_votes && !self.durable.contains(&vote) {
            let words = format!(
                "node {node} votes for node {candidate} in term {term} before its disk holds the vote"
            );
            found.add(Invariant::I6, fact, &[], words);
        }
    }

    fn leads(
        &mut self,
        node: u64,
        term: u64,
        fact: &Fact<'_>,
        case: &Case<'_>,
        found: &mut Findings,
    ) {
        let start = self.starts.get(&node).copied().unwrap_or(0);
        match self.leaders.get(&term) {
            Some(first) if first.node != node => {
                let words = format!("nodes {} and {node} both lead term {term}", first.node);
                found.add(Invariant::I6, fact, &[first.line], words);
                return;
            }
            Some(first) if first.start != start => {
                let words = format!(
                    "node {node} leads term {term} again after a restart, without an election"
                );
                found.add(Invariant::I6, fact, &[first.line], words);
                return;
            }
            Some(_) => return,
            None => {}
        }
        let line = fact.line;
        self.leaders.insert(term, Leader { node, start, line });
        let votes = self.voters.get(&(term, node)).map_or(0, BTreeSet::len);
        if votes < case.majority() {
            let words = format!(
                "node {node} leads term {term} with the votes of {votes} of {} nodes",
                case.nodes.len()
            );
            found.add(Invariant::I6, fact, &[], words);
        }
    }
}
