//! The history of one run, as the judge reads it, and the hash by which two runs are compared.

use std::sync::{Mutex, MutexGuard, PoisonError};

use judge::history::{Event, Line};
use tezos::Digest;
use tokio::time::Instant;

/// What happened so far. Time is the runtime's own and starts with the run.
#[derive(Debug)]
pub struct History {
    began: Instant,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    lines: Vec<Line>,
    requests: u64,
    orders: u64,
    faults: u64,
}

impl History {
    /// Of a run that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            book: Mutex::default(),
        }
    }

    /// Writes down what happens now.
    pub fn write(&self, event: Event) {
        let at_us = self.at_us();
        self.book().lines.push(Line { at_us, event });
    }

    /// Microseconds of virtual time since the run began.
    #[must_use]
    pub fn at_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The number of the next request.
    pub fn next_request(&self) -> u64 {
        next(&mut self.book().requests)
    }

    /// The number of the next order.
    pub fn next_order(&self) -> u64 {
        next(&mut self.book().orders)
    }

    /// A fault begins; gives the number under which it ends.
    pub fn fault(&self, name: &str, nodes: Vec<u64>, proof: String) -> u64 {
        let fault = next(&mut self.book().faults);
        let name = name.to_owned();
        self.write(Event::Fault {
            fault,
            name,
            nodes,
            proof,
        });
        fault
    }

    /// A fault ends.
    pub fn fault_ended(&self, fault: u64) {
        self.write(Event::FaultEnded { fault });
    }

    /// Everything that was written; the book is empty from here on.
    #[must_use]
    pub fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.book().lines)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

fn next(counter: &mut u64) -> u64 {
    *counter = counter.saturating_add(1);
    *counter
}

/// The lines as JSON, one a line, as the judge's files have them.
///
/// # Errors
/// If a line cannot be written as JSON, which no line of ours is.
pub fn written(lines: &[Line]) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// The hash of a whole history: two runs of one seed have the same, in whatever process.
#[must_use]
pub fn trace(written: &[u8]) -> String {
    hex::encode(Digest::of(written).as_bytes())
}
