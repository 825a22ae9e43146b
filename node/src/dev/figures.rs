//! How long a request takes beside what it cannot do without: one fdatasync, one round trip
//! between nodes, one signature; all measured in one run on one machine.

use std::fs::OpenOptions;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use tezos::{Curve, SecretKey};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::fault::DevError;

/// The middle and the slow end of a series.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Half of all took at most this.
    pub p50: Duration,
    /// 99 of 100 took at most this.
    pub p99: Duration,
}

impl Spread {
    /// The spread of a series, which is sorted for it; zero for an empty one.
    pub fn of(mut series: Vec<Duration>) -> Self {
        series.sort_unstable();
        let at = |percent: usize| {
            let rank = series.len().saturating_mul(percent).div_ceil(100);
            series
                .get(rank.saturating_sub(1))
                .copied()
                .unwrap_or_default()
        };
        Self {
            p50: at(50),
            p99: at(99),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} p50, {} p99", told(self.p50), told(self.p99))
    }
}

/// A duration in the unit one would say it in.
pub(super) fn told(duration: Duration) -> String {
    match duration.as_micros() {
        0..1_000 => format!("{} us", duration.as_micros()),
        1_000..100_000 => format!("{:.2} ms", duration.as_secs_f64() * 1_000.0),
        100_000..1_000_000 => format!("{:.0} ms", duration.as_secs_f64() * 1_000.0),
        _ => format!("{:.2} s", duration.as_secs_f64()),
    }
}

/// The floor of a request.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// 512 bytes written to a file in the cluster's folder that has its blocks already, as the
    /// write-ahead log has, then fdatasync.
    pub fdatasync: Spread,
    /// One HTTP request over a kept connection on loopback, to a node's health listener: what a
    /// replication RPC is, without its TLS and its work.
    pub round_trip: Spread,
    /// One signature in this process.
    pub signature: Spread,
}

const SAMPLES: usize = 200;
/// Bytes of one write: about what one entry takes.
const WRITE: usize = 512;

impl Floor {
    /// Measures it beside a running cluster.
    ///
    /// # Errors
    /// If a file cannot be written, a node does not answer, or there is no randomness.
    pub async fn measure(cluster: &Cluster, leader: u64, curve: Curve) -> Result<Self, DevError> {
        Ok(Self {
            fdatasync: fdatasync(&cluster.dir().join("fdatasync.probe"))?,
            round_trip: round_trip(cluster, leader).await?,
            signature: signature(curve)?,
        })
    }

    /// The three together.
    pub fn p50(&self) -> Duration {
        self.fdatasync
            .p50
            .saturating_add(self.round_trip.p50)
            .saturating_add(self.signature.p50)
    }

    /// How many floors high a duration is.
    pub fn ratio(&self, duration: Duration) -> f64 {
        duration.as_secs_f64() / self.p50().as_secs_f64()
    }
}

fn fdatasync(file: &Path) -> Result<Spread, DevError> {
    let mut probe = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(file)
        .map_err(DevError::file(file))?;
    // A file that grows pays for its new size with every fdatasync; the log does not.
    probe
        .write_all(&[0; SAMPLES * WRITE])
        .and_then(|()| probe.sync_all())
        .and_then(|()| probe.rewind())
        .map_err(DevError::file(file))?;
    let mut series = Vec::new();
    for _ in 0..SAMPLES {
        let start = Instant::now();
        probe
            .write_all(&[0x51; WRITE])
            .and_then(|()| probe.sync_data())
            .map_err(DevError::file(file))?;
        series.push(start.elapsed());
    }
    std::fs::remove_file(file).map_err(DevError::file(file))?;
    Ok(Spread::of(series))
}

async fn round_trip(cluster: &Cluster, leader: u64) -> Result<Spread, DevError> {
    let urls = cluster
        .nodes()
        .iter()
        .filter(|node| node.id() == leader)
        .map(|node| format!("{}/livez", node.ops_url()));
    let url: String = urls.collect();
    let mut series = Vec::new();
    for _ in 0..SAMPLES {
        let start = Instant::now();
        cluster
            .answers(url.clone())
            .await
            .map_err(DevError::Broken)?;
        series.push(start.elapsed());
    }
    Ok(Spread::of(series))
}

fn signature(curve: Curve) -> Result<Spread, DevError> {
    let secret = SecretKey::generate(curve)
        .map_err(|error| DevError::Broken(format!("no key for the floor: {error}")))?;
    let message = [0x13; 80];
    let mut series = Vec::new();
    for _ in 0..SAMPLES {
        let start = Instant::now();
        std::hint::black_box(secret.sign(&message));
        series.push(start.elapsed());
    }
    Ok(Spread::of(series))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_names_the_middle_and_the_slow_end() {
        let series = (1..=200).rev().map(Duration::from_micros).collect();
        let spread = Spread::of(series);
        assert_eq!(spread.to_string(), "100 us p50, 198 us p99");
        assert_eq!(Spread::of(vec![]).p99, Duration::ZERO);
    }

    #[test]
    fn a_duration_is_told_in_its_own_unit() {
        for (micros, text) in [
            (999, "999 us"),
            (1_234, "1.23 ms"),
            (123_456, "123 ms"),
            (1_234_567, "1.23 s"),
        ] {
            assert_eq!(told(Duration::from_micros(micros)), text);
        }
    }
}
