//! From a process to keys that sign: find the token, log in, find the keys. The same steps at the
//! start, after a lost session, and in a fresh process.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::memory::Memory;
use super::process::Process;
use super::turn::turn;
use super::{Hold, Place, SharedGuard};
use crate::wire::{Ask, Found, PinState, Said, Token};
use crate::{KeyName, Pin, Trouble, TroubleKind};

/// How often a token is looked at that another process is logging in to.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Takes all steps in `process`, and if that does not help in a fresh one.
///
/// # Errors
/// Why neither helps.
pub(super) async fn here_or_afresh(
    process: Option<Arc<Process>>,
    place: Arc<Place>,
    memory: Arc<Memory>,
) -> Result<(Arc<Process>, Token, Vec<Found>), Trouble> {
    let guard: SharedGuard = memory;
    if let Some(held) = process {
        match connect(&held, &place, &guard).await {
            Ok((token, found)) => return Ok((held, token, found)),
            Err(trouble) if trouble.is_about_the_pin() => {
                held.kill();
                return Err(trouble);
            }
            Err(_not_here) => held.kill(),
        }
    }
    let fresh = Arc::new(Process::start(&place.launch).await?);
    match connect(&fresh, &place, &guard).await {
        Ok((token, found)) => Ok((fresh, token, found)),
        Err(trouble) => {
            fresh.kill();
            Err(trouble)
        }
    }
}

/// Takes all steps.
///
/// # Errors
/// The first step that fails. A PIN that was refused is remembered before this returns.
async fn connect(
    process: &Process,
    place: &Place,
    guard: &SharedGuard,
) -> Result<(Token, Vec<Found>), Trouble> {
    let token = find(process, place).await?;
    let token = log_in(process, token, place, guard).await?;
    let wanted: Vec<KeyName> = place.keys.iter().map(|key| key.name.clone()).collect();
    let sessions = place.sessions;
    let ask = Ask::Keys { wanted, sessions };
    match process.ask(ask, &[], place.within.connect).await? {
        (Said::Keys(found), _) => Ok((token, found)),
        (other, _) => Err(unfitting(&other)),
    }
}

/// Finds the token.
///
/// # Errors
/// If the module does not load, or has no such token now.
pub(super) async fn find(process: &Process, place: &Place) -> Result<Token, Trouble> {
    let ask = Ask::Open {
        module: place.module.clone(),
        token: place.token.clone(),
    };
    match process.ask(ask, &[], place.within.connect).await? {
        (Said::Opened(token), _) => Ok(token),
        (other, _) => Err(unfitting(&other)),
    }
}

/// Logs in to the token that was found.
///
/// # Errors
/// The first step that fails.
pub(super) async fn log_in(
    process: &Process,
    token: Token,
    place: &Place,
    guard: &SharedGuard,
) -> Result<Token, Trouble> {
    let turn = turn(&token);
    let mut doubt = turn.lock().await;
    // Until the end, so that what this process learns of the PIN is known to the next one.
    let (_hold, waited) = hold(guard, &token, place.within.connect).await?;
    // Whoever it was waited for may have spent a try: what the token said of its PIN is old.
    let token = match waited {
        true => find(process, place).await?,
        false => token,
    };
    let pin = may_try(guard, &token).await?;
    doubt.may_try(&pin, &token)?;
    match process
        .ask(Ask::Login, pin.as_bytes(), place.within.connect)
        .await
    {
        Ok(_) => {
            doubt.clear();
            Ok(token)
        }
        // A locked token is asked again by no restart either, though it may not say in advance
        // that it is locked.
        Err(trouble) if trouble.is_about_the_pin() => {
            doubt.clear();
            Err(remember(guard, token, pin, trouble).await)
        }
        Err(trouble) => {
            // It may be at work still: it ends before another process has its turn.
            process.kill();
            Err(trouble)
        }
    }
}

/// Waits until no other process of this node tries a PIN on the token. One that hangs in its login is
/// not waited for longer than twice the time that a login has. Says too whether there was one.
async fn hold(
    guard: &SharedGuard,
    token: &Token,
    connect: Duration,
) -> Result<(Box<dyn Debug + Send>, bool), Trouble> {
    let patience = connect.saturating_mul(2);
    let now = Instant::now();
    let until = now.checked_add(patience).unwrap_or(now);
    let mut waited = false;
    loop {
        let (guard, seen) = (Arc::clone(guard), token.clone());
        let asked = tokio::task::spawn_blocking(move || guard.hold(&seen)).await;
        let asked = asked.map_err(|ended| ended.to_string()).flatten();
        match asked {
            Ok(Hold::Here(held)) => return Ok((held, waited)),
            Ok(Hold::Elsewhere(who)) if Instant::now() >= until => {
                let Token { label, serial, .. } = token;
                let what = format!(
                    "{who} has been logging in to token {label:?} (serial {serial}) for {patience:?}, and \
                     two at once could spend two tries of one wrong PIN, so none was tried: wait for \
                     that process or end it, then ask again"
                );
                return Err(Trouble::new(TroubleKind::Late, what));
            }
            Ok(Hold::Elsewhere(_who)) => {
                waited = true;
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(what) => return Err(Trouble::new(TroubleKind::PinBarred, what)),
        }
    }
}

/// The PIN, if nothing says that trying it could lock the token.
async fn may_try(guard: &SharedGuard, token: &Token) -> Result<Pin, Trouble> {
    let Token { label, serial, .. } = token;
    let barred = |what: String| Trouble::new(TroubleKind::PinBarred, what);
    let (guard, seen) = (Arc::clone(guard), token.clone());
    let read = tokio::task::spawn_blocking(move || {
        let pin = guard.read()?;
        let rejected = guard.was_rejected(&seen, &pin)?;
        Ok::<_, String>((pin, rejected))
    });
    // Read first in any case: another PIN is what the source holds other than this one.
    let read = read.await;
    match token.pin {
        PinState::Fine => {}
        PinState::Locked => {
            return Err(barred(format!(
                "token {label:?} (serial {serial}) says that its user PIN is locked: unlock it as \
                 its security officer, then run `quorate key reload`"
            )));
        }
        PinState::FinalTry => {
            return Err(barred(format!(
                "token {label:?} (serial {serial}) locks with the next wrong PIN \
                 (CKF_USER_PIN_FINAL_TRY), so none is tried: log in once by hand with the right \
                 one, then run `quorate key reload`"
            )));
        }
        PinState::Missing => {
            return Err(barred(format!(
                "token {label:?} (serial {serial}) has no user PIN yet: set it as its security \
                 officer, then run `quorate key reload`"
            )));
        }
    }
    match read {
        Ok(Ok((pin, false))) => Ok(pin),
        Ok(Ok((_, true))) => Err(barred(format!(
            "token {label:?} (serial {serial}) has refused this PIN before, so it is not tried \
             again: put the right one into its source; if the token was given this PIN since, \
             run `quorate key reload`"
        ))),
        Ok(Err(what)) => Err(barred(what)),
        Err(ended) => Err(barred(format!("reading the PIN ended: {ended}"))),
    }
}

async fn remember(guard: &SharedGuard, token: Token, pin: Pin, trouble: Trouble) -> Trouble {
    let Token { label, serial, .. } = token.clone();
    let guard = Arc::clone(guard);
    let kept = tokio::task::spawn_blocking(move || guard.reject(&token, &pin)).await;
    let written = kept.map_err(|ended| ended.to_string()).flatten().is_ok();
    let what = match (trouble.kind, written) {
        (TroubleKind::PinBarred, true) => {
            "unlock it as its security officer, then run `quorate key reload`"
        }
        (_, true) => {
            "this PIN is not tried again, by no process of this node: put the right one into its \
             source"
        }
        // The process that goes on remembers it all the same.
        (_, false) => "and that could not be written down: stop this node before it starts again",
    };
    Trouble {
        kind: trouble.kind,
        what: format!(
            "token {label:?} (serial {serial}) refuses the PIN ({}); {what}",
            trouble.what
        ),
    }
}

pub(super) fn unfitting(said: &Said) -> Trouble {
    let what =
        format!("the process of the module answered something else than it was asked: {said:?}");
    Trouble::new(TroubleKind::Process, what)
}
