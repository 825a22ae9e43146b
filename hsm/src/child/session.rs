//! The module, its sessions, and the handles of its keys.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::RawAuthPin;

use super::key::{self, Handle};
use super::{token, too_early};
use crate::wire::{Found, Token, at_once};
use crate::{KeyName, TokenName, Trouble, TroubleKind};

/// What this process holds of the module. Threads take a session out, use it, and put it back.
#[derive(Debug, Default)]
pub(super) struct Holder {
    module: Mutex<Option<Module>>,
    idle: Mutex<Idle>,
    keys: Mutex<Keys>,
}

/// The sessions that nobody uses now, the longest idle first: a token closes one that is idle for
/// too long, so each has its turn.
#[derive(Debug, Default)]
struct Idle {
    sessions: VecDeque<Session>,
    kept: usize,
}

/// The keys that were found last. Their numbers go on from those before: a question that was asked
/// before they were found again must not meet another key.
#[derive(Debug, Default)]
struct Keys {
    first: usize,
    handles: Vec<Handle>,
}

#[derive(Clone, Debug)]
struct Module {
    context: Pkcs11,
    slot: Slot,
}

impl Holder {
    /// Loads the module, or closes all its sessions, and finds the token.
    pub(super) fn open(&self, path: &Path, name: &TokenName) -> Result<Token, Trouble> {
        self.forget_keys();
        let idle = std::mem::take(&mut *lock(&self.idle));
        // Closed while nobody waits for the lock: a module that has lost its token may hang here.
        drop(idle);
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
        lock(&self.idle).kept = at_once(sessions);
        let session = self.take()?;
        let first = self.forget_keys();
        let (handles, found) = key::find(&session, wanted, first)?;
        self.give_back(session);
        *lock(&self.keys) = Keys { first, handles };
        while self.lacks_sessions() {
            let session = self.new_session()?;
            self.give_back(session);
        }
        Ok(found)
    }

    /// Signs a digest.
    pub(super) fn sign(&self, number: usize, digest: &[u8]) -> Result<Vec<u8>, Trouble> {
        let handle = lock(&self.keys).of(number);
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
        let handles = lock(&self.keys).handles.clone();
        for handle in handles {
            key::is_there(&session, handle)?;
        }
        self.give_back(session);
        Ok(())
    }

    /// Forgets the keys; the number that the next one found bears.
    fn forget_keys(&self) -> usize {
        let mut keys = lock(&self.keys);
        keys.first = keys.first.saturating_add(keys.handles.len());
        keys.handles.clear();
        keys.first
    }

    fn lacks_sessions(&self) -> bool {
        let idle = lock(&self.idle);
        idle.sessions.len() < idle.kept
    }

    fn take(&self) -> Result<Session, Trouble> {
        let idle = lock(&self.idle).sessions.pop_front();
        idle.map_or_else(|| self.new_session(), Ok)
    }

    fn give_back(&self, session: Session) {
        let mut idle = lock(&self.idle);
        // One more than are kept was taken out before the token was opened again. The first one is
        // always kept: it holds the login.
        if idle.sessions.len() < idle.kept.max(1) {
            idle.sessions.push_back(session);
        } else {
            drop(idle);
            drop(session);
        }
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

impl Keys {
    fn of(&self, number: usize) -> Option<Handle> {
        let at = number.checked_sub(self.first)?;
        self.handles.get(at).copied()
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
