//! A view of the applied state that anybody on this node may look at.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::Applied;
use crate::state::State;
use crate::types::LogId;

/// A view of the applied state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StateReader(Arc<RwLock<Applied>>);

/// The applied state, held still while this lives. Look and let go: apply waits for it, and so does
/// everybody who signs. It is not `Send`, so it cannot be held across an `await` of a spawned task.
#[derive(Debug)]
pub struct StateRef<'a>(RwLockReadGuard<'a, Applied>);

impl StateReader {
    pub(super) const fn new(shared: Arc<RwLock<Applied>>) -> Self {
        Self(shared)
    }

    /// The applied state. After a panic inside apply it stays readable, and nothing is applied to
    /// it any more, so nothing is granted.
    #[must_use]
    pub fn state(&self) -> StateRef<'_> {
        StateRef(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StateRef<'_> {
    /// The last entry that this state holds.
    #[must_use]
    pub fn applied(&self) -> Option<LogId> {
        self.0.last
    }
}

impl Deref for StateRef<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0.state
    }
}
