//! Reads the history of a run of a signer and says which promises it broke.
//!
//! ```
//! use judge::{Invariant, judge};
//! let verdict = judge(&[]);
//! assert!(!verdict.is_green(), "a run in which nothing happened proves nothing");
//! assert_eq!(verdict.broken(), [Invariant::Evidence]);
//! ```
//!
//! **Invariant:** this crate shares no code with what it judges: it reads bytes, levels and
//! signatures by itself.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a promise looks at some of the events; a new one concerns it only where it says so"
)]

mod base58;
mod case;
mod figures;
mod file;
mod findings;
pub mod history;
mod invariant;
mod message;
mod signature;
mod strict;
#[cfg(test)]
mod vectors;
mod verdict;

pub use figures::{Felt, Figures, Gap};
pub use file::{ReadError, read, read_file};
pub use verdict::{Invariant, Verdict, Violation};

use case::Case;
use findings::Findings;
use history::Line;

/// Judges a history, whole and in the order of its lines. Takes time near linear in their number.
///
/// The lines of several processes are merged by their time before, those of one process in the order
/// in which it wrote them. A run in which voters are added or removed is not judged: a majority is
/// one of the nodes that the first line names.
#[must_use]
pub fn judge(lines: &[Line]) -> Verdict {
    let case = Case::read(lines);
    let mut found = Findings::default();
    let mut checks = invariant::all();
    for fact in &case.facts {
        for check in &mut checks {
            check.see(fact, &case, &mut found);
        }
    }
    for check in &mut checks {
        check.end(&case, &mut found);
    }
    Verdict {
        violations: found.in_order(),
        figures: Figures::of(lines),
    }
}
