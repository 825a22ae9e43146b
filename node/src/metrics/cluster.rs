//! Figures that are read when somebody asks for them: consensus, health, and where each key stands.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use raft_store::ledger::Ledger;
use raft_store::machine::StateDisk;
use tezos::PublicKeyHash;

use crate::health::{Check, Facts, Monitor, Source};

/// The figures of one node and of its applied state.
pub struct ClusterMetrics<D: StateDisk, S> {
    ledger: Ledger<D>,
    source: S,
    monitor: Monitor,
}

impl<D: StateDisk, S: Source> ClusterMetrics<D, S> {
    /// Reads `ledger`, `source` and `monitor` at each scrape.
    pub const fn new(ledger: Ledger<D>, source: S, monitor: Monitor) -> Self {
        Self {
            ledger,
            source,
            monitor,
        }
    }

    fn marks(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let state = self.ledger.state();
        let of_every_mark = |figure: fn(&tezos::Slot) -> u32| {
            state
                .keys
                .iter()
                .flat_map(move |(hash, key)| {
                    key.marks.iter().map(move |((chain, kind), mark)| {
                        let labels = vec![
                            ("key", short(hash)),
                            ("chain", chain.to_string()),
                            ("kind", kind.name().to_owned()),
                        ];
                        (labels, i64::from(figure(&mark.slot)))
                    })
                })
                .collect()
        };
        let levels: Vec<Sample> = of_every_mark(|slot| slot.level.get());
        let rounds: Vec<Sample> = of_every_mark(|slot| slot.round.get());
        gauge(
            encoder,
            "watermark_level",
            "The highest level granted",
            levels,
        )?;
        gauge(
            encoder,
            "watermark_round",
            "The round at that level",
            rounds,
        )
    }
}

type Sample = (Vec<(&'static str, String)>, i64);

impl<D: StateDisk, S: Source> Collector for ClusterMetrics<D, S> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let facts = self.source.facts();
        consensus(&mut encoder, &facts)?;
        health(&mut encoder, &facts, &self.monitor)?;
        self.marks(&mut encoder)
    }
}

fn consensus(encoder: &mut DescriptorEncoder<'_>, facts: &Facts) -> fmt::Result {
    let leads = facts.me.is_some() && facts.me == facts.leader;
    let index = |index: Option<u64>| number(index.unwrap_or(0));
    for (name, help, value) in [
        ("raft_is_leader", "1 on the leader", i64::from(leads)),
        (
            "raft_has_leader",
            "1 if a leader is known",
            i64::from(facts.leader.is_some()),
        ),
        ("raft_term", "The current term", number(facts.term)),
        (
            "raft_committed_index",
            "The newest committed index known here",
            index(facts.committed),
        ),
        (
            "raft_applied_index",
            "The newest index applied here",
            index(facts.applied),
        ),
        (
            "raft_voters",
            "The voters of the cluster",
            number(facts.voters.len()),
        ),
    ] {
        gauge(encoder, name, help, vec![(Vec::new(), value)])?;
    }
    if let Some(age) = facts.quorum_ack_age {
        let sample = (Vec::new(), number(age.as_millis()));
        let help = "On the leader: since a majority last acknowledged it";
        gauge(
            encoder,
            "raft_quorum_ack_age_milliseconds",
            help,
            vec![sample],
        )?;
    }
    let of_every_peer = |figure: &dyn Fn(&crate::health::PeerFacts) -> i64| -> Vec<Sample> {
        facts
            .peers
            .iter()
            .map(|(id, peer)| (vec![("peer", id.to_string())], figure(peer)))
            .collect()
    };
    let age = of_every_peer(&|peer| peer.hello_age.map_or(-1, |age| number(age.as_millis())));
    let help = "Since the peer last said hello; -1 if it never did";
    gauge(encoder, "raft_peer_hello_age_milliseconds", help, age)?;
    let suspect = of_every_peer(&|peer| i64::from(peer.suspect.is_some()));
    gauge(
        encoder,
        "raft_peer_suspect",
        "1 if the peer is not trusted",
        suspect,
    )
}

fn health(encoder: &mut DescriptorEncoder<'_>, facts: &Facts, monitor: &Monitor) -> fmt::Result {
    let health = monitor.health();
    for (name, help, value) in [
        (
            "ready",
            "1 if this node can get a signature now",
            i64::from(health.is_ready()),
        ),
        (
            "locked",
            "1 if the cluster was recovered and is locked",
            i64::from(facts.locked),
        ),
        ("draining", "1 on the way out", i64::from(facts.draining)),
        (
            "keys_enabled",
            "Keys enrolled and enabled",
            number(facts.keys_enabled),
        ),
        (
            "keys_usable",
            "Those this node has a secret for",
            number(facts.keys_usable),
        ),
    ] {
        gauge(encoder, name, help, vec![(Vec::new(), value)])?;
    }
    let checks = Check::ALL.into_iter().map(|check| {
        let passes = i64::from(!health.failed.contains(&check));
        (vec![("name", check.name().to_owned())], passes)
    });
    gauge(
        encoder,
        "health_check",
        "1 if the check passes",
        checks.collect(),
    )
}

/// Keys are told apart by their first 12 characters, which do not make a page of every graph.
fn short(key: &PublicKeyHash) -> String {
    key.to_string().chars().take(12).collect()
}

/// A figure beyond 63 bits is shown as the largest that fits.
fn number(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    samples: Vec<Sample>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    // A figure without labels has no braces either.
    if let [(labels, value)] = samples.as_slice()
        && labels.is_empty()
    {
        return ConstGauge::new(*value).encode(metric);
    }
    for (labels, value) in samples {
        let value = ConstGauge::new(value);
        value.encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

impl<D: StateDisk, S> fmt::Debug for ClusterMetrics<D, S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClusterMetrics")
            .field("monitor", &self.monitor)
            .finish_non_exhaustive()
    }
}
