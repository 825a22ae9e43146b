//! Logs: where they go, and the one line that every decision leaves (R46).
//!
//! Lines go to standard error through a bounded queue. A log that cannot be written never blocks
//! or allows signing; lines that do not fit are dropped.

use std::time::Duration;

use tezos::{Digest, PublicKeyHash};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::answer::{Message, Reply};
use crate::config::{Log, LogFormat};

/// Keeps the log's writer running; dropping it writes what is queued.
#[derive(Debug)]
pub struct Telemetry {
    _writer: WorkerGuard,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read; a configuration that was checked has none of these.
    #[error("log.level is not a log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another part of this process logs already.
    #[error("logging was set up twice: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Lines that wait to be written. At some 250 bytes a line, 2 MiB.
const QUEUED_LINES_MAX: usize = 8192;

/// Sets up logging for this process.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(log: &Log) -> Result<Telemetry, TelemetryError> {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES_MAX)
        .lossy(true)
        .thread_name("log")
        .finish(std::io::stderr());
    let filter: Targets = log.level.parse()?;
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init()?;
    Ok(Telemetry { _writer: guard })
}

/// One decision, for the audit.
///
/// **Invariant:** there is no field for a payload, a secret or a signature.
#[derive(Debug)]
pub struct Decision<'request> {
    /// The key that was asked for.
    pub key: &'request PublicKeyHash,
    /// What its first byte announces.
    pub label: &'static str,
    /// What was to be signed, if it could be read.
    pub message: Option<Message>,
    /// The digest of it, if it could be read.
    pub digest: Option<Digest>,
    /// What came of it.
    pub reply: &'request Reply,
    /// The node that decided: this one.
    pub node: u64,
    /// The node that forwarded the request, if it did not come to this one.
    pub forwarded_by: Option<u64>,
    /// Term and index of the newest entry behind the decision, as far as there is one.
    pub entry: Option<raft_store::types::EntryId>,
    /// From the request's arrival at this node to its answer.
    pub took: Duration,
}

impl Decision<'_> {
    /// Writes the line. Its form is fixed: the same fields, in this order, for every decision.
    pub fn log(&self) {
        let place = match self.message {
            Some(Message::Consensus { chain, slot, .. }) => Some((chain.to_string(), slot)),
            Some(Message::Operation | Message::Possession) | None => None,
        };
        let (chain, slot) = place.unzip();
        tracing::info!(
            target: "quorate::decision",
            key = %self.key,
            kind = self.label,
            chain,
            height = slot.map(|slot| slot.level.get()),
            round = slot.map(|slot| slot.round.get()),
            digest = self.digest.map(|digest| prefix(&digest)),
            outcome = self.reply.outcome(),
            reason = self.reply.reason(),
            node = self.node,
            forwarded_by = self.forwarded_by,
            term = self.entry.map(|entry| entry.term),
            index = self.entry.map(|entry| entry.index),
            ms = milliseconds(self.took),
            "decision"
        );
    }
}

/// Eight digits tell two messages of a slot apart and give nothing away.
fn prefix(digest: &Digest) -> String {
    digest.to_string().chars().take(8).collect()
}

/// Milliseconds with three decimals.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests;
