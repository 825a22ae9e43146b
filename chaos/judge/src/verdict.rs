//! What the judge says about a history.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::figures::Figures;

/// A promise that a history can break.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Invariant {
    /// One message for a (key, chain, kind, level, round), over everything that left a signer.
    I1,
    /// Marks never fall, on any node.
    I2,
    /// At the instant of release the entry is durable on a majority of disks.
    I3,
    /// After healing, everything released is in every state.
    I4,
    /// After healing, a fresh slot is signed within the bound.
    I5,
    /// Never two votes by one node in one term, never two leaders in one term.
    I6,
    /// One released signature for a message with a slot.
    I7,
    /// Nothing is released for a slot below one that was released before the request was sent.
    I8,
    /// Every released signature verifies with the enrolled public key.
    I9,
    /// What an operator was told about *disable* and *raise* holds.
    I10,
    /// Nothing below a floor, nothing burnt, and nothing with a key that is not enrolled is signed.
    I11,
    /// One entry, one content: wherever a place in the log is durable or applied, it is the same.
    I12,
    /// Only what was asked is signed, only what is understood, and only the leader of the entry's
    /// term lets it go.
    I13,
    /// A refusal is a decision: somebody else asked, or an operator said so. It is never an outage.
    I14,
    /// The history proves nothing: it contradicts itself, lacks what the others are judged by, or
    /// nothing was signed in it. Never a verdict about the signer, and never green.
    Evidence,
}

impl Invariant {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
        Self::I11,
        Self::I12,
        Self::I13,
        Self::I14,
        Self::Evidence,
    ];

    /// The promise in words, for tables.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::I1 => "one message per key, chain, kind, level and round",
            Self::I2 => "marks never fall, on any node",
            Self::I3 => "released only what is durable on a majority of disks",
            Self::I4 => "after healing every released slot is in every state",
            Self::I5 => "after healing a fresh slot is signed within the bound",
            Self::I6 => "one vote of a node and one leader per term",
            Self::I7 => "one released signature per message",
            Self::I8 => "nothing below what was released before the request was sent",
            Self::I9 => "every released signature verifies",
            Self::I10 => "disable and raise hold from the answer on",
            Self::I11 => "nothing below a floor, nothing burnt, no unknown key",
            Self::I12 => "one entry has one content everywhere",
            Self::I13 => "signed only as asked and understood, released only by its leader",
            Self::I14 => "a refusal has a reason, an outage is none",
            Self::Evidence => "the history is sound and something was signed",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evidence => out.write_str("evidence"),
            promise => write!(out, "{promise:?}"),
        }
    }
}

/// One broken promise, where it shows.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// When, on the clock of the history, in microseconds.
    pub at_us: u64,
    /// What is wrong, in words.
    pub words: String,
    /// The lines that show it, counted from 1, the last one being where it shows.
    pub lines: Vec<usize>,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} at {} us, lines {:?}: {}",
            self.invariant, self.at_us, self.lines, self.words
        )
    }
}

/// The verdict on a history.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Verdict {
    /// What is wrong, in the order in which it shows. Empty: the run is green.
    pub violations: Vec<Violation>,
    /// What the run was like.
    pub figures: Figures,
}

impl Verdict {
    /// Whether the history is sound and no promise was broken in it.
    #[must_use]
    pub const fn is_green(&self) -> bool {
        self.violations.is_empty()
    }

    /// Whether this promise was broken.
    #[must_use]
    pub fn breaks(&self, invariant: Invariant) -> bool {
        self.violations
            .iter()
            .any(|found| found.invariant == invariant)
    }

    /// The promises that were broken, each once, in the order of their numbers.
    #[must_use]
    pub fn broken(&self) -> Vec<Invariant> {
        Invariant::ALL
            .into_iter()
            .filter(|invariant| self.breaks(*invariant))
            .collect()
    }
}
