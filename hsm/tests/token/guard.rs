//! The guard of a PIN, as a test sees through it.

use std::sync::Mutex;

use hsm::parent::{Hold, PinGuard};
use hsm::{Pin, Token};

/// A PIN that can be changed, and what was rejected. A second module that is given the same guard
/// is what a node is after a restart.
#[derive(Debug)]
pub(crate) struct Guard {
    pin: Mutex<Option<Vec<u8>>>,
    rejected: Mutex<Vec<(String, Vec<u8>)>>,
    forgets: Mutex<bool>,
    elsewhere: Mutex<Option<String>>,
    held_up: Mutex<usize>,
}

impl Guard {
    pub(crate) fn new(pin: &[u8]) -> Self {
        Self {
            pin: Mutex::new(Some(pin.to_vec())),
            rejected: Mutex::default(),
            forgets: Mutex::default(),
            elsewhere: Mutex::default(),
            held_up: Mutex::default(),
        }
    }

    pub(crate) fn pin(&self) -> Vec<u8> {
        self.pin.lock().unwrap().clone().unwrap_or_default()
    }

    /// Puts another PIN into the source, or takes the source away.
    pub(crate) fn change(&self, pin: Option<&[u8]>) {
        *self.pin.lock().unwrap() = pin.map(<[u8]>::to_vec);
    }

    /// Nothing can be written down from now on.
    pub(crate) fn forget(&self) {
        *self.forgets.lock().unwrap() = true;
    }

    /// How often a login was held up by another process.
    pub(crate) fn held_up(&self) -> usize {
        *self.held_up.lock().unwrap()
    }

    /// Another process tries a PIN from now on, or none.
    pub(crate) fn elsewhere(&self, who: Option<&str>) {
        *self.elsewhere.lock().unwrap() = who.map(str::to_owned);
    }

    pub(crate) fn rejected(&self) -> usize {
        self.rejected.lock().unwrap().len()
    }
}

impl PinGuard for Guard {
    fn read(&self) -> Result<Pin, String> {
        let pin = self.pin.lock().unwrap().clone();
        pin.map(|pin| Pin::new(&pin))
            .ok_or_else(|| "the source of the PIN is away".to_owned())
    }

    fn was_rejected(&self, token: &Token, pin: &Pin) -> Result<bool, String> {
        let known = (token.serial.clone(), pin.as_bytes().to_vec());
        Ok(self.rejected.lock().unwrap().contains(&known))
    }

    fn hold(&self, _token: &Token) -> Result<Hold, String> {
        Ok(match self.elsewhere.lock().unwrap().clone() {
            Some(who) => {
                *self.held_up.lock().unwrap() += 1;
                Hold::Elsewhere(who)
            }
            None => Hold::Here(Box::new(())),
        })
    }

    fn reject(&self, token: &Token, pin: &Pin) -> Result<(), String> {
        if *self.forgets.lock().unwrap() {
            return Err("the disk is full".to_owned());
        }
        let known = (token.serial.clone(), pin.as_bytes().to_vec());
        self.rejected.lock().unwrap().push(known);
        Ok(())
    }

    fn forgive(&self) -> Result<(), String> {
        self.rejected.lock().unwrap().clear();
        Ok(())
    }
}
