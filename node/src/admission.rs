//! Bounded work (R43): how many requests this node works on at once, in all and for one key.
//!
//! A request runs in its own task and outlives a baker that hangs up, so without a bound the tasks
//! behind a hung HSM would grow for ever. The bound for one key keeps a key whose HSM hangs from
//! taking every place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tezos::PublicKeyHash;
use tokio::sync::watch;

use crate::config::Limits;

/// Hands out the places; cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission {
    requests_max: usize,
    requests_per_key_max: usize,
    counts: Arc<Mutex<Counts>>,
    in_work: watch::Sender<usize>,
}

/// A place taken. Dropping it gives it back.
#[derive(Debug)]
pub struct Ticket {
    admission: Admission,
    key: PublicKeyHash,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// This node works on its maximum of requests.
    Node(usize),
    /// This node works on its maximum of requests for that key.
    Key(usize),
}

#[derive(Debug, Default)]
struct Counts {
    in_all: usize,
    per_key: BTreeMap<PublicKeyHash, usize>,
}

impl Admission {
    /// No request is in work yet; the bounds are [`Limits::in_flight_max`] and
    /// [`Limits::in_flight_per_key_max`].
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            requests_max: limits.in_flight_max,
            requests_per_key_max: limits.in_flight_per_key_max,
            counts: Arc::default(),
            in_work: watch::Sender::new(0),
        }
    }

    /// Takes a place for a request about `key`.
    ///
    /// # Errors
    /// [`Full`] names the bound that is reached, and its value.
    pub fn admit(&self, key: PublicKeyHash) -> Result<Ticket, Full> {
        let mut counts = self.counts();
        if counts.in_all >= self.requests_max {
            return Err(Full::Node(self.requests_max));
        }
        let of_key = counts.per_key.get(&key).copied().unwrap_or(0);
        if of_key >= self.requests_per_key_max {
            return Err(Full::Key(self.requests_per_key_max));
        }
        counts.in_all = counts.in_all.saturating_add(1);
        counts.per_key.insert(key, of_key.saturating_add(1));
        self.in_work.send_replace(counts.in_all);
        Ok(Ticket {
            admission: self.clone(),
            key,
        })
    }

    /// How many requests are in work, and when that changes. A drain waits for zero.
    #[must_use]
    pub fn in_work(&self) -> watch::Receiver<usize> {
        self.in_work.subscribe()
    }

    fn leave(&self, key: &PublicKeyHash) {
        let mut counts = self.counts();
        counts.in_all = counts.in_all.saturating_sub(1);
        if let Some(of_key) = counts.per_key.get_mut(key) {
            *of_key = of_key.saturating_sub(1);
            if *of_key == 0 {
                counts.per_key.remove(key);
            }
        }
        self.in_work.send_replace(counts.in_all);
    }

    /// A task that panicked while it counted left whole numbers behind, so a poisoned lock is used
    /// on: one request's panic must not stop the others (R45).
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.admission.leave(&self.key);
    }
}
