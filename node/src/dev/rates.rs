//! What signing with a token costs: requests beside what the token does by itself, in one run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hsm::parent::Module;
use tezos::{ChainId, Kind, Level, PublicKey, Round, Slot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::cluster::Cluster;
use super::deadline::wait_for;
use super::fault::DevError;
use super::figures::Spread;
use super::message::consensus;
use crate::config::{Config, KeySource};
use crate::keys::pin::PinSource;
use crate::keys::token::place;

/// The figures of one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// One request after another, asked of the leader.
    pub(super) sequential: Spread,
    /// Signatures a second with [`BAKERS`] at once, asked of the leader.
    pub(super) at_once: u32,
    /// Signatures a second of the token alone, over the same socket, with as many at once; `None`
    /// for a key that is in no token.
    pub(super) token: Option<u32>,
}

/// How many ask at once, each on a chain of its own: on one chain a slot follows another.
pub(super) const BAKERS: u8 = 16;

const SEQUENTIAL: u32 = 100;
const DURING: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

impl Rates {
    /// Measures one key beside a cluster in which nothing else happens.
    ///
    /// # Errors
    /// If a request fails, or the token cannot be opened once more.
    pub(super) async fn measure(
        cluster: &Cluster,
        key: &PublicKey,
        from: Level,
    ) -> Result<Self, DevError> {
        let leader = cluster.leader().await?;
        let client = Arc::new(cluster.client(&[leader])?);
        let failed = |source| DevError::Request {
            chapter: "rates",
            source,
        };
        let mut series = Vec::new();
        let mut level = from;
        for _ in 0..SEQUENTIAL {
            let message = message(key, 0, level);
            let start = Instant::now();
            client.sign(key, &message).await.map_err(failed)?;
            series.push(start.elapsed());
            level = level.next().unwrap_or(level);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let mut bakers = JoinSet::new();
        for baker in 1..=BAKERS {
            let (client, key, stop) = (Arc::clone(&client), key.clone(), Arc::clone(&stop));
            bakers.spawn(async move {
                let mut signed = 0_u32;
                let mut level = Some(from);
                while let (false, Some(here)) = (stop.load(Ordering::Relaxed), level) {
                    client.sign(&key, &message(&key, baker, here)).await?;
                    signed = signed.saturating_add(1);
                    level = here.next();
                }
                Ok(signed)
            });
        }
        sleep(DURING).await;
        stop.store(true, Ordering::Relaxed);
        let signed: Result<Vec<u32>, _> = bakers.join_all().await.into_iter().collect();
        Ok(Self {
            sequential: Spread::of(series),
            at_once: signed.map_err(failed)?.into_iter().sum(),
            token: alone(cluster, leader, key).await?,
        })
    }
}

/// Signatures a second of the leader's token alone, in a second process with its module.
async fn alone(cluster: &Cluster, leader: u64, key: &PublicKey) -> Result<Option<u32>, DevError> {
    let node = cluster.nodes().iter().find(|node| node.id() == leader);
    let node = node.ok_or_else(|| DevError::Broken(format!("there is no node {leader}")))?;
    let config = Config::load(&node.config())?;
    let source = config.keys.iter().find_map(|source| match source {
        KeySource::Pkcs11(token) => Some(token),
        KeySource::File { .. } | KeySource::Sealed { .. } => None,
    });
    let Some(source) = source else {
        return Ok(None);
    };
    let mut place = place(source, &BTreeSet::new(), config.times.sign);
    place.launch.program = cluster.program().path().to_owned();
    let guard = Arc::new(PinSource::new(source.pin.clone(), &node.data_dir()));
    let module = Arc::new(Module::start(place, guard));
    let (hash, standing) = (key.hash(), module.standing());
    wait_for("the token in a second process", PATIENCE, || async {
        match standing.borrow().trouble.clone() {
            None => Ok(()),
            Some(trouble) => Err(trouble.what),
        }
    })
    .await?;
    if !standing.borrow().keys.contains_key(&hash) {
        return Ok(None);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut signers = JoinSet::new();
    for _ in 0..BAKERS {
        let (module, stop) = (Arc::clone(&module), Arc::clone(&stop));
        signers.spawn(async move {
            let mut signed = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                module.sign(hash, [7; 32]).await?;
                signed = signed.saturating_add(1);
            }
            Ok::<_, hsm::Trouble>(signed)
        });
    }
    sleep(DURING).await;
    stop.store(true, Ordering::Relaxed);
    let signed: Result<Vec<u32>, _> = signers.join_all().await.into_iter().collect();
    Ok(Some(signed?.into_iter().sum()))
}

/// A preattestation on a chain of its own for each baker.
fn message(key: &PublicKey, baker: u8, level: Level) -> Vec<u8> {
    let chain = ChainId([b'r', b'a', b't', baker]);
    let slot = Slot::new(level, Round::default());
    consensus(key.curve(), Kind::Preattestation, chain, slot, 0)
}

/// How much longer than a commit what `after_record` adds takes, by the leader's own clock: the mean
/// of the stage `release` over that of the stage `commit`.
///
/// # Errors
/// If the metrics are not what they promise.
pub(super) async fn record_per_commit(cluster: &Cluster) -> Result<f64, DevError> {
    let leader = cluster.leader().await?;
    let node = cluster.nodes().iter().find(|node| node.id() == leader);
    let url = node.map(|node| format!("{}/metrics", node.ops_url()));
    let text = cluster.text(&url.unwrap_or_default()).await?;
    let value = |what: &str, stage: &str| {
        let name = format!("quorate_stage_duration_seconds_{what}{{stage=\"{stage}\"}}");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.and_then(|value| value.trim().parse::<f64>().ok())
            .ok_or_else(|| DevError::Broken(format!("the metrics have no {name}")))
    };
    let mean = |stage: &str| Ok::<_, DevError>(value("sum", stage)? / value("count", stage)?);
    Ok(mean("release")? / mean("commit")?)
}
