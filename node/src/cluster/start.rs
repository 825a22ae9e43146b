//! Starting a node: unformed, it listens and knows nobody; bound to a cluster, it takes part.

use std::sync::{Arc, Mutex, OnceLock};

use openraft::ServerState;
use openraft::async_runtime::WatchReceiver as _;
use openraft::errors::{InitializeError, RaftError};
use raft_store::identity::ClusterBinding;
use raft_store::ledger::Ledger;
use raft_store::machine::Machine;
use raft_store::types::Raft;
use raft_store::witness::Witnessed;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::form::{MemberLine, binding};
use super::member::Consensus;
use super::{
    Ability, Cluster, Inner, Setup, StartError, Stop, View, greeter, leadership, presence,
    raft_config,
};
use crate::peers::accept::serve;
use crate::peers::candidacy::Candidacy;
use crate::peers::endpoint::{Endpoint, Formed, router};
use crate::peers::forward::Handlers;
use crate::peers::link::{Clients, Network};
use crate::peers::pins::{self, PinSet};
use crate::peers::standing::Standing;
use crate::peers::tls::{OwnKey, server_config};

/// What `form` did.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FormedCluster {
    /// The binding, the same on every node but for `me`.
    pub binding: ClusterBinding,
    /// Whether this node wrote the first membership now. Only the lowest id does, once.
    pub initialised: bool,
}

impl Cluster {
    /// Listens for peers and, if the folder is bound to a cluster, takes part in it.
    ///
    /// # Errors
    /// [`StartError`], with the exit code of the process.
    pub async fn start(setup: Setup) -> Result<Self, StartError> {
        let Setup {
            folder,
            listener,
            times,
            witness,
        } = setup;
        let key = OwnKey::new(folder.identity().key()).map_err(tls)?;
        let folder = Arc::new(folder);
        let standing = Standing::new(Arc::clone(&folder), presence(&times));
        let (pins, handlers) = (PinSet::new(pins::Pins::new()), Handlers::default());
        let candidacy = Arc::new(Candidacy::new(standing.clone(), presence(&times)));
        let endpoint = Arc::new(Endpoint {
            boot: folder.boot(),
            standing: standing.clone(),
            candidacy: Arc::clone(&candidacy),
            handlers: handlers.clone(),
            formed: OnceLock::new(),
        });
        let server = server_config(&key, &pins).map_err(tls)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(
            listener,
            server,
            pins.clone(),
            router(Arc::clone(&endpoint)),
        ));
        let inner = Inner {
            clients: Clients::new(key, folder.boot(), standing.clone()),
            folder,
            times,
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
        let identity = cluster.0.folder.identity();
        if let Some(binding) = identity.cluster() {
            let _forming = cluster.0.forming.lock().await;
            cluster.join(binding.clone()).await?;
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
        let binding = binding(members, self.0.folder.identity().fingerprint())?;
        let (inner, bound) = (Arc::clone(&self.0), binding.clone());
        blocking(move || inner.folder.bind(bound)).await?;
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
        let config = raft_config::of(&inner.times);
        let config = config.map_err(|error| StartError::Times(error.to_string()))?;
        let witness = Witnessed::new(binding.me, inner.witness.clone());
        let (opening, seen_by) = (Arc::clone(inner), witness.clone());
        let (log, machine) = blocking(move || {
            let (log, state) = opening.folder.store(&seen_by)?;
            let machine = Machine::open(state).map_err(|error| Stop::damaged(error.to_string()))?;
            Ok::<_, StartError>((log, machine.witnessed(seen_by)))
        })
        .await?;
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
        let ledger = Ledger::new(raft.clone(), reader).witnessed(witness.clone());
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
        tasks.spawn(leadership::watch(Arc::clone(inner)));
        tasks.spawn(greeter::run(Arc::clone(inner)));
        tasks.spawn(leadership::run(self.clone()));
        Ok(())
    }

    /// The membership may have moved on since the folder was bound: this id may be another node's.
    fn refuse_other_key(&self, consensus: &Consensus) -> Result<(), Stop> {
        let (me, own) = (consensus.binding.me, self.0.folder.identity().fingerprint());
        match consensus.members().get(&me) {
            Some(member) if member.fingerprint != own => Err(Stop::foreign(format!(
                "node {me} has the key {} in its cluster, {} holds {own}",
                member.fingerprint,
                self.0.folder.path().display()
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

/// Runs what waits for a disk off the runtime's threads.
async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, StartError>
where
    T: Send + 'static,
    E: Into<StartError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Into::into),
        Err(panicked) => Err(Stop::damaged(panicked.to_string()).into()),
    }
}

fn tls(error: rustls::Error) -> StartError {
    Stop::damaged(format!("this node's key cannot be used for TLS: {error}")).into()
}
