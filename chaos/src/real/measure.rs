//! What every decision stands on, measured on this machine: one fdatasync and one round trip.

use std::fs::OpenOptions;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use node::dev::figures::Spread;

use super::failed::Failed;
use crate::results::Measured;

const SAMPLES: usize = 200;

/// Bytes of one write: about what one entry takes.
const WRITE: usize = 512;

/// 512 bytes written to a file that has its blocks already, as the write-ahead log has, then
/// fdatasync.
///
/// # Errors
/// What the file system says.
pub(crate) fn fdatasync(folder: &Path) -> Result<Measured, Failed> {
    let file = folder.join("fdatasync.probe");
    let series = (|| {
        let mut options = OpenOptions::new();
        let mut probe = options
            .create(true)
            .write(true)
            .truncate(true)
            .open(&file)?;
        probe.write_all(&[0; SAMPLES * WRITE])?;
        probe.sync_all()?;
        probe.rewind()?;
        let mut series = Vec::new();
        for _ in 0..SAMPLES {
            let start = Instant::now();
            probe.write_all(&[0x51; WRITE])?;
            probe.sync_data()?;
            series.push(start.elapsed());
        }
        std::fs::remove_file(&file)?;
        Ok(series)
    })();
    let series = series.map_err(Failed::file(&file))?;
    Ok(measured("fdatasync of 512 bytes", series))
}

/// One HTTP request over a kept connection on loopback to a node's health listener: what a replication RPC is,
/// without its TLS and its work.
///
/// # Errors
/// If the node does not answer.
pub(crate) async fn round_trip(ops_url: &str) -> Result<Measured, Failed> {
    let url = format!("{ops_url}/livez");
    let http = reqwest::Client::new();
    let mut series = Vec::new();
    for _ in 0..SAMPLES {
        let start = Instant::now();
        let answer = http.get(&url).send().await;
        answer.map_err(|error| Failed::step(format!("{url}: {error}")))?;
        series.push(start.elapsed());
    }
    Ok(measured("round trip between nodes", series))
}

fn measured(what: &str, series: Vec<Duration>) -> Measured {
    let Spread { p50, p99 } = Spread::of(series);
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Measured {
        what: what.to_owned(),
        p50_us: micros(p50),
        p99_us: micros(p99),
    }
}
