//! Two bakers with one key, who ask for different messages at every slot: the load under which the
//! leader is killed, and its judge.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use client::{Client, ClientError};
use tezos::{ChainId, Kind, Level, PublicKey, Round, Signature, Slot};
use tokio::time::Instant;

use super::deadline::Deadline;
use super::fault::DevError;
use super::message::consensus;

/// Two bakers of one key.
#[derive(Clone, Debug)]
pub(super) struct Race {
    pub(super) key: PublicKey,
    pub(super) chain: ChainId,
    pub(super) kind: Kind,
    /// The first level; each next slot is one level up.
    pub(super) from: Level,
    /// Each asks the nodes in an order of its own.
    pub(super) bakers: [Arc<Client>; 2],
    /// Counts the slots that were won, over all races.
    pub(super) won: Arc<AtomicUsize>,
}

/// What a race came to. Every slot in it had exactly one winner.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// When each slot was won.
    pub(super) won: Vec<Instant>,
    /// How often a baker was told that nobody could answer, and asked the same again.
    pub(super) asked_again: usize,
    /// The last slot's two messages, and the one signature there is.
    pub(super) last: Option<Last>,
}

#[derive(Clone, Debug)]
pub(super) struct Last {
    pub(super) winner: Vec<u8>,
    pub(super) loser: Vec<u8>,
    pub(super) signature: Signature,
}

/// How long one baker asks for one slot before the slot counts as lost.
const PATIENCE: Duration = Duration::from_secs(15);

impl Race {
    /// Runs slot after slot until `stop` is set, and judges each.
    pub(super) async fn run(self, stop: Arc<AtomicBool>) -> Result<Tally, DevError> {
        let mut tally = Tally::default();
        let mut level = Some(self.from);
        while let (false, Some(here)) = (stop.load(Ordering::Relaxed), level) {
            self.slot(Slot::new(here, Round::default()), &mut tally)
                .await?;
            level = here.next();
        }
        Ok(tally)
    }

    async fn slot(&self, slot: Slot, tally: &mut Tally) -> Result<(), DevError> {
        let messages =
            [0, 1].map(|flavour| consensus(self.key.curve(), self.kind, self.chain, slot, flavour));
        let [one, other] = &self.bakers;
        let [mine, theirs] = &messages;
        let (first, second) = tokio::join!(self.ask(one, mine), self.ask(other, theirs));
        let (first, second) = (first?, second?);
        tally.asked_again = tally
            .asked_again
            .saturating_add(first.asked_again)
            .saturating_add(second.asked_again);
        let [mine, theirs] = messages;
        let (winner, loser, signature) = match (first.signature, second.signature) {
            (Some(signature), None) => (mine, theirs, signature),
            (None, Some(signature)) => (theirs, mine, signature),
            (Some(_), Some(_)) => {
                let what = format!("two messages of {} were signed at {slot}", self.key.hash());
                return Err(DevError::Broken(what));
            }
            (None, None) => {
                let what = format!(
                    "neither message of {} was signed at {slot}",
                    self.key.hash()
                );
                return Err(DevError::Broken(what));
            }
        };
        tally.won.push(Instant::now());
        self.won.fetch_add(1, Ordering::Relaxed);
        tally.last = Some(Last {
            winner,
            loser,
            signature,
        });
        Ok(())
    }

    /// Asks until somebody decides. An outage decides nothing, so the same bytes are asked again.
    async fn ask(&self, client: &Client, message: &[u8]) -> Result<Asked, DevError> {
        let deadline = Deadline::after(PATIENCE);
        let mut asked_again: usize = 0;
        loop {
            let fault = match client.sign(&self.key, message).await {
                Ok(signature) => {
                    return Ok(Asked {
                        signature: Some(signature),
                        asked_again,
                    });
                }
                Err(ClientError::Answered { status: 409, .. }) => {
                    return Ok(Asked {
                        signature: None,
                        asked_again,
                    });
                }
                Err(fault) => fault,
            };
            let outage = matches!(fault, ClientError::Outage { .. });
            if !outage || deadline.passed() {
                return Err(DevError::Request {
                    chapter: "under load",
                    source: fault,
                });
            }
            asked_again = asked_again.saturating_add(1);
        }
    }
}

struct Asked {
    signature: Option<Signature>,
    asked_again: usize,
}

/// The longest time without any slot being won, from the last one before `since` on.
pub(super) fn longest_silence(mut won: Vec<Instant>, since: Instant) -> Duration {
    won.sort_unstable();
    let before = won.iter().rev().find(|moment| **moment <= since).copied();
    let after = won.iter().filter(|moment| **moment > since).copied();
    let from_kill: Vec<Instant> = before.into_iter().chain(after).collect();
    from_kill
        .iter()
        .zip(from_kill.iter().skip(1))
        .map(|(earlier, later)| later.duration_since(*earlier))
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_measured_from_the_last_success_before_the_kill() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let won = vec![at(0), at(900), at(1000), at(1900), at(1950), at(2000)];
        assert_eq!(
            longest_silence(won.clone(), at(1001)),
            Duration::from_millis(900)
        );
        assert_eq!(longest_silence(won, at(1910)), Duration::from_millis(50));
    }
}
