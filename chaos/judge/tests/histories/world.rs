//! Writes histories. Every step is a line of its own, so that a test can leave one out, move it, or
//! add one that should not be there.

use std::collections::BTreeMap;

use judge::history::{Action, Entry, Event, Key, Kind, Line, Mark, Release, Told};
use judge::{Invariant, Verdict, judge};

use crate::baker::{Baker, Message};

/// The nodes of every history.
pub(crate) const NODES: [u64; 3] = [1, 2, 3];

/// The level that is signed at the end of every run.
pub(crate) const FRESH: i32 = 1_000_000;

/// A history that is being written. Node 1 leads term 1.
pub(crate) struct World {
    pub(crate) lines: Vec<Line>,
    pub(crate) baker: Baker,
    at_us: u64,
    requests: u64,
    orders: u64,
    index: u64,
    pub(crate) term: u64,
    pub(crate) leader: u64,
    marks: BTreeMap<u64, BTreeMap<(String, Kind), Mark>>,
}

impl World {
    /// A run with one tz1 key, which releases after commit.
    pub(crate) fn new() -> Self {
        Self::of(Baker::tz1(1))
    }

    /// A run with the key of `baker`.
    pub(crate) fn of(baker: Baker) -> Self {
        let key = baker.enrolled(0, Vec::new());
        Self::with(baker, vec![key])
    }

    /// A run with these keys enrolled.
    pub(crate) fn with(baker: Baker, keys: Vec<Key>) -> Self {
        let mut world = Self {
            lines: Vec::new(),
            baker,
            at_us: 1_000,
            requests: 0,
            orders: 0,
            index: 10,
            term: 0,
            leader: 1,
            marks: BTreeMap::new(),
        };
        world.say(Event::Run {
            scenario: "by hand".to_owned(),
            seed: Some(7),
            nodes: NODES.to_vec(),
            keys,
        });
        for node in NODES {
            world.say(Event::Boot { node, counter: 1 });
        }
        world.elect(1);
        world
    }

    /// Appends a line, 10 microseconds after the one before. Returns its number.
    pub(crate) fn say(&mut self, event: Event) -> usize {
        self.at_us += 10;
        let at_us = self.at_us;
        self.lines.push(Line { at_us, event });
        self.lines.len()
    }

    pub(crate) fn wait_us(&mut self, time_us: u64) {
        self.at_us += time_us;
    }

    /// Two nodes make `leader` the leader of the next term.
    pub(crate) fn elect(&mut self, leader: u64) {
        self.term += 1;
        self.leader = leader;
        let other = leader % 3 + 1;
        for node in [leader, other] {
            self.vote(node, self.term, leader);
        }
        self.leads(leader, self.term);
    }

    pub(crate) fn vote(&mut self, node: u64, term: u64, candidate: u64) -> usize {
        self.say(Event::Vote {
            node,
            term,
            candidate,
        })
    }

    pub(crate) fn leads(&mut self, node: u64, term: u64) -> usize {
        self.say(Event::Leads { node, term })
    }

    /// A baker asks node 1.
    pub(crate) fn ask(&mut self, message: &Message) -> u64 {
        let (key, bytes) = (self.baker.address.clone(), message.digits());
        self.ask_for(key, bytes)
    }

    pub(crate) fn ask_for(&mut self, key: String, bytes: String) -> u64 {
        self.requests += 1;
        let request = self.requests;
        self.say(Event::Asked {
            request,
            client: 1,
            node: 1,
            key,
            bytes,
        });
        request
    }

    pub(crate) fn next_entry(&mut self) -> Entry {
        self.index += 1;
        Entry {
            term: self.term,
            index: self.index,
        }
    }

    pub(crate) fn durable(&mut self, node: u64, entry: Entry, mark: Option<Mark>) -> usize {
        self.say(Event::Durable { node, entry, mark })
    }

    pub(crate) fn applied(&mut self, node: u64, entry: Entry, mark: Mark) -> usize {
        let marks = self.marks.entry(node).or_default();
        marks.insert((mark.key.clone(), mark.kind), mark.clone());
        self.say(Event::Applied { node, entry, mark })
    }

    pub(crate) fn made(&mut self, node: u64, message: &Message, signature: &str) -> usize {
        self.say(Event::Signed {
            node,
            key: self.baker.address.clone(),
            bytes: message.digits(),
            signature: signature.to_owned(),
        })
    }

    pub(crate) fn released(
        &mut self,
        node: u64,
        entry: Option<Entry>,
        message: &Message,
        signature: &str,
    ) -> usize {
        self.say(Event::Released {
            node,
            entry,
            key: self.baker.address.clone(),
            bytes: message.digits(),
            signature: signature.to_owned(),
        })
    }

    pub(crate) fn answered(&mut self, request: u64, status: u16, signature: Option<&str>) -> usize {
        self.say(Event::Answered {
            request,
            status,
            signature: signature.map(str::to_owned),
            text: String::new(),
        })
    }

    /// The entry that advances the mark to `message`, durable and applied everywhere.
    pub(crate) fn grant(&mut self, message: &Message) -> Entry {
        self.grant_on(message, &NODES)
    }

    /// The same on some nodes.
    pub(crate) fn grant_on(&mut self, message: &Message, nodes: &[u64]) -> Entry {
        let entry = self.next_entry();
        let mark = message.mark(&self.baker);
        for node in nodes {
            self.durable(*node, entry, Some(mark.clone()));
        }
        for node in nodes {
            self.applied(*node, entry, mark.clone());
        }
        entry
    }

    /// The entry that asks for a slot that was taken before, durable on some nodes: it moves no mark.
    pub(crate) fn take_again(&mut self, message: &Message, nodes: &[u64]) {
        let entry = self.next_entry();
        for node in nodes {
            self.durable(*node, entry, Some(message.mark(&self.baker)));
        }
    }

    /// The entry that records a signature, durable everywhere: it moves no mark.
    pub(crate) fn record(&mut self) -> Entry {
        let entry = self.next_entry();
        for node in NODES {
            self.durable(node, entry, None);
        }
        entry
    }

    /// Everything from the request to the answer. Returns the request.
    pub(crate) fn sign(&mut self, message: &Message) -> u64 {
        let request = self.ask(message);
        self.serve(request, message);
        request
    }

    /// Everything from the request on.
    pub(crate) fn serve(&mut self, request: u64, message: &Message) {
        let signature = self.baker.sign(message);
        let leader = self.leader;
        let mut entry = self.grant(message);
        self.made(leader, message, &signature);
        if self.baker.release == Release::AfterRecord {
            entry = self.record();
        }
        self.released(leader, Some(entry), message, &signature);
        self.answered(request, 200, Some(&signature));
    }

    /// A message that was signed is asked again and answered with what was recorded.
    pub(crate) fn replay(&mut self, message: &Message) -> u64 {
        let request = self.ask(message);
        self.take_again(message, &NODES);
        let signature = self.baker.sign(message);
        self.released(self.leader, None, message, &signature);
        self.answered(request, 200, Some(&signature));
        request
    }

    pub(crate) fn order(&mut self, action: Action) -> u64 {
        self.orders += 1;
        let order = self.orders;
        self.say(Event::Ordered { order, action });
        order
    }

    pub(crate) fn obeyed(&mut self, order: u64, told: Told) -> usize {
        self.say(Event::Obeyed { order, told })
    }

    /// A second to sign a fresh slot in.
    pub(crate) fn healed(&mut self) -> usize {
        self.say(Event::Healed {
            bound_us: 1_000_000,
            nodes: NODES.to_vec(),
        })
    }

    /// Every node says what it applied.
    pub(crate) fn states(&mut self) {
        for node in NODES {
            self.state(node, |_| true);
        }
    }

    pub(crate) fn state(&mut self, node: u64, keep: impl Fn(&Mark) -> bool) -> usize {
        let marks = self.marks.get(&node).cloned().unwrap_or_default();
        let marks = marks.into_values().filter(keep).collect();
        self.say(Event::State { node, marks })
    }

    /// The end of a good run: nothing is broken, a fresh slot is signed, every node tells its state.
    pub(crate) fn heal(&mut self) {
        self.healed();
        self.sign(&Message::attestation(FRESH, 0));
        self.states();
    }

    pub(crate) fn verdict(&self) -> Verdict {
        judge(&self.lines)
    }

    /// Ends the run well and judges it.
    pub(crate) fn end(mut self) -> Verdict {
        self.heal();
        self.verdict()
    }
}

/// Nothing is wrong.
#[track_caller]
pub(crate) fn accepted(verdict: &Verdict) {
    assert!(verdict.is_green(), "{:#?}", verdict.violations);
}

/// One thing is wrong, and the words say so.
#[track_caller]
pub(crate) fn rejected(verdict: &Verdict, invariant: Invariant, words: &str) {
    let found = &verdict.violations;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].invariant, invariant, "{found:#?}");
    assert!(found[0].words.contains(words), "{found:#?}");
}

/// The same, and which lines show it.
#[track_caller]
pub(crate) fn rejected_at(verdict: &Verdict, invariant: Invariant, words: &str, lines: &[usize]) {
    rejected(verdict, invariant, words);
    assert_eq!(
        verdict.violations[0].lines, lines,
        "{:#?}",
        verdict.violations
    );
}
