//! What this node counts and times, in Prometheus' text form, every name with `quorate_` before it.
//!
//! A refusal and a failure are counted apart (P4). Labels are from small closed sets, so a stranger
//! cannot make them grow.

mod cluster;

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

use crate::answer::Reply;

pub use cluster::ClusterMetrics;

/// The metrics of one node.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Request, Counter>,
    refusals: Family<Reason, Counter>,
    failures: Family<Reason, Counter>,
    seconds: Family<Path, Histogram, fn() -> Histogram>,
    stages: Family<Station, Histogram, fn() -> Histogram>,
    responses: Family<Status, Counter>,
}

/// How a request came to this node and left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// It came here and was decided here.
    Here,
    /// Another node forwarded it here, where it was decided.
    Peer,
    /// It came here and the leader decided it.
    Leader,
}

/// A part of the sign path that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The advance or permit, until a majority has it on disk.
    Commit,
    /// The signature, until it is verified.
    Sign,
    /// The release; for a key released after the record, another commit.
    Release,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    kind: &'static str,
    result: &'static str,
    path: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Path {
    kind: &'static str,
    path: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Station {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::default();
        let refusals = Family::default();
        let failures = Family::default();
        let responses = Family::default();
        let seconds: Family<Path, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(histogram);
        let stages: Family<Station, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(histogram);
        let mut registry = Registry::with_prefix("quorate");
        registry.register(
            "requests",
            "Requests for a signature, by kind, result and path",
            requests.clone(),
        );
        registry.register(
            "refusals",
            "Decisions not to sign, by reason",
            refusals.clone(),
        );
        registry.register(
            "failures",
            "Requests that were neither signed nor refused, by reason",
            failures.clone(),
        );
        registry.register(
            "http_responses",
            "Answers of the signer API, by status",
            responses.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "From the request at this node to its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        registry.register_with_unit(
            "stage_duration",
            "The parts of the sign path on the node that decides",
            Unit::Seconds,
            stages.clone(),
        );
        let build = Info::new(Build {
            version: env!("CARGO_PKG_VERSION"),
        });
        registry.register("build", "The version of this node", build);
        let registry = Mutex::new(registry);
        Self {
            registry,
            requests,
            refusals,
            failures,
            seconds,
            stages,
            responses,
        }
    }
}

impl Metrics {
    /// Adds figures that are read when somebody asks for them.
    pub fn collect(&self, collector: impl Collector) {
        self.registry().register_collector(Box::new(collector));
    }

    /// Shows a figure that another part counts.
    pub fn count(&self, name: &str, help: &str, counter: &Counter) {
        self.registry().register(name, help, counter.clone());
    }

    /// Counts an answer of the sign path.
    pub fn answered(&self, kind: &'static str, reply: &Reply, via: Via, took: Duration) {
        let path = match via {
            Via::Here => "local",
            Via::Peer => "for_peer",
            Via::Leader => "forwarded",
        };
        let result = reply.outcome();
        self.requests
            .get_or_create(&Request { kind, result, path })
            .inc();
        self.seconds
            .get_or_create(&Path { kind, path })
            .observe(took.as_secs_f64());
        // What a peer decided is counted there.
        match (reply, reply.reason(), via) {
            (Reply::Refused(_), Some(reason), Via::Here | Via::Peer) => {
                self.refusals.get_or_create(&Reason { reason }).inc();
            }
            (Reply::Failed(_), Some(reason), Via::Here | Via::Peer) => {
                self.failures.get_or_create(&Reason { reason }).inc();
            }
            _ => {}
        }
    }

    /// Counts an answer of the signer API.
    pub fn responded(&self, status: u16) {
        self.responses.get_or_create(&Status { status }).inc();
    }

    /// Times a part of the sign path.
    pub async fn time<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        let stage = match stage {
            Stage::Commit => "commit",
            Stage::Sign => "sign",
            Stage::Release => "release",
        };
        let started = Instant::now();
        let done = work.await;
        self.stages
            .get_or_create(&Station { stage })
            .observe(started.elapsed().as_secs_f64());
        done
    }

    /// Everything in Prometheus' text form.
    ///
    /// # Errors
    /// Only if a collector fails to write its figures.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry())?;
        Ok(text)
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Half a millisecond to eight seconds: a commit on NVMe, and the slowest HSM within a deadline.
fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_5, 2.0, 15))
}
