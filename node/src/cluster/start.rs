//! Starting a node: unformed, it listens and knows nobody; bound to a cluster, it takes part.

use std::sync::{Arc, Mutex, OnceLock};

use openraft::ServerState;
use openraft::async_runtime::WatchReceiver as _;
use openraft::errors::{InitializeError, RaftError};
use raft_store::ground::Ground;
use raft_store::identity::ClusterBinding;
use raft_store::ledger::{Clock, Ledger};
use raft_store::machine::{Machine, off_the_runtime};
use raft_store::runtime::{watch, within};
use raft_store::types::Raft;
use raft_store::witness::Witnessed;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::form::{MemberLine, binding};
use super::member::Consensus;
use super::{
    Ability, Cluster, Inner, Setup, StartError, Stop, View, greeter, leadership, presence,
    raft_config,
};
use crate::peers::call::describe;
use crate::peers::candidacy::Candidacy;
use crate::peers::endpoint::{Endpoint, Formed, router};
use crate::peers::forward::Handlers;
use crate::peers::link::{Clients, Network};
use crate::peers::pins::{self, PinSet};
use crate::peers::standing::Standing;

/// What `form` did.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FormedCluster {
    /// The binding, the same on every node but for `me`.
    pub binding: ClusterBinding,
    /// Whether this node wrote the first membership now. Only the lowest id does, once.
    pub initialised: bool,
}

impl<G: Ground> Cluster<G> {
    /// Listens for peers and, if the folder is bound to a cluster, takes part in it.
    ///
    /// # Errors
    /// [`StartError`], with the exit code of the process.
    pub async fn start(setup: Setup<G>) -> Result<Self, StartError> {
        let Setup {
            folder,
            wire,
            times,
            snapshots,
            clock,
            witness,
        } = setup;
        let standing = Standing::new(folder.peers_memory().clone(), presence(&times));
        let (pins, handlers) = (PinSet::new(pins::Pins::new()), Handlers::default());
        let candidacy = Arc::new(Candidacy::new(standing.clone(), presence(&times)));
        let endpoint = Arc::new(Endpoint {
            boot: folder.boot(),
            standing: standing.clone(),
            candidacy: Arc::clone(&candidacy),
            handlers: handlers.clone(),
            formed: OnceLock::new(),
        });
        let served = wire.serve(pins.clone(), router(Arc::clone(&endpoint)));
        let served = served.map_err(|error| unserved(error.as_ref()))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(within(served));
        let inner = Inner {
            clients: Clients::new(wire, folder.boot(), standing.clone()),
            folder,
            times,
            snapshots,
            clock,
            witness,
            pins,
            standing,
            candidacy,
            handlers,
            endpoint,
            consensus: OnceLock::new(),
            forming: tokio::sync::Mutex::default(),
            view: watch::Sender::new(View::default()),
            ability: watch::Sender::new(Ability::default()),
            stop: watch::Sender::new(None),
            sequence: Mutex::default(),
            tasks: Mutex::new(tasks),
        };
        let cluster = Self(Arc::new(inner));
        cluster.take_commands();
        cluster.take_questions();
        if let Some(binding) = cluster.0.folder.binding() {
            let _forming = cluster.0.forming.lock().await;
            cluster.join(binding).await?;
        }
        Ok(cluster)
    }

    /// Binds this node to the cluster of these members, durably; the member with the lowest id then
    /// writes the first membership. Both steps are idempotent: after a crash at any point the same
    /// line completes what is missing. It refuses any other line for ever after.
    ///
    /// # Errors
    /// [`StartError`]: the members make no cluster, this node is not among them, or it is bound to
    /// another one.
    pub async fn form(&self, members: &[MemberLine]) -> Result<FormedCluster, StartError> {
        let _one_at_a_time = self.0.forming.lock().await;
        let binding = binding(members, self.0.folder.fingerprint())?;
        off_the_runtime(|| self.0.folder.bind(binding.clone()))?;
        if self.0.consensus.get().is_none() {
            self.join(binding.clone()).await?;
        }
        let initialised = self.initialise(&binding).await?;
        Ok(FormedCluster {
            binding,
            initialised,
        })
    }

    async fn initialise(&self, binding: &ClusterBinding) -> Result<bool, StartError> {
        let lowest = binding.members.keys().next() == Some(&binding.me);
        let Some(consensus) = self.0.consensus.get().filter(|_| lowest) else {
            return Ok(false);
        };
        match consensus.raft.initialize(binding.members.clone()).await {
            Ok(()) => Ok(true),
            // It was done before: this node has a log, or has voted.
            Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(false),
            Err(error) => Err(Stop::damaged(format!("cannot initialise: {error}")).into()),
        }
    }

    /// Opens the store and takes part. Called once, under the forming lock.
    async fn join(&self, binding: ClusterBinding) -> Result<(), StartError> {
        let inner = &self.0;
        let config = raft_config::of(&inner.times, inner.snapshots);
        let config = config.map_err(|error| StartError::Times(error.to_string()))?;
        let witness = Witnessed::new(binding.me, inner.witness.clone());
        let (log, machine) = off_the_runtime(|| {
            let (log, state) = inner.folder.store(&witness)?;
            let machine = Machine::open(state).map_err(|error| Stop::damaged(error.to_string()))?;
            Ok::<_, StartError>((log, machine.witnessed(witness.clone())))
        })?;
        let reader = machine.reader();
        let network = Network {
            clients: inner.clients.clone(),
            rpc_time: inner.times.rpc_timeout,
        };
        let raft: Raft<_> = Raft::new(binding.me, config, network, log.clone(), machine)
            .await
            .map_err(|fatal| {
                Stop::of(&fatal).unwrap_or_else(|| Stop::damaged("consensus did not start"))
            })?;
        let ledger = Ledger::new(raft.clone(), reader)
            .witnessed(witness.clone())
            .with_clock(Clock::clone(&inner.clock));
        let consensus = Consensus {
            binding,
            raft,
            ledger,
            log,
        };
        self.refuse_other_key(&consensus)?;
        let (raft, cluster) = (consensus.raft.clone(), consensus.binding.cluster_id);
        inner.pins.replace(pins::of(&consensus.members()));
        inner.view.send_replace(inner.look(&consensus));
        if inner.consensus.set(consensus).is_err() {
            return Ok(()); // cannot be: the forming lock is held
        }
        let reigning = raft.clone();
        inner.standing.reigns(Box::new(move || {
            let metrics = reigning.metrics().borrow_watched().clone();
            let leads = metrics.state == ServerState::Leader;
            leads.then_some((metrics.vote, metrics.local_committed))
        }));
        let greeting = Arc::downgrade(inner);
        let greet = Arc::new(move || {
            let inner = greeting.upgrade()?;
            Some(inner.greet(inner.consensus.get()?))
        });
        inner
            .endpoint
            .formed
            .set(Formed {
                raft,
                cluster,
                greet,
                witness,
            })
            .ok();
        let mut tasks = inner
            .tasks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        tasks.spawn(within(leadership::watch(Arc::clone(inner))));
        tasks.spawn(within(greeter::run(Arc::clone(inner))));
        tasks.spawn(within(leadership::run(self.clone())));
        Ok(())
    }

    /// The membership may have moved on since the folder was bound: this id may be another node's.
    fn refuse_other_key(&self, consensus: &Consensus<G>) -> Result<(), Stop> {
        let (me, own) = (consensus.binding.me, self.0.folder.fingerprint());
        match consensus.members().get(&me) {
            Some(member) if member.fingerprint != own => Err(Stop::foreign(format!(
                "node {me} has the key {} in its cluster, {} holds {own}",
                member.fingerprint,
                self.0.folder.place()
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

fn unserved(error: &(dyn std::error::Error + 'static)) -> StartError {
    Stop::damaged(format!(
        "this node's key cannot be used for TLS: {}",
        describe(error)
    ))
    .into()
}
