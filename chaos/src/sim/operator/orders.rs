//! Getting a command done, and telling the judge what the operator was told of it.

use std::sync::Arc;
use std::time::Duration;

use judge::history::{Action, Event, Told};
use node::cluster::Drained;
use raft_store::command::{Answer, Command, Refusal};
use raft_store::ledger::{Committed, Unavailable};
use tokio::time::{Instant, sleep};

use super::Operator;
use crate::sim::gate::Life;
use crate::sim::host::Node;
use crate::sim::network::Machine;
use crate::sim::witness;

/// How long the operator waits for a commit, and for the drain.
const WAITS: Duration = Duration::from_secs(3);

impl Operator {
    /// Gives an order through one node, repeats it while its outcome is unknown, waits for the drain.
    pub(super) async fn order(&mut self, at: Machine, action: Action, command: Command) -> Told {
        let order = self.world.history.next_order();
        self.world.history.write(Event::Ordered { order, action });
        self.remember(&command);
        match self.commit(order, at, &command).await {
            Some((at, committed)) => self.wait_for_drain(order, at, committed.entry.index).await,
            None => Told::Refused,
        }
    }

    /// Gets a command committed, and tells the judge what the operator is told. Gives where it was
    /// committed; none if it was refused, or nobody knows.
    pub(super) async fn commit(
        &mut self,
        order: u64,
        at: Machine,
        command: &Command,
    ) -> Option<(Machine, Committed)> {
        let mut at = at;
        let mut unknown = false;
        for _attempt in 0..3 {
            match self.propose(at, command).await {
                Reply::Committed(committed) => {
                    let entry = witness::entry(committed.entry);
                    let decided = Event::Decided { order, entry };
                    self.world.history.write(decided);
                    self.told(order, Told::Committed);
                    return Some((at, committed));
                }
                // An earlier attempt may have been the one that raised the generation.
                Reply::Refused(_) if unknown => break,
                Reply::Refused(_) => {
                    self.told(order, Told::Refused);
                    return None;
                }
                Reply::Unknown | Reply::Gone => unknown = true,
            }
            at = self.any();
            sleep(Duration::from_millis(100)).await;
        }
        self.count("operator: outcome unknown");
        self.told(order, Told::Unknown);
        None
    }

    pub(super) async fn wait_for_drain(&self, order: u64, at: Machine, index: u64) -> Told {
        let drained = self.inside(at, move |cluster| async move {
            cluster.drained(index, soon(WAITS)).await
        });
        match drained.await.as_ref().map(Drained::done) {
            Some(true) => {
                self.count("operator: drained");
                self.told(order, Told::Drained);
                Told::Drained
            }
            Some(false) | None => Told::Committed,
        }
    }

    pub(super) async fn propose(&self, at: Machine, command: &Command) -> Reply {
        let command = command.clone();
        let committed = self.inside(at, move |cluster| async move {
            cluster.propose(command, soon(WAITS)).await
        });
        match committed.await {
            Some(Ok(Committed {
                answer: Answer::Refused(refusal),
                ..
            })) => Reply::Refused(refusal),
            Some(Ok(committed)) => Reply::Committed(committed),
            None | Some(Err(Unavailable::NotLeader { .. })) => Reply::Gone,
            Some(Err(_nobody_knows)) => Reply::Unknown,
        }
    }

    /// Runs on a node as its admin socket would; none if the node is down or goes.
    pub(super) async fn inside<T, F>(&self, at: Machine, what: impl FnOnce(Node) -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let running = self.world.host(at)?.running()?;
        let life: Arc<Life> = Arc::clone(&running.life);
        let work = life.process().spawn(what(running.cluster));
        life.outlives(work).await.ok()?.ok()
    }
}

/// What came of a command.
pub(super) enum Reply {
    Committed(Committed),
    Refused(Refusal),
    Unknown,
    /// Nothing was proposed, or the node went with what it knew.
    Gone,
}

fn soon(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
