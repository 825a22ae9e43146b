//! The module, its sessions, and the handles of its keys.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::RawAuthPin;

use super::key::{self, Handle};
use super::{token, too_early};
use crate::wire::{Found, Token};
use crate::{KeyName, TokenName, Trouble, TroubleKind};

/// What this process holds of the module. Threads take a session out, use it, and put it back.
#[derive(Debug, Default)]
pub(super) struct Holder {
    module: Mutex<Option<Module>>,
    sessions: Mutex<Vec<Session>>,
    keys: Mutex<Vec<Handle>>,
}

#[derive(Clone, Debug)]
struct Module {
    context: Pkcs11,
    slot: Slot,
}

impl Holder {
    /// Loads the module, or closes all its sessions, and finds the token.
    pub(super) fn open(&self, path: &Path, name: &TokenName) -> Result<Token, Trouble> {
        lock(&self.keys).clear();
        lock(&self.sessions).clear();
        let loaded = lock(&self.module).take();
        let context = match loaded {
            Some(module) => module.context,
            None => load(path)?,
        };
        let (slot, token) = token::find(&context, name)?;
        *lock(&self.module) = Some(Module { context, slot });
        Ok(token)
    }

    /// Logs in. One session must stay open from here on: with the last one the login ends.
    pub(super) fn login(&self, pin: &[u8]) -> Result<(), Trouble> {
        let session = self.new_session()?;
        let pin = RawAuthPin::new(Box::new(pin.to_vec()));
        match session.login_with_raw(UserType::User, &pin) {
            // A login holds for the whole process (PKCS#11 v2.40, section 5.6).
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => return Err(error.into()),
        }
        self.give_back(session);
        Ok(())
    }

    /// Finds keys, has each prove itself, and opens the sessions.
    pub(super) fn keys(&self, wanted: &[KeyName], sessions: usize) -> Result<Vec<Found>, Trouble> {
        let session = self.take()?;
        let (handles, found) = key::find(&session, wanted)?;
        self.give_back(session);
        *lock(&self.keys) = handles;
        while lock(&self.sessions).len() < sessions {
            let session = self.new_session()?;
            self.give_back(session);
        }
        Ok(found)
    }

    /// Signs a digest.
    pub(super) fn sign(&self, number: usize, digest: &[u8]) -> Result<Vec<u8>, Trouble> {
        let handle = lock(&self.keys).get(number).copied();
        let handle = handle.ok_or_else(|| too_early("find the keys"))?;
        let session = self.take()?;
        let signed = key::sign(&session, handle, digest);
        match &signed {
            Ok(_) => self.give_back(session),
            // What failed once is not used again: it is closed here.
            Err(_) => drop(session),
        }
        signed
    }

    /// Whether the login and the keys are still there. It costs the token no signature.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        let session = self.take()?;
        let state = session.get_session_info()?.session_state();
        if !matches!(state, SessionState::RoUser | SessionState::RwUser) {
            let what = format!("the session is in state {state:?}, not logged in");
            return Err(Trouble::new(TroubleKind::Session, what));
        }
        let handles = lock(&self.keys).clone();
        for handle in handles {
            key::is_there(&session, handle)?;
        }
        self.give_back(session);
        Ok(())
    }

    fn take(&self) -> Result<Session, Trouble> {
        let idle = lock(&self.sessions).pop();
        idle.map_or_else(|| self.new_session(), Ok)
    }

    fn give_back(&self, session: Session) {
        lock(&self.sessions).push(session);
    }

    /// A session that may make, change and destroy objects; logged in, since a login holds for the
    /// whole process.
    pub(super) fn writing(&self) -> Result<Session, Trouble> {
        let module = lock(&self.module).clone();
        let Module { context, slot } = module.ok_or_else(|| too_early("open the module"))?;
        Ok(context.open_rw_session(slot)?)
    }

    fn new_session(&self) -> Result<Session, Trouble> {
        let module = lock(&self.module).clone();
        let Module { context, slot } = module.ok_or_else(|| too_early("open the module"))?;
        Ok(context.open_ro_session(slot)?)
    }
}

pub(super) fn load(path: &Path) -> Result<Pkcs11, Trouble> {
    let context = Pkcs11::new(path)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(context),
        Err(error) => Err(error.into()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
