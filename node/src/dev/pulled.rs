//! The leader's token is taken away while a baker asks through a follower, and is brought back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tezos::{ChainId, Kind, Level, PublicKey, Round, Slot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::deadline::wait_for;
use super::fault::DevError;
use super::message::consensus;
use super::token::pull;

/// What came of it.
#[derive(Debug, Default)]
pub struct Pulled {
    /// The node whose token was taken.
    pub from: u64,
    /// The node that leads since.
    pub to: u64,
    /// Requests that were asked.
    pub asked: usize,
    /// What each one that was not signed at its first asking was answered.
    pub lost: Vec<String>,
    /// The longest that one took.
    pub longest: Duration,
    /// From the pull until another node led.
    pub handed_over: Duration,
    /// From its return until the node could sign with every key again.
    pub healed: Duration,
}

const PATIENCE: Duration = Duration::from_secs(20);

/// How long the load goes on after the new leader leads.
const AFTER: Duration = Duration::from_secs(1);

/// Pulls the token of the leader and brings it back, under the load of one baker a key.
///
/// # Errors
/// If nobody takes over, or the token does not come back.
pub async fn pull_the_leaders_token(
    cluster: &Cluster,
    keys: &[PublicKey],
    chain: ChainId,
    from: Level,
) -> Result<Pulled, DevError> {
    let leader = cluster.leader().await?;
    let ids: Vec<u64> = cluster.nodes().iter().map(|node| node.id()).collect();
    let follower = ids
        .iter()
        .copied()
        .find(|id| *id != leader)
        .unwrap_or(leader);
    let stop = Arc::new(AtomicBool::new(false));
    let mut bakers = JoinSet::new();
    for key in keys {
        let client = cluster.client(&[follower])?;
        let (stop, key) = (Arc::clone(&stop), key.clone());
        bakers.spawn(async move {
            let mut answers = Vec::new();
            let mut level = Some(from);
            while let (false, Some(here)) = (stop.load(Ordering::Relaxed), level) {
                let slot = Slot::new(here, Round::default());
                let message = consensus(key.curve(), Kind::Attestation, chain, slot, 0);
                let start = Instant::now();
                let answer = client.sign(&key, &message).await;
                answers.push((start.elapsed(), answer.err().map(|error| error.to_string())));
                level = here.next();
            }
            answers
        });
    }
    let node = cluster.nodes().iter().find(|node| node.id() == leader);
    let node = node.ok_or_else(|| DevError::Broken(format!("there is no node {leader}")))?;
    tokio::time::sleep(AFTER).await; // the load before it, to compare with
    let pulled = Instant::now();
    pull(node, true)?;
    let to = another_leader(cluster, follower, leader).await?;
    let handed_over = pulled.elapsed();
    tokio::time::sleep(AFTER).await;
    stop.store(true, Ordering::Relaxed);
    let answers: Vec<_> = bakers.join_all().await.into_iter().flatten().collect();
    let back = Instant::now();
    pull(node, false)?;
    able_again(cluster, leader, keys).await?;
    Ok(Pulled {
        from: leader,
        to,
        asked: answers.len(),
        longest: answers
            .iter()
            .map(|(took, _)| *took)
            .max()
            .unwrap_or_default(),
        lost: answers.into_iter().filter_map(|(_, lost)| lost).collect(),
        handed_over,
        healed: back.elapsed(),
    })
}

/// Waits until `asked` knows another leader than `before`.
async fn another_leader(cluster: &Cluster, asked: u64, before: u64) -> Result<u64, DevError> {
    wait_for("another leader", PATIENCE, || async {
        let status = cluster
            .status(asked)
            .await
            .map_err(|error| error.to_string())?;
        match status.leader {
            Some(leader) if leader != before => Ok(leader),
            other => Err(format!("node {asked} names {other:?}")),
        }
    })
    .await
}

/// Waits until a node says that it could sign with all of these keys.
///
/// # Errors
/// If it does not in time.
pub async fn able_again(cluster: &Cluster, id: u64, keys: &[PublicKey]) -> Result<(), DevError> {
    wait_for("the token back in use", PATIENCE, || async {
        let status = cluster
            .status(id)
            .await
            .map_err(|error| error.to_string())?;
        let own = status.nodes.iter().find(|node| node.id == id);
        let able =
            |key: &PublicKey| own.is_some_and(|own| own.can_sign.get(&key.hash()) == Some(&true));
        match keys.iter().all(able) {
            true => Ok(()),
            false => Err(format!("node {id} cannot sign with all keys")),
        }
    })
    .await
}
