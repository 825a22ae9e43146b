//! One start of a node, and the gates through which it acts on anything outside of itself.
//!
//! A gate is where a fault may lie in wait: between any two steps that the world can tell apart, a
//! process can be killed, lose its power, or stop for a while.

use std::fmt;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use raft_store::runtime::Process;
use tokio::sync::Notify;

/// A place where a process acts on the world, or learns of it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Gate {
    /// It asks its disk to make something durable.
    FsyncBegins,
    /// Its disk says that it is durable.
    FsyncEnded,
    /// A message to a peer leaves.
    MessageLeaves,
    /// A message of a peer comes.
    MessageComes,
    /// An answer to a peer leaves.
    AnswerLeaves,
    /// A vote for another node is about to leave.
    VoteLeaves,
    /// Its signer is asked.
    SignerAsked,
    /// Its signer has signed.
    SignerSigned,
    /// A signature is let go.
    SignatureReleased,
    /// A reply to a baker leaves.
    ReplyLeaves,
}

/// The process is gone: whoever waits for it waits in vain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the process is gone")]
pub struct Gone;

/// One start of a node.
pub struct Life {
    alive: AtomicBool,
    process: Process,
    ended: Notify,
    ambush: Mutex<Option<Ambush>>,
}

/// A fault that waits at a gate.
struct Ambush {
    gate: Gate,
    passages: u64,
    strike: Box<dyn FnOnce() + Send>,
}

impl Life {
    /// A process that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            alive: AtomicBool::new(true),
            process: Process::new(),
            ended: Notify::new(),
            ambush: Mutex::default(),
        }
    }

    /// The process: whatever runs inside of it stops where it is when it is paused or ended.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.process
    }

    /// Whether it still acts on the world.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Ends it where it stands, like SIGKILL. Says whether it was alive.
    pub fn end(&self) -> bool {
        let was_alive = self.alive.swap(false, Ordering::Relaxed);
        self.process.end();
        self.disarm();
        self.ended.notify_waiters();
        was_alive
    }

    /// Waits, outside of the process, for `work` that is done inside of it.
    ///
    /// # Errors
    /// [`Gone`] as soon as the process ends first.
    pub async fn outlives<T>(&self, work: impl Future<Output = T>) -> Result<T, Gone> {
        let mut ended = pin!(self.ended.notified());
        ended.as_mut().enable();
        if !self.alive() {
            return Err(Gone);
        }
        tokio::select! {
            biased;
            () = ended => Err(Gone),
            done = work => Ok(done),
        }
    }

    /// Lets `strike` hit when `gate` is passed for the `passages`-th time from now. One ambush at a
    /// time: a later one takes the place of an earlier one.
    pub fn ambush(&self, gate: Gate, passages: u64, strike: impl FnOnce() + Send + 'static) {
        let ambush = Ambush {
            gate,
            passages,
            strike: Box::new(strike),
        };
        *self.waiting() = Some(ambush);
    }

    /// Nothing waits at a gate any more.
    pub fn disarm(&self) {
        *self.waiting() = None;
    }

    /// Passes a gate, unless the process is gone, or goes right there.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn pass(&self, gate: Gate) -> Result<(), Gone> {
        if !self.alive() {
            return Err(Gone);
        }
        if let Some(strike) = self.sprung(gate) {
            strike();
        }
        self.alive().then_some(()).ok_or(Gone)
    }

    /// Passes a gate from inside of the process: one that is gone does nothing any more.
    pub async fn enter(&self, gate: Gate) {
        if self.pass(gate) == Err(Gone) {
            pending::<()>().await;
        }
    }

    /// The lock is free before the blow falls: it may look at this life again.
    fn sprung(&self, gate: Gate) -> Option<Box<dyn FnOnce() + Send>> {
        let mut ambush = self.waiting();
        let waiting = ambush.as_mut().filter(|waiting| waiting.gate == gate)?;
        waiting.passages = waiting.passages.saturating_sub(1);
        if waiting.passages > 0 {
            return None;
        }
        ambush.take().map(|ambush| ambush.strike)
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Ambush>> {
        self.ambush.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Life {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Life")
            .field("alive", &self.alive())
            .finish_non_exhaustive()
    }
}

impl Gate {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::FsyncBegins,
        Self::FsyncEnded,
        Self::MessageLeaves,
        Self::MessageComes,
        Self::AnswerLeaves,
        Self::VoteLeaves,
        Self::SignerAsked,
        Self::SignerSigned,
        Self::SignatureReleased,
        Self::ReplyLeaves,
    ];

    /// Its name among what a run met.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FsyncBegins => "gate: fsync begins",
            Self::FsyncEnded => "gate: fsync ended",
            Self::MessageLeaves => "gate: message leaves",
            Self::MessageComes => "gate: message comes",
            Self::AnswerLeaves => "gate: answer leaves",
            Self::VoteLeaves => "gate: vote leaves",
            Self::SignerAsked => "gate: signer is asked",
            Self::SignerSigned => "gate: signer has signed",
            Self::SignatureReleased => "gate: signature is released",
            Self::ReplyLeaves => "gate: reply to the baker leaves",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_process_that_ended_passes_no_gate() {
        let life = Life::new();
        assert_eq!(life.pass(Gate::ReplyLeaves), Ok(()));
        assert!(life.end());
        assert!(!life.end());
        assert_eq!(life.pass(Gate::ReplyLeaves), Err(Gone));
    }

    #[test]
    fn an_ambush_strikes_at_its_gate_on_its_passage_and_once() {
        let life = Arc::new(Life::new());
        let struck = Arc::clone(&life);
        life.ambush(Gate::SignerSigned, 2, move || {
            struck.end();
        });
        assert_eq!(life.pass(Gate::SignerSigned), Ok(()));
        assert_eq!(life.pass(Gate::SignerAsked), Ok(()));
        assert_eq!(life.pass(Gate::SignerSigned), Err(Gone));
    }
}
