//! Leadership follows the ability to sign, and changes hands when it is told to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft::errors::Fatal;
use raft_store::command::{Command, FORMAT};
use raft_store::ground::{Ground, LogDisk as _};
use raft_store::ledger::Ledger;
use raft_store::types::Types;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::ability::{heir, successor};
use super::member::Consensus;
use super::{Cluster, Inner, format};

/// Why leadership did not change hands.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TransferError {
    /// This node does not lead.
    #[error("this node does not lead; node {leader:?} does")]
    NotLeader {
        /// Who does, as far as this node knows.
        leader: Option<u64>,
    },
    /// There is nobody to hand over to.
    #[error("no other voter is heard that stays; start one, or stop this node and let them elect")]
    Nobody,
    /// The node that was named does not vote here, or is this one.
    #[error("node {0} is no other voter of this cluster")]
    NoVoter(u64),
    /// The peer did not take over in time.
    #[error("node {0} did not take over in time")]
    OutOfTime(u64),
}

/// Runs until it is aborted.
pub(super) async fn run<G: Ground>(cluster: Cluster<G>) {
    let Some(consensus) = cluster.0.consensus.get() else {
        return;
    };
    let mut tick = interval(cluster.0.times.heartbeat);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut handed_over = None::<Instant>;
    loop {
        tick.tick().await;
        cluster.0.campaign_or_wait(consensus);
        if !cluster.0.view.borrow().is_leader {
            continue;
        }
        agree_on_format(&cluster, &consensus.ledger).await;
        let pause = cluster.0.times.transfer_pause;
        let mine = cluster.0.ability.borrow().clone();
        // A key that cannot be used costs its baker every request; anything else can wait.
        let waits = mine.can_sign.values().all(|able| *able);
        if waits && handed_over.is_some_and(|at| at.elapsed() < pause) {
            continue;
        }
        // Nothing is known of the keys here yet, or everything is well: no reason to move.
        if let Some(to) = successor(&mine, &cluster.able_peers()) {
            handed_over = Some(Instant::now());
            tracing::info!(to, "handing leadership over to a node that can sign more");
            consensus.raft.trigger().transfer_leader(to).await.ok();
        }
    }
}

impl<G: Ground> Inner<G> {
    /// A node that would be of no use as a leader campaigns three election timeouts later than
    /// others, never not at all: it may hold the longest log. One whose log lacks what a peer has
    /// does not campaign, any more than it votes for such a one.
    fn campaign_or_wait(&self, consensus: &Consensus<G>) {
        let late = self.times.election_max.saturating_mul(3);
        let view = self.view.borrow();
        let leader = view.leader.filter(|leader| view.me != Some(*leader));
        let heard = leader.and_then(|leader| view.peers.get(&leader)?.age());
        let silent = heard.is_none_or(|age| age > late.saturating_add(self.times.hello_every));
        let mut others = consensus.members();
        others.remove(&consensus.binding.me);
        let durable = consensus.log.durable();
        self.candidacy.look(&others.into_keys().collect(), durable);
        let may_win = self.candidacy.allows(durable).is_ok();
        consensus
            .raft
            .runtime_config()
            .elect(may_win && (self.ability.borrow().may_lead() || silent));
    }
}

async fn agree_on_format<G: Ground>(cluster: &Cluster<G>, ledger: &Ledger<G::State>) {
    let agreed = ledger.state().format;
    let voters: BTreeMap<_, _> = {
        let view = cluster.0.view.borrow();
        let formats = |id: &u64| {
            if Some(*id) == view.me {
                return Some((1..=FORMAT).collect());
            }
            Some(view.peers.get(id)?.hello.as_ref()?.formats.clone())
        };
        view.voters.iter().map(|id| (*id, formats(id))).collect()
    };
    if let Some(format) = format::next(agreed, &voters) {
        let deadline = deadline(cluster.0.times.deadline);
        match ledger.propose(Command::Format { format }, deadline).await {
            Ok(committed) => tracing::info!(format, entry = %committed.entry, "format agreed"),
            Err(error) => tracing::info!(format, %error, "format not agreed yet"),
        }
    }
}

impl<G: Ground> Cluster<G> {
    /// Hands leadership over to a voter, or to the one that can do most, and waits until it leads.
    ///
    /// # Errors
    /// [`TransferError`]; this node may lead on.
    pub async fn transfer(&self, to: Option<u64>, deadline: Instant) -> Result<u64, TransferError> {
        let mut view = self.view();
        loop {
            let (me, leader, voters) = {
                let view = view.borrow();
                (view.me, view.leader, view.voters.clone())
            };
            let Some(consensus) = self.0.consensus.get().filter(|_| leader == me) else {
                return Err(TransferError::NotLeader { leader });
            };
            let to = match to {
                Some(to) if voters.contains(&to) && Some(to) != me => to,
                Some(to) => return Err(TransferError::NoVoter(to)),
                None => heir(&self.able_peers()).ok_or(TransferError::Nobody)?,
            };
            if consensus.raft.trigger().transfer_leader(to).await.is_err() {
                return Err(TransferError::NotLeader { leader: None });
            }
            // The peer may still have to flush what it got; then it is asked again.
            let again = self::deadline(self.0.times.election_max).min(deadline);
            let moved = |view: &super::View| view.leader.is_some_and(|now| Some(now) != me);
            if let Ok(Ok(view)) = timeout_at(again, view.wait_for(moved)).await {
                return view.leader.ok_or(TransferError::OutOfTime(to));
            }
            if Instant::now() >= deadline {
                return Err(TransferError::OutOfTime(to));
            }
        }
    }
}

fn deadline(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}

/// Keeps what others see of this node's cluster up to date, and notices when consensus has ended.
pub(super) async fn watch<G: Ground>(inner: Arc<Inner<G>>) {
    let Some(consensus) = inner.consensus.get() else {
        return;
    };
    let mut server = consensus.raft.server_metrics();
    let mut standing = inner.standing.changes();
    let mut tick = interval(inner.times.heartbeat);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        inner
            .pins
            .replace(crate::peers::pins::of(&consensus.members()));
        let view = inner.look(consensus);
        inner.view.send_replace(view);
        if let Err(fatal) = running(consensus) {
            inner.stop_for(&fatal);
            return;
        }
        tokio::select! {
            // In this order, so that a simulation goes the same way every time.
            biased;
            // A consensus that panicked leaves its last figures as they were, and nobody to renew
            // them: such a node would look well for ever. One that ended for a reason left it there.
            changed = server.changed() => if changed.is_err() {
                inner.stop_for(&running(consensus).err().unwrap_or(Fatal::Panicked));
                return;
            },
            _ = standing.changed() => {}
            _ = tick.tick() => {}
        }
    }
}

/// Whether consensus still runs.
fn running<G: Ground>(consensus: &Consensus<G>) -> Result<(), Fatal<Types>> {
    use openraft::async_runtime::WatchReceiver as _;
    let metrics = consensus.raft.metrics().borrow_watched().clone();
    metrics.running_state
}

impl<G: Ground> Inner<G> {
    fn stop_for(&self, fatal: &Fatal<Types>) {
        if let Some(stop) = super::Stop::of(fatal) {
            self.stop(stop);
        }
    }
}
