//! Getting something done by the node that leads: here, or one hop away.

use std::future::Future;
use std::time::Duration;

use raft_store::codec::{self, MAX_FRAME};
use raft_store::command::Command;
use raft_store::ground::Ground;
use raft_store::ledger::{Committed, Unavailable};
use reqwest::header::HeaderMap;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};

use super::{Cluster, ForwardError, Hop};
use crate::peers::FORMAT;
use crate::peers::call::CallError;
use crate::peers::forward;
use crate::peers::link::SpeakError;
use crate::peers::wire::Message;

/// The name under which operator commands are forwarded.
const PROPOSE: &str = "propose";

impl<G: Ground> Cluster<G> {
    /// Answers what peers forward under `name`, from now on. The answer must come from this node: a
    /// forwarded request is never forwarded again.
    pub fn route<Q, A, F>(
        &self,
        name: &'static str,
        answer: impl Fn(Hop, Q) -> F + Clone + Send + Sync + 'static,
    ) where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize + Send + 'static,
        F: Future<Output = A> + Send + 'static,
    {
        self.0.handlers.route(name, answer);
    }

    /// Sends `question` to node `to`, to what it routes under `name`. One hop: the other side does
    /// not forward it. `remaining` is what is left of the deadline.
    ///
    /// # Errors
    /// [`ForwardError`]. That the peer refused, or does not lead, is not one: it says so in `A`.
    pub async fn forward<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        to: u64,
        name: &str,
        question: &Q,
        remaining: Duration,
    ) -> Result<A, ForwardError> {
        let not_sent = |reason: String| ForwardError::NotSent { to, reason };
        let consensus = self.0.consensus.get();
        let consensus = consensus.ok_or_else(|| not_sent("this node has no cluster".to_owned()))?;
        if to == consensus.binding.me {
            return Err(ForwardError::ToSelf(to));
        }
        let members = consensus.members();
        let member = members
            .get(&to)
            .ok_or_else(|| not_sent("no such member".to_owned()))?;
        let body = codec::encode(question).map_err(|error| not_sent(error.to_string()))?;
        let mut headers = HeaderMap::new();
        forward::mark(&mut headers, remaining);
        let path = format!("/v{FORMAT}/forward/{name}");
        let message = Message {
            path,
            headers,
            body,
            time: remaining,
            limit: MAX_FRAME,
        };
        let answer = self
            .0
            .clients
            .speak(to, member, message)
            .await
            .map_err(|error| {
                let reason = error.to_string();
                match error {
                    // The peer answered in words that it did not take it.
                    SpeakError::Refused { .. } | SpeakError::Call(CallError::NotSent(_)) => {
                        not_sent(reason)
                    }
                    // On its way, or answered by a process that is not believed.
                    SpeakError::Call(CallError::Lost(_)) | SpeakError::NotAdmitted(_) => {
                        ForwardError::Lost { to, reason }
                    }
                }
            })?;
        codec::decode(&answer).map_err(|error| ForwardError::Lost {
            to,
            reason: error.to_string(),
        })
    }

    /// Gets an operator's command committed, here or by the leader one hop away, and applied here: who
    /// asks this node next finds it done. (A node that is cut off meanwhile answers at the deadline.)
    ///
    /// # Errors
    /// [`Unavailable`]. The command names a generation, so it may be repeated.
    pub async fn propose(
        &self,
        command: Command,
        deadline: Instant,
    ) -> Result<Committed, Unavailable> {
        let mut view = self.view();
        loop {
            let leader = self.wait_for_leader(deadline).await;
            let (Some(ledger), Some(leader)) = (self.ledger(), leader) else {
                return Err(Unavailable::NotLeader { leader: None });
            };
            let me = self.0.consensus.get().map(|consensus| consensus.binding.me);
            let answer = if Some(leader) == me {
                ledger.propose(command.clone(), deadline).await
            } else {
                self.propose_to(leader, &command, deadline).await
            };
            match answer {
                // Nothing was proposed: whoever leads next is asked.
                Err(Unavailable::NotLeader { leader: next }) if Instant::now() < deadline => {
                    let moved = |view: &super::View| view.leader.is_some_and(|now| now != leader);
                    if next == Some(leader) || next.is_none() {
                        let pause = Instant::now().checked_add(self.0.times.heartbeat);
                        let pause = pause.unwrap_or(deadline).min(deadline);
                        let _elapsed = timeout_at(pause, view.wait_for(moved)).await.is_err();
                    }
                }
                Ok(committed) => {
                    ledger.applied(committed.entry.index, deadline).await;
                    return Ok(committed);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn propose_to(
        &self,
        leader: u64,
        command: &Command,
        deadline: Instant,
    ) -> Result<Committed, Unavailable> {
        let remaining = deadline.saturating_duration_since(Instant::now());
        match self.forward(leader, PROPOSE, command, remaining).await {
            Ok(answer) => answer,
            Err(ForwardError::NotSent { .. } | ForwardError::ToSelf(_)) => {
                Err(Unavailable::NotLeader { leader: None })
            }
            Err(ForwardError::Lost { .. }) => Err(Unavailable::OutOfTime),
        }
    }

    /// Answers the commands that peers forward.
    pub(super) fn take_commands(&self) {
        let weak = std::sync::Arc::downgrade(&self.0);
        self.route(PROPOSE, move |hop: Hop, command: Command| {
            let inner = weak.upgrade();
            async move {
                let stopped = || Unavailable::Stopped {
                    reason: "shut down".to_owned(),
                };
                let cluster = Self(inner.ok_or_else(stopped)?);
                let ledger = cluster.ledger().ok_or_else(stopped)?;
                let now = Instant::now();
                ledger
                    .propose(command, now.checked_add(hop.remaining).unwrap_or(now))
                    .await
            }
        });
    }
}
