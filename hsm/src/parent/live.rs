//! A connection that signs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tezos::{PublicKeyHash, Signature};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Within;
use super::connection::unfitting;
use super::process::Process;
use crate::challenge::Challenge;
use crate::wire::{Ask, Key, Said, Token, at_once};
use crate::{Trouble, TroubleKind, curve};

/// A connection that signs.
#[derive(Debug)]
pub(super) struct Live {
    /// Counts connections: trouble of an earlier one says nothing of this one.
    pub(super) number: u64,
    pub(super) process: Arc<Process>,
    pub(super) token: Token,
    pub(super) keys: BTreeMap<PublicKeyHash, Key>,
    /// One for each session: what is asked is worked on at once, so what is not answered in time
    /// hangs, and does not merely wait behind others. Closed when the connection is in trouble.
    pub(super) turns: Arc<Semaphore>,
    /// When each key made its last signature; a connection begins with one of each.
    signed: Mutex<BTreeMap<PublicKeyHash, Instant>>,
}

impl Live {
    /// A connection whose keys have proved themselves just now.
    pub(super) fn new(
        number: u64,
        process: Arc<Process>,
        token: Token,
        keys: BTreeMap<PublicKeyHash, Key>,
        sessions: usize,
    ) -> Self {
        let now = Instant::now();
        let signed = keys.keys().map(|key| (*key, now)).collect();
        Self {
            number,
            process,
            token,
            keys,
            turns: Arc::new(Semaphore::new(at_once(sessions))),
            signed: Mutex::new(signed),
        }
    }

    /// Signs a digest in this turn.
    ///
    /// # Errors
    /// What the module said, or that it did not.
    pub(super) async fn sign(
        &self,
        key: &Key,
        digest: &[u8],
        within: Duration,
        turn: OwnedSemaphorePermit,
    ) -> Result<Signature, Trouble> {
        let ask = Ask::Sign { key: key.number };
        let asked = self.process.ask_in_turn(ask, digest, within, Some(turn));
        let signature = match asked.await? {
            (Said::Signed, bytes) => curve::signature(key.public_key.curve(), &bytes)?,
            (other, _) => return Err(unfitting(&other)),
        };
        self.signed().insert(key.public_key.hash(), Instant::now());
        Ok(signature)
    }

    /// Looks whether all is well. Without a turn to spare the requests themselves tell.
    ///
    /// # Errors
    /// What is not.
    pub(super) async fn check(&self, within: Within) -> Result<(), Trouble> {
        if let Some(trouble) = self.process.overdue() {
            return Err(trouble);
        }
        let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() else {
            return Ok(());
        };
        if let Some(key) = self.unproven(within.unproven) {
            return self.prove(key, within.sign, turn).await;
        }
        let asked = self
            .process
            .ask_in_turn(Ask::Check, &[], within.sign, Some(turn));
        asked.await.map(drop)
    }

    /// The key that has made no signature for the longest time, if for longer than `limit`.
    fn unproven(&self, limit: Duration) -> Option<&Key> {
        let signed = self.signed();
        let (key, at) = signed.iter().min_by_key(|(_, at)| **at)?;
        (at.elapsed() > limit).then(|| self.keys.get(key)).flatten()
    }

    async fn prove(
        &self,
        key: &Key,
        within: Duration,
        turn: OwnedSemaphorePermit,
    ) -> Result<(), Trouble> {
        let challenge = Challenge::new()?;
        let digest = challenge.digest();
        let signature = self.sign(key, digest.as_bytes(), within, turn).await?;
        if challenge.is_met(&key.public_key, &signature) {
            return Ok(());
        }
        let what = format!(
            "the token's proof does not verify for {}",
            key.public_key.hash()
        );
        Err(Trouble::new(TroubleKind::Device, what))
    }

    fn signed(&self) -> MutexGuard<'_, BTreeMap<PublicKeyHash, Instant>> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
