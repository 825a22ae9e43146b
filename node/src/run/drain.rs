//! Leaving on purpose, so that no request is lost: first the balancer looks away, then another node
//! leads, then what is in work is finished (R33).

use std::sync::Arc;

use raft_store::ground::Ground;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::{Cluster, TransferError};
use crate::config::Times;

/// The stages of leaving. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Drain(Arc<Stages>);

#[derive(Debug)]
struct Stages {
    times: Times,
    begun: watch::Sender<bool>,
    stop_signing: watch::Sender<bool>,
    in_work: watch::Sender<bool>,
    ended: watch::Sender<bool>,
}

impl Drain {
    /// Nothing has begun.
    #[must_use]
    pub fn new(times: Times) -> Self {
        let stage = || watch::Sender::new(false);
        Self(Arc::new(Stages {
            times,
            begun: stage(),
            stop_signing: stage(),
            in_work: stage(),
            ended: stage(),
        }))
    }

    /// Turns true when this node is on its way out: it is not ready, and wants no lead.
    #[must_use]
    pub fn begun(&self) -> watch::Receiver<bool> {
        self.0.begun.subscribe()
    }

    /// Turns true when the signer API is to take no more.
    #[must_use]
    pub fn stop_signing(&self) -> watch::Receiver<bool> {
        self.0.stop_signing.subscribe()
    }

    /// Whether the signer API has something in work; it says so itself.
    pub fn set_in_work(&self, in_work: bool) {
        self.0.in_work.send_replace(in_work);
    }

    /// Turns true when nothing is in work any more: health and admin may go.
    #[must_use]
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.0.ended.subscribe()
    }

    /// Goes through all stages, each within its bound, and ends this node's part in the cluster.
    pub async fn run<G: Ground>(&self, cluster: &Cluster<G>) {
        let Stages {
            times,
            begun,
            stop_signing,
            in_work,
            ended,
        } = &*self.0;
        begun.send_replace(true);
        sleep(times.drain_wait).await;
        hand_over(cluster, times).await;
        stop_signing.send_replace(true);
        // A request in work ends at its deadline at the latest.
        let mut working = in_work.subscribe();
        if timeout(times.deadline, working.wait_for(|working| !*working))
            .await
            .is_err()
        {
            tracing::warn!("requests were still in work at their deadline");
        }
        ended.send_replace(true);
        cluster.end().await;
    }
}

async fn hand_over<G: Ground>(cluster: &Cluster<G>, times: &Times) {
    if !cluster.view().borrow().is_leader {
        return;
    }
    let now = Instant::now();
    let within = times.election_max.saturating_mul(2);
    match cluster
        .transfer(None, now.checked_add(within).unwrap_or(now))
        .await
    {
        Ok(leader) => tracing::info!(leader, "handed leadership over"),
        Err(TransferError::NotLeader { .. }) => {}
        Err(error) => tracing::warn!(%error, "leaving without handing leadership over"),
    }
}
