//! The time of day of a node jumps or drifts. Nothing about safety hangs on it (R16).
//!
//! `libfaketime` stands between a node and the clock; the monotonic clock is left alone. That it took is
//! read from the time of day in the node's own audit lines.

use std::fs;
use std::path::{Path, PathBuf};

use node::dev::deadline::wait_for;
use raft_store::disk;
use serde::Deserialize;

use crate::real::clock::now_us;
use crate::real::config::Settings;
use crate::real::failed::Failed;
use crate::real::machine::Ground;
use crate::real::scenario::{LIMIT, Need, Scenario};
use crate::real::stage::Stage;
use crate::real::time_of_day;
use crate::real::world::{NODES, PATIENCE};

/// Where Debian's package `libfaketime` puts it.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

pub(crate) const ALL: &[Scenario] = &[Scenario {
    name: "wall clocks jump and drift",
    words: "The time of day of the leader and of a follower jumps an hour forth and back, and runs ten times too fast: \
            signing goes on, and no mark moves for it (R16).",
    needs: &[Need::File(LIBRARY, "libfaketime")],
    must_be_seen: false,
    limit: LIMIT,
    tell: |stage| Box::pin(jump_and_drift(stage)),
}];

const HOUR_S: i64 = 3_600;

/// A time of day that is off by so much has jumped. Drift is told by growing beyond it.
const OFF_S: i64 = 60;

/// What the time of day of a node is told to do, in the words of `libfaketime`.
#[derive(Clone, Copy)]
struct Clock {
    name: &'static str,
    words: &'static str,
    /// How far off it has to be to have taken, in seconds.
    off_s: i64,
}

const CLOCKS: [Clock; 3] = [
    Clock {
        name: "wall clock an hour ahead",
        words: "+3600",
        off_s: HOUR_S - OFF_S,
    },
    Clock {
        name: "wall clock an hour behind",
        words: "-3600",
        off_s: OFF_S - HOUR_S,
    },
    Clock {
        name: "wall clock ten times too fast",
        words: "+0 x10",
        off_s: OFF_S,
    },
];

const RIGHT: &str = "+0";

async fn jump_and_drift(stage: &mut Stage) -> Result<(), Failed> {
    with_clocks(stage).await?;
    for clock in CLOCKS {
        let (leader, followers) = stage.world()?.roles().await?;
        let nodes = [leader, stage.one_of(&followers)?];
        let struck = now_us();
        let mut proof = Vec::new();
        for node in nodes {
            set(stage, node, clock.words)?;
        }
        for node in nodes {
            let off_s = is_off(stage, node, clock, struck).await?;
            proof.push(format!(
                "node {node} wrote a time of day that was off by {off_s} s"
            ));
        }
        stage.signs(3).await?;
        let fault = stage.fault(struck, clock.name, &nodes, &proof.join("; "));
        for node in nodes {
            set(stage, node, RIGHT)?;
        }
        stage.fault_ended(fault);
        stage.signs(2).await?;
    }
    Ok(())
}

/// A cluster whose nodes ask `libfaketime` for the time of day.
async fn with_clocks(stage: &mut Stage) -> Result<(), Failed> {
    stage.machines(Ground::Plain, &Settings::default())?;
    for node in NODES {
        set(stage, node, RIGHT)?;
        let file = file(stage.world()?.machine(node)?.folder());
        let process = stage.world_mut()?.machine_mut(node)?.process_mut();
        process.env("LD_PRELOAD", LIBRARY);
        process.env("FAKETIME_TIMESTAMP_FILE", file.to_string_lossy());
        // Read anew each time, so that the clock can jump while the node runs.
        process.env("FAKETIME_NO_CACHE", "1");
        process.env("DONT_FAKE_MONOTONIC", "1");
    }
    stage.found().await
}

fn file(folder: &Path) -> PathBuf {
    folder.join("time-of-day")
}

fn set(stage: &Stage, node: u64, words: &str) -> Result<(), Failed> {
    let file = file(stage.world()?.machine(node)?.folder());
    disk::replace(&file, &[words.as_bytes()]).map_err(Failed::file(&file))
}

/// Waits until a node writes a time of day that is off by enough, and says by how much.
async fn is_off(stage: &Stage, node: u64, clock: Clock, since_us: u64) -> Result<i64, Failed> {
    let audit = stage.world()?.machine(node)?.audit();
    let look = || async {
        let off_s = off_s(&audit, since_us).ok_or("it wrote nothing since")?;
        let is_enough = match clock.off_s {
            ahead @ 0.. => off_s >= ahead,
            behind => off_s <= behind,
        };
        match is_enough {
            true => Ok(off_s),
            false => Err(format!("it is off by {off_s} s")),
        }
    };
    let off = wait_for("a clock to be off", PATIENCE, look).await;
    off.map_err(|error| Failed::NoEffect {
        fault: clock.name.to_owned(),
        instead: error.to_string(),
    })
}

#[derive(Deserialize)]
struct Written {
    at_us: u64,
    wall: String,
}

/// By how many seconds the time of day in the last line of an audit file is off, if that line was
/// written after a moment.
fn off_s(audit: &Path, since_us: u64) -> Option<i64> {
    let text = fs::read_to_string(audit).ok()?;
    let whole = text.rsplit_once('\n')?.0;
    let last: Written = serde_json::from_str(whole.lines().next_back()?).ok()?;
    let ago_us = now_us().checked_sub(last.at_us)?;
    let ago_s = i64::try_from(ago_us / 1_000_000).ok()?;
    let said = time_of_day::seconds(&last.wall)?;
    let right = time_of_day::now()?.checked_sub(ago_s)?;
    (last.at_us > since_us).then(|| said.saturating_sub(right))
}
