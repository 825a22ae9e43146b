//! Logging in, one at a time: what this process has tried at a token, and with what success.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::wire::Token;
use crate::{Pin, Trouble, TroubleKind};

/// How often a PIN is tried whose login failed in other words than "wrong PIN": some modules say so
/// of a wrong one, and the token counts.
const UNCLEAR_MAX: u32 = 3;

/// One login at a time from this process, so that two who share a token and a wrong PIN spend one
/// try of it, and not two.
pub(super) type Turn = Arc<tokio::sync::Mutex<Doubt>>;

/// By manufacturer and serial number.
static TURNS: Mutex<BTreeMap<(String, String), Turn>> = Mutex::new(BTreeMap::new());

/// The turn of a token.
pub(super) fn turn(token: &Token) -> Turn {
    let name = (token.manufacturer.clone(), token.serial.clone());
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(turns.entry(name).or_default())
}

/// Forgets every doubt: an operator says that the PINs are right.
pub fn forget_doubts() {
    let turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    for turn in turns.values() {
        // One that is logging in just now tells by itself how it went.
        if let Ok(mut doubt) = turn.try_lock() {
            *doubt = Doubt::default();
        }
    }
}

/// The PIN whose logins failed unclearly since the last one that did not, and how often.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    pin: Option<Pin>,
    times: u32,
}

impl Doubt {
    /// Notes that this PIN is about to be tried.
    ///
    /// # Errors
    /// If it was tried often enough.
    pub(super) fn may_try(&mut self, pin: &Pin, token: &Token) -> Result<(), Trouble> {
        if self.pin.as_ref() != Some(pin) {
            self.pin = Some(pin.clone());
            self.times = 0;
        }
        if self.times >= UNCLEAR_MAX {
            let Token { label, serial, .. } = token;
            let what = format!(
                "logging in to token {label:?} (serial {serial}) failed {UNCLEAR_MAX} times, and it did not \
                 say why: the PIN may be wrong, so it is not tried again. Look into the HSM's own log, then \
                 correct the PIN, or run `quorate key reload`"
            );
            return Err(Trouble::new(TroubleKind::PinBarred, what));
        }
        self.times = self.times.saturating_add(1);
        Ok(())
    }

    /// The token has said clearly what it thinks of the PIN.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
