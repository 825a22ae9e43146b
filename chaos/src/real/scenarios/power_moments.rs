//! The power goes at a bad moment: after a restart that trusts its cache, during a snapshot, during the
//! return of a leader.

use std::time::Duration;

use lossyfs::{Slow, Survival};
use node::dev::deadline::Deadline;
use raft_store::disk;
use rand::RngExt as _;

use crate::real::clock::now_us;
use crate::real::config::Settings;
use crate::real::failed::Failed;
use crate::real::machine::Ground;
use crate::real::scenario::{LIMIT, Need, Scenario};
use crate::real::stage::Stage;
use crate::real::world::{NODES, PATIENCE};

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "killed, restarted, then power cut",
        words: "A killed process leaves unsynced bytes in the cache, its successor reads them back, and then the power \
                goes: what it acknowledged must have been synced by itself.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(page_cache_trap(stage)),
    },
    Scenario {
        name: "power cut during a snapshot",
        words: "Machines lose power while they write snapshots and purge the log behind them.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(during_a_snapshot(stage)),
    },
    Scenario {
        name: "power cut during a leader's return",
        words: "A leader that was killed comes back, and power goes at the returning machine, or at the new leader, \
                while it catches up.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(during_a_return(stage)),
    },
];

async fn page_cache_trap(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    for round in 0..4 {
        let (leader, followers) = stage.world()?.roles().await?;
        let nodes = match round % 2 {
            0 => vec![leader],
            _ => vec![leader, stage.one_of(&followers)?],
        };
        let struck = now_us();
        stage.world_mut()?.kill(&nodes)?;
        let unsynced = unsynced(stage, &nodes)?;
        let name = "killed and restarted on unsynced bytes";
        let fault = stage.fault(struck, name, &nodes, &unsynced);
        stage.world_mut()?.start(&nodes)?;
        // The whole way from "not open yet" to "acknowledges again" is struck, in four steps.
        let wait = Duration::from_millis(stage.random.random_range(0..600));
        tokio::time::sleep(wait).await;
        stage.fault_ended(fault);
        let cut = stage.cut_power("power cut after a restart", &NODES)?;
        stage.restore_power(cut, Survival::Drop)?;
        stage.world_mut()?.ready(&NODES).await?;
        stage.signs(4).await?;
    }
    Ok(())
}

/// What lies in the cache of these machines and on no disk, in words.
///
/// # Errors
/// [`Failed::NoEffect`] if nothing does: then the restart trusts nothing.
fn unsynced(stage: &Stage, nodes: &[u64]) -> Result<String, Failed> {
    let mut proof = Vec::new();
    for id in nodes {
        let stats = stage.world()?.machine(*id)?.disk()?.stats();
        if stats.pending_ops == 0 {
            return Err(Failed::NoEffect {
                fault: "killed and restarted on unsynced bytes".to_owned(),
                instead: format!("everything of node {id} was synced"),
            });
        }
        proof.push(format!(
            "node {id}: {} changes ({} bytes) in the cache only",
            stats.pending_ops, stats.pending_bytes
        ));
    }
    Ok(proof.join("; "))
}

/// Entries between two snapshots in this scenario: every second or two there is one.
const SNAPSHOT_EVERY: u64 = 150;

/// How long each fsync takes on the machine whose snapshot is waited for.
const SLOW: Duration = Duration::from_millis(20);

const NAME: &str = "power cut during a snapshot";

async fn during_a_snapshot(stage: &mut Stage) -> Result<(), Failed> {
    let settings = Settings {
        sections: vec![format!("[snapshots]\nevery = {SNAPSHOT_EVERY}\n")],
        ..Settings::default()
    };
    stage.cluster_with(Ground::Lossy, &settings).await?;
    for survival in [
        Survival::Drop,
        Survival::Torn,
        Survival::Prefix,
        Survival::Random,
    ] {
        let node = *NODES
            .get(stage.random.random_range(0..NODES.len()))
            .unwrap_or(&1);
        wait_for_a_snapshot(stage, node).await?;
        let cut = stage.cut_power(NAME, &[node])?;
        stage.world()?.machine(node)?.disk()?.slow(Slow::Not);
        stage.signs(2).await?;
        stage.restore_power(cut, survival)?;
        stage.back(&[node], survival).await?;
        stage.signs(4).await?;
    }
    Ok(())
}

/// Waits until a node has a snapshot half written: the staged file is there and its fsync, made slow
/// for this, is not through yet.
async fn wait_for_a_snapshot(stage: &Stage, node: u64) -> Result<(), Failed> {
    let machine = stage.world()?.machine(node)?;
    let staged = disk::staged(&machine.process().data_dir().join("snapshot"));
    machine.disk()?.slow(Slow::Fixed(SLOW));
    let deadline = Deadline::after(PATIENCE);
    while !staged.exists() {
        if deadline.passed() {
            return Err(Failed::NoEffect {
                fault: NAME.to_owned(),
                instead: format!("{} was never seen", staged.display()),
            });
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn during_a_return(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    for round in 0..4 {
        let old = stage.world()?.leader().await?;
        let struck = now_us();
        stage.world_mut()?.kill(&[old])?;
        let fault = stage.fault(struck, "leader killed", &[old], "its process is gone");
        stage.signs(2).await?;
        stage.world_mut()?.start(&[old])?;
        let new = stage.world_mut()?.first_status(old).await?.leader;
        stage.fault_ended(fault);
        let dark = match (round % 2, new) {
            (1, Some(new)) => new,
            _ => old,
        };
        let wait = Duration::from_millis(stage.random.random_range(0..200));
        tokio::time::sleep(wait).await;
        let cut = stage.cut_power("power cut during a leader's return", &[dark])?;
        let survival = stage.in_order();
        stage.restore_power(cut, survival)?;
        stage.world_mut()?.ready(&NODES).await?;
        stage.signs(3).await?;
    }
    Ok(())
}
