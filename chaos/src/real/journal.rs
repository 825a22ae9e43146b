//! What the harness itself saw: what bakers asked and were told, and what it broke.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use judge::history::{Event, Line};

use super::clock::now_us;

/// Lines of a history, written by many tasks at once.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    lines: Mutex<Vec<Line>>,
    numbers: AtomicU64,
}

impl Journal {
    /// Writes down what happens now.
    pub(crate) fn record(&self, event: Event) {
        self.record_at(now_us(), event);
    }

    /// Writes down what happened at a moment that is known only now: a fault whose proof was read
    /// after it struck.
    pub(crate) fn record_at(&self, at_us: u64, event: Event) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(Line { at_us, event });
    }

    /// A number that no other request, order or fault of this run has.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Everything so far, in the order in which it was written down.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.clone()
    }
}
