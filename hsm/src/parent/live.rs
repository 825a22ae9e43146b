//! A connection that signs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tezos::{PublicKeyHash, Signature};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::unfitting;
use super::process::Process;
use crate::wire::{Ask, Key, Said, Token};
use crate::{Trouble, curve};

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
}

impl Live {
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
        match asked.await? {
            (Said::Signed, bytes) => curve::signature(key.public_key.curve(), &bytes),
            (other, _) => Err(unfitting(&other)),
        }
    }

    /// Looks whether all is well. Without a turn to spare the requests themselves tell.
    ///
    /// # Errors
    /// What is not.
    pub(super) async fn check(&self, within: Duration) -> Result<(), Trouble> {
        if let Some(trouble) = self.process.overdue() {
            return Err(trouble);
        }
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            let asked = self
                .process
                .ask_in_turn(Ask::Check, &[], within, Some(turn));
            asked.await?;
        }
        Ok(())
    }
}
