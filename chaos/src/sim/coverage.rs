//! What the schedules really met. A fault that never happened proves nothing, so a run of many seeds
//! fails if one of these never did.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// How often each thing happened, by its name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counts(pub BTreeMap<String, u64>);

/// The counts of a run that goes on.
#[derive(Debug, Default)]
pub struct Coverage(Mutex<Counts>);

impl Coverage {
    /// It happened once more.
    pub fn count(&self, name: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.0.get_mut(name) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                counts.0.insert(name.to_owned(), 1);
            }
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Counts {
    /// Adds what another run met.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// How often it happened.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// What must happen in a run of a few hundred seeds, and did not.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let never = |name: &&&str| self.of(name) == 0;
        REQUIRED.iter().filter(never).copied().collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.0 {
            writeln!(out, "{count:>9}  {name}")?;
        }
        Ok(())
    }
}

/// Everything that two hundred seeds of ten seconds must meet at least once.
pub const REQUIRED: &[&str] = &[
    // Faults of processes and machines.
    "fault: kill",
    "fault: power cut",
    "fault: power cut of two",
    "fault: power cut of all",
    "fault: kill of all",
    "fault: pause",
    "fault: drain and restart",
    // Faults at a gate.
    "gate: fsync begins",
    "gate: fsync ended",
    "gate: message leaves",
    "gate: message comes",
    "gate: answer leaves",
    "gate: vote leaves",
    "gate: signer is asked",
    "gate: signer has signed",
    "gate: signature is released",
    "gate: reply to the baker leaves",
    // Faults of the network.
    "fault: one-way cut",
    "fault: isolated node",
    "fault: lossy network",
    "fault: slow network",
    "network: lost",
    "network: delivered twice",
    // Faults of disks.
    "fault: slow disk",
    "fault: failing fsync",
    "fault: disk wiped",
    "fault: disk restored",
    "fault: clone beside",
    "fault: clone after",
    "disk: unsynced tail lost",
    "disk: part of the tail survived",
    // Faults of signers and clocks.
    "fault: signer fails",
    "fault: signer hangs",
    "fault: wrong signature",
    "fault: signer slow",
    "fault: clock jump",
    // What the cluster did.
    "event: leader changed",
    "event: leadership handed over",
    "event: snapshot installed",
    "event: log purged",
    "event: tail truncated",
    "event: restart over unsynced bytes",
    "event: restart after a lost tail",
    "event: suspect peer stopped",
    // What bakers met.
    "answer: signed",
    "answer: replayed",
    "answer: conflict refused",
    "answer: below refused",
    "answer: disabled refused",
    "answer: burnt refused",
    "answer: floor refused",
    "answer: jump refused",
    "answer: no leader",
    "answer: cannot sign",
    "answer: record lost the race",
    "answer: record came too late",
    "baker: hung up",
    "baker: asked another node",
    // What operators did.
    "operator: enrolled",
    "operator: enrolled with marks",
    "operator: moved to after_record",
    "operator: disabled",
    "operator: enabled",
    "operator: raised",
    "operator: drained",
    "operator: late duplicate",
    "operator: outcome unknown",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_named() {
        let coverage = Coverage::default();
        for name in &REQUIRED[1..] {
            coverage.count(name);
        }
        assert_eq!(coverage.counts().missing(), [REQUIRED[0]]);
        let mut sum = coverage.counts();
        sum.add(&coverage.counts());
        assert_eq!(sum.of(REQUIRED[1]), 2);
    }
}
