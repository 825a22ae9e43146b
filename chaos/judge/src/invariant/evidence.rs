//! Whether the history can show anything at all. A run that was cut short, that contradicts itself,
//! or in which nothing was signed breaks no promise and is not green either.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact, MessageId, enrolled_by};
use crate::findings::Findings;
use crate::history::{Event, Key, Told};
use crate::signature::{PublicKey, Signature};
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct Evidence {
    at_us: u64,
    runs: usize,
    requests: BTreeMap<u64, Sent>,
    orders: BTreeMap<u64, Option<Told>>,
    faults: BTreeMap<u64, bool>,
    made: BTreeSet<MessageId>,
    released: BTreeSet<MessageId>,
    /// The nodes that were healed, and whether each told its state since.
    healed: Option<BTreeMap<u64, bool>>,
    signed: u64,
}

struct Sent {
    answered: bool,
}

impl<'c> Check<'c> for Evidence {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        let mut say = |words: String| found.add(Invariant::Evidence, fact, &[], words);
        if fact.at_us < self.at_us {
            say(format!(
                "time steps back from {} us to {} us",
                self.at_us, fact.at_us
            ));
        }
        self.at_us = self.at_us.max(fact.at_us);
        if fact.line == 1 && !matches!(fact.event, Event::Run { .. }) {
            say("the first line does not say what run this is".to_owned());
        }
        for node in nodes_of(fact.event) {
            if !case.nodes.contains(&node) {
                say(format!("node {node} is not of this run"));
            }
        }
        if let Some(key) = enrolled_by(fact.event) {
            describe(key, &mut say);
        }
        self.traffic(fact, case, &mut say);
        self.operators(fact, &mut say);
        self.course(fact, &mut say);
    }

    fn end(&mut self, case: &'c Case<'c>, found: &mut Findings) {
        let last = case
            .facts
            .last()
            .map_or((0, 0), |fact| (fact.line, fact.at_us));
        let mut say = |words: String| found.add_at(Invariant::Evidence, last, &[], words);
        if self.signed == 0 {
            say("nothing was signed in this run, so it proves nothing".to_owned());
        }
        match &self.healed {
            None if self.signed > 0 => say(
                "the run was never healed, so neither its states nor its recovery were seen"
                    .to_owned(),
            ),
            None => {}
            Some(nodes) => {
                for (node, _) in nodes.iter().filter(|(_, told)| !**told) {
                    say(format!("node {node} was healed and told no state after it"));
                }
            }
        }
    }
}

impl Evidence {
    /// Requests, answers, signatures: each has what comes before it.
    fn traffic(&mut self, fact: &Fact<'_>, case: &Case<'_>, say: &mut impl FnMut(String)) {
        match fact.event {
            Event::Asked { request, .. } => {
                let sent = Sent { answered: false };
                if self.requests.insert(*request, sent).is_some() {
                    say(format!("request {request} is asked twice"));
                }
            }
            Event::Answered {
                request,
                status,
                signature,
                ..
            } => {
                match self.requests.get_mut(request) {
                    None => say(format!("request {request} is answered and was never asked")),
                    Some(sent) if sent.answered => {
                        say(format!("request {request} is answered twice"));
                    }
                    Some(sent) => sent.answered = true,
                }
                match (status, signature) {
                    (200, Some(_)) => self.answered(fact, say),
                    (200, None) => say(format!("request {request} has a 200 and no signature")),
                    (_, Some(_)) => say(format!(
                        "request {request} has a signature and no 200, but {status}"
                    )),
                    (_, None) => {}
                }
            }
            Event::Signed { .. } => match fact.message {
                Some(message) => {
                    self.made.insert(message);
                }
                None => say("what was signed is not hexadecimal".to_owned()),
            },
            Event::Released { .. } => match fact.message {
                Some(message) => {
                    self.released.insert(message);
                    if !self.made.contains(&message) {
                        say("released, and no signer is seen to have signed it".to_owned());
                    }
                }
                None => say("what was released is not hexadecimal".to_owned()),
            },
            _ => {}
        }
        if let Some(Signature::Unreadable(text)) = fact.signature.and_then(|id| case.signature(id))
        {
            say(format!("`{text}` is no signature"));
        }
    }

    fn answered(&mut self, fact: &Fact<'_>, say: &mut impl FnMut(String)) {
        self.signed = self.signed.saturating_add(1);
        match fact.message {
            None => say("what a 200 answers is not hexadecimal".to_owned()),
            Some(message) if !self.released.contains(&message) => {
                say("answered with 200, and no node is seen to have released it".to_owned());
            }
            Some(_) => {}
        }
    }

    /// Orders, and what the operator was told.
    fn operators(&mut self, fact: &Fact<'_>, say: &mut impl FnMut(String)) {
        match fact.event {
            Event::Ordered { order, .. } if self.orders.insert(*order, None).is_some() => {
                say(format!("order {order} is given twice"));
            }
            Event::Obeyed { order, told } => match self.orders.get_mut(order) {
                None => say(format!("order {order} is answered and was never given")),
                Some(before) => {
                    if !matches!(
                        (&before, told),
                        (None, _) | (Some(Told::Committed), Told::Drained)
                    ) {
                        say(format!(
                            "order {order} is answered {told:?} after {before:?}"
                        ));
                    }
                    *before = Some(*told);
                }
            },
            _ => {}
        }
    }

    /// The run itself, its faults, and how it ends.
    fn course(&mut self, fact: &Fact<'_>, say: &mut impl FnMut(String)) {
        match fact.event {
            Event::Run { nodes, keys, .. } => {
                self.runs = self.runs.saturating_add(1);
                if self.runs > 1 {
                    say("a second run begins".to_owned());
                }
                if nodes.is_empty() {
                    say("a run without nodes".to_owned());
                }
                keys.iter().for_each(|key| describe(key, say));
            }
            Event::Fault { fault, proof, .. } => {
                if self.faults.insert(*fault, false).is_some() {
                    say(format!("fault {fault} begins twice"));
                }
                if proof.trim().is_empty() {
                    say(format!("nothing shows that fault {fault} took effect"));
                }
            }
            Event::FaultEnded { fault } => match self.faults.insert(*fault, true) {
                None => say(format!("fault {fault} ends and never began")),
                Some(true) => say(format!("fault {fault} ends twice")),
                Some(false) => {}
            },
            Event::Healed { nodes, .. } => {
                self.healed = Some(nodes.iter().map(|node| (*node, false)).collect());
            }
            Event::State { node, .. } => {
                if let Some(told) = self.healed.as_mut().and_then(|nodes| nodes.get_mut(node)) {
                    *told = true;
                }
            }
            _ => {}
        }
    }
}

/// A key must be described so that signatures can be verified with it.
fn describe(key: &Key, say: &mut impl FnMut(String)) {
    match PublicKey::read(&key.public_key) {
        None => say(format!("`{}` is no public key", key.public_key)),
        Some(public) if !public.hashes_to(&key.key) => {
            say(format!("{} is not the key of {}", key.public_key, key.key));
        }
        Some(_) => {}
    }
}

/// The nodes that a line names.
fn nodes_of(event: &Event) -> Vec<u64> {
    match event {
        Event::Boot { node, .. }
        | Event::Ended { node, .. }
        | Event::Leads { node, .. }
        | Event::Durable { node, .. }
        | Event::SnapshotDurable { node, .. }
        | Event::Undone { node, .. }
        | Event::Applied { node, .. }
        | Event::OtherDisk { node }
        | Event::Asked { node, .. }
        | Event::Signed { node, .. }
        | Event::Released { node, .. }
        | Event::Refused { node, .. }
        | Event::Proved { node, .. }
        | Event::State { node, .. } => vec![*node],
        Event::Vote {
            node, candidate, ..
        }
        | Event::VoteDurable {
            node, candidate, ..
        } => vec![*node, *candidate],
        Event::Fault { nodes, .. } | Event::Healed { nodes, .. } => nodes.clone(),
        Event::Run { .. }
        | Event::Answered { .. }
        | Event::Ordered { .. }
        | Event::Decided { .. }
        | Event::Obeyed { .. }
        | Event::FaultEnded { .. } => Vec::new(),
    }
}
