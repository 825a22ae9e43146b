//! What this process itself knows of PINs, beside what the guard keeps on disk.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::turn::forget_doubts;
use super::{Hold, PinGuard, SharedGuard};
use crate::{Pin, Token};

/// A guard with a memory: a PIN that was refused is not tried again by this process even if the disk
/// did not take that down. Whoever opens a token more than once needs one.
#[derive(Debug)]
pub struct Memory {
    guard: SharedGuard,
    refused: Mutex<Vec<(String, Pin)>>,
    last: Mutex<Option<Pin>>,
}

impl Memory {
    /// A guard, with nothing remembered yet.
    #[must_use]
    pub fn of(guard: SharedGuard) -> Self {
        Self {
            guard,
            refused: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// Whether the source holds another PIN than when it was read last for a login, or one that was
    /// not judged then.
    pub(super) fn has_news(&self) -> bool {
        let now = self.guard.read().ok();
        now.is_some() && now != *lock(&self.last)
    }
}

impl PinGuard for Memory {
    fn read(&self) -> Result<Pin, String> {
        let read = self.guard.read();
        *lock(&self.last) = read.clone().ok();
        read
    }

    fn was_rejected(&self, token: &Token, pin: &Pin) -> Result<bool, String> {
        let mut refused = lock(&self.refused).clone().into_iter();
        if refused.any(|(serial, known)| serial == token.serial && known == *pin) {
            return Ok(true);
        }
        let rejected = self.guard.was_rejected(token, pin);
        if rejected.is_err() {
            *lock(&self.last) = None;
        }
        rejected
    }

    fn hold(&self, token: &Token) -> Result<Hold, String> {
        let hold = self.guard.hold(token);
        if hold.is_err() {
            *lock(&self.last) = None;
        }
        hold
    }

    fn reject(&self, token: &Token, pin: &Pin) -> Result<(), String> {
        lock(&self.refused).push((token.serial.clone(), pin.clone()));
        self.guard.reject(token, pin)
    }

    fn forgive(&self) -> Result<(), String> {
        self.guard.forgive()?;
        forget_doubts();
        lock(&self.refused).clear();
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
