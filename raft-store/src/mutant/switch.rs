//! Which mistake this thread runs with.

use std::cell::Cell;
use std::marker::PhantomData;

use super::Mutant;

thread_local! {
    static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Whether this thread runs with this mistake.
#[must_use]
pub fn active(mutant: Mutant) -> bool {
    ACTIVE.get() == Some(mutant)
}

/// From here on this thread, and no other, runs with `mutant`.
pub fn switch_on(mutant: Mutant) -> Switched {
    ACTIVE.set(Some(mutant));
    Switched {
        _this_thread: PhantomData,
    }
}

/// The mistake is gone when this is dropped.
#[derive(Debug)]
#[must_use = "the mutant is active as long as this lives"]
pub struct Switched {
    // A raw pointer crosses no thread.
    _this_thread: PhantomData<*const ()>,
}

impl Drop for Switched {
    fn drop(&mut self) {
        ACTIVE.set(None);
    }
}
