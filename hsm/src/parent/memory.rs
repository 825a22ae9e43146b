//! What this process itself knows of PINs, beside what the guard keeps on disk.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::turn::forget_doubts;
use super::{PinGuard, SharedGuard};
use crate::{Pin, Token};

/// The guard of a module, with a memory: a PIN that was refused is not tried again by this process
/// even if the disk did not take that down.
#[derive(Debug)]
pub(super) struct Memory {
    guard: SharedGuard,
    refused: Mutex<Vec<(String, Pin)>>,
    last: Mutex<Option<Pin>>,
}

impl Memory {
    pub(super) fn of(guard: SharedGuard) -> Self {
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
