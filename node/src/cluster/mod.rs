//! This node's part in its cluster: consensus, peers, and who leads.

pub mod ability;
mod confirm;
mod drain;
pub mod form;
mod format;
mod greeter;
mod leadership;
mod member;
mod raft_config;
mod route;
mod start;
pub mod stop;
pub mod view;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a deadline of a test is near"
)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use std::{fmt, future};

use raft_store::folder::{Folder, FolderError};
use raft_store::ground::Ground;
use raft_store::ledger::{Clock, Ledger};
use raft_store::runtime::watch;
use raft_store::witness::Witness;
use tezos::PublicKeyHash;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

pub use self::ability::Ability;
pub use self::drain::{Drained, Waiting};
pub use self::form::{FormError, MemberLine};
pub use self::leadership::TransferError;
use self::member::Consensus;
pub use self::raft_config::Snapshots;
pub use self::start::FormedCluster;
pub use self::stop::Stop;
pub use self::view::{PeerView, View};
use crate::config::Times;
use crate::peers::candidacy::Candidacy;
use crate::peers::endpoint::Endpoint;
use crate::peers::forward::Handlers;
pub use crate::peers::forward::{ForwardError, Hop};
use crate::peers::link::Clients;
use crate::peers::pins::PinSet;
use crate::peers::standing::Standing;
use crate::peers::wire::Wire;

/// What a node brings to its cluster.
pub struct Setup<G = Folder> {
    /// Its data folder, open.
    pub folder: G,
    /// Its peer port and its way to its peers.
    pub wire: Arc<dyn Wire>,
    /// The times of the config.
    pub times: Times,
    /// When state becomes a snapshot.
    pub snapshots: Snapshots,
    /// What the jump rule takes for the time of day.
    pub clock: Clock,
    /// Who sees what the node does.
    pub witness: Option<Arc<dyn Witness>>,
}

/// This node's part in its cluster. Cheap to clone; all clones are one node.
///
/// A node stands on a [`Folder`], and a simulated one on a disk in memory: all of this is one code
/// over both.
pub struct Cluster<G: Ground = Folder>(Arc<Inner<G>>);

struct Inner<G: Ground> {
    folder: G,
    times: Times,
    snapshots: Snapshots,
    clock: Clock,
    witness: Option<Arc<dyn Witness>>,
    pins: PinSet,
    standing: Standing,
    candidacy: Arc<Candidacy>,
    clients: Clients,
    handlers: Handlers,
    endpoint: Arc<Endpoint<G::State>>,
    consensus: OnceLock<Consensus<G>>,
    forming: tokio::sync::Mutex<()>,
    view: watch::Sender<View>,
    ability: watch::Sender<Ability>,
    stop: watch::Sender<Option<Stop>>,
    sequence: Mutex<u64>,
    tasks: Mutex<JoinSet<()>>,
}

/// Why a node does not start, or does not form.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The members that were named.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The disk, or what is on it.
    #[error("{0}")]
    Stop(#[from] Stop),
    /// The times of the config, as openraft sees them.
    #[error("the times in the config do not fit together: {0}")]
    Times(String),
}

impl StartError {
    /// The exit code of a process that ends for this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Folder(error) => error.exit_code(),
            Self::Form(_) | Self::Times(_) => 64,
            Self::Stop(stop) => stop.exit_code,
        }
    }
}

impl<G: Ground> Cluster<G> {
    /// What this node sees, as it changes.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<View> {
        self.0.view.subscribe()
    }

    /// The ledger; none before this node belongs to a cluster.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger<G::State>> {
        self.0.consensus.get().map(|consensus| &consensus.ledger)
    }

    /// What this node stands on: its data folder.
    #[must_use]
    pub fn folder(&self) -> &G {
        &self.0.folder
    }

    /// Waits for a leader to be known, until `deadline`.
    pub async fn wait_for_leader(&self, deadline: Instant) -> Option<u64> {
        let mut view = self.view();
        let found = timeout_at(deadline, view.wait_for(|view| view.leader.is_some())).await;
        found.ok()?.ok()?.leader
    }

    /// Tells peers, and the choice of a leader, what this node can do now.
    pub fn set_ability(&self, ability: Ability) {
        self.0.ability.send_if_modified(|now| {
            let changed = *now != ability;
            *now = ability;
            changed
        });
    }

    /// Resolves when this node must end, with the reason and the exit code. What it would say from
    /// here on is not to be trusted; it signs nothing any more.
    pub async fn must_stop(&self) -> Stop {
        let mut stop = self.0.stop.subscribe();
        let stopped = stop.wait_for(Option::is_some).await;
        match stopped.ok().and_then(|stop| stop.clone()) {
            Some(stop) => stop,
            None => future::pending().await, // the cluster was ended on purpose
        }
    }

    /// Ends this node's part: no more messages, no more elections. The folder is free for another
    /// process once all clones are gone.
    pub async fn end(&self) {
        let mut tasks = {
            let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        tasks.shutdown().await;
        if let Some(consensus) = self.0.consensus.get()
            && let Err(error) = consensus.raft.shutdown().await
        {
            tracing::warn!(%error, "consensus did not end in order");
        }
        self.0.folder.put_away();
    }

    /// Whether this node, if it leads and cannot sign with `key`, hands over to a peer that can. A peer
    /// that was silent for a moment counts: an answer that is asked again for nothing costs less than
    /// one that is final too early.
    pub(crate) fn would_hand_over(&self, key: &PublicKeyHash) -> bool {
        let mut mine = self.0.ability.borrow().clone();
        mine.can_sign.insert(*key, false);
        let heard = self.able_within(self.presence().saturating_mul(2));
        ability::successor(&mine, &heard).is_some()
    }

    /// The peers that are heard and believed, and what they can do.
    fn able_peers(&self) -> BTreeMap<u64, Ability> {
        self.able_within(self.presence())
    }

    fn able_within(&self, fresh: Duration) -> BTreeMap<u64, Ability> {
        let view = self.0.view.borrow();
        let peers = view.peers.iter().filter(|(id, _)| view.voters.contains(id));
        let heard = peers.filter(|(_, peer)| peer.age().is_some_and(|age| age < fresh));
        let believed = heard.filter_map(|(id, peer)| Some((*id, peer.hello.as_ref()?)));
        believed
            .map(|(id, hello)| (id, Ability::of(hello)))
            .collect()
    }

    /// How long a peer counts as alive after it was heard.
    fn presence(&self) -> Duration {
        presence(&self.0.times)
    }
}

fn presence(times: &Times) -> Duration {
    times.hello_every.saturating_mul(2)
}

impl<G: Ground> Clone for Cluster<G> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<G: Ground> fmt::Debug for Cluster<G> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Cluster({})", self.0.folder.fingerprint())
    }
}

impl<G: Ground> fmt::Debug for Setup<G> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Setup")
            .field("folder", &self.folder)
            .field("wire", &self.wire)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

impl<G: Ground> Inner<G> {
    /// The first reason to stop is the one that is told.
    fn stop(&self, stop: Stop) {
        self.stop.send_if_modified(|now| {
            let first = now.is_none();
            if first {
                tracing::error!(exit_code = stop.exit_code, "this node stops: {stop}");
                *now = Some(stop);
            }
            first
        });
    }
}
