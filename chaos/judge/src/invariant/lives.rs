//! What a node does, it does alive: a process that ended says nothing more (a history in which it does
//! contradicts itself), and each start counts one more than the one before, on one disk (R11, told as
//! I6: a count that stands still or falls lets two processes pass for one).
//!
//! Nodes whose disk was changed, copied or swapped by a fault are held to neither: two processes go by
//! their name then, and one end is not the end of both.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact};
use crate::findings::Findings;
use crate::history::Event;
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct Lives {
    /// The nodes that are not one process on one disk throughout, once it is known.
    doubled: Option<BTreeSet<u64>>,
    nodes: BTreeMap<u64, Life>,
}

#[derive(Default)]
struct Life {
    /// The processes that started and did not end.
    running: u64,
    /// The line in which the last of them ended.
    ended: Option<usize>,
    /// The last start that was counted, and where.
    counted: Option<(u64, usize)>,
}

impl<'c> Check<'c> for Lives {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        let (node, what) = match fact.event {
            Event::Boot { node, .. } | Event::Ended { node, .. } => (*node, ""),
            // A signer may give a signature to a node that is gone: that is no deed of the node.
            Event::Released { node, .. } => (*node, "releases"),
            Event::Vote { node, .. } => (*node, "votes"),
            Event::Leads { node, .. } => (*node, "leads"),
            _ => return,
        };
        if self
            .doubled
            .get_or_insert_with(|| doubled(case))
            .contains(&node)
        {
            return;
        }
        let life = self.nodes.entry(node).or_default();
        match fact.event {
            Event::Boot { counter, .. } => {
                life.running = life.running.saturating_add(1);
                life.ended = None;
                let before = life.counted.replace((*counter, fact.line));
                if let Some((before, line)) = before.filter(|(before, _)| before >= counter) {
                    let words = format!(
                        "node {node} counts start {counter} after start {before}, on one disk"
                    );
                    found.add(Invariant::I6, fact, &[line], words);
                }
            }
            Event::Ended { .. } => {
                life.running = life.running.saturating_sub(1);
                if life.running == 0 {
                    life.ended = Some(fact.line);
                }
            }
            _ => {
                if let Some(ended) = life.ended {
                    let words = format!("node {node} {what} after its process ended");
                    found.add(Invariant::Evidence, fact, &[ended], words);
                }
            }
        }
    }
}

/// The nodes that a fault gave another disk, a copy of it, or somebody else's.
pub(super) fn doubled(case: &Case<'_>) -> BTreeSet<u64> {
    let of_event = |event: &Event| match event {
        Event::OtherDisk { node } => vec![*node],
        Event::Fault { name, nodes, .. }
            if ["clone", "swap", "copy"]
                .iter()
                .any(|word| name.contains(word)) =>
        {
            nodes.clone()
        }
        _ => Vec::new(),
    };
    case.facts
        .iter()
        .flat_map(|fact| of_event(fact.event))
        .collect()
}
