use std::fmt;
use std::time::{Duration, Instant};

/// Counts what passed, and says it in the words of cargo's own test runner, which `.ci/run` adds up.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    started: Instant,
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Nothing counted yet; the time runs from here.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            passed: 0,
            failed: 0,
        }
    }

    /// Counts one more.
    pub const fn count(&mut self, passed: bool) {
        let counter = if passed {
            &mut self.passed
        } else {
            &mut self.failed
        };
        *counter = counter.saturating_add(1);
    }

    /// How many passed.
    pub const fn passed(&self) -> u64 {
        self.passed
    }

    /// How many failed.
    pub const fn failed(&self) -> u64 {
        self.failed
    }

    /// Whether something was counted and nothing failed. A run that did nothing is not well.
    pub const fn is_well(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// How long it has been running.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// `test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s`
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "test result: {}. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s",
            if self.is_well() { "ok" } else { "FAILED" },
            self.passed,
            self.failed,
            self.elapsed().as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_well_only_if_something_passed_and_nothing_failed() {
        let mut tally = Tally::start();
        assert!(!tally.is_well());
        tally.count(true);
        assert!(tally.to_string().starts_with(
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in "
        ));
        tally.count(false);
        assert!(
            tally
                .to_string()
                .starts_with("test result: FAILED. 1 passed; 1 failed;")
        );
    }
}
