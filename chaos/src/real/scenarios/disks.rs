//! Disks that fail: an fsync that loses its data, and no space left.

use lossyfs::Survival;
use rand::RngExt as _;

use crate::real::clock::now_us;
use crate::real::failed::Failed;
use crate::real::machine::Ground;
use crate::real::scenario::{LIMIT, Need, Scenario};
use crate::real::stage::Stage;
use crate::real::world::PATIENCE;

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "failed fsync",
        words: "An fsync of the leader, then one of a follower, fails with EIO and its data is lost, as Linux does it: \
                the process ends with 74, the others sign on, it comes back from what its cache shows, and then its \
                power goes.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(failed_fsync(stage)),
    },
    Scenario {
        name: "full disk",
        words: "The leader's disk runs out of space: it hands over, ends with 74 when a write fails, and the others \
                sign on; with space again it comes back.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(full_disk(stage)),
    },
];

/// What a process ends with when its disk fails (`EX_IOERR`).
const EXIT_IO: Option<i32> = Some(74);

/// Slots of every key that are signed between two steps.
const BETWEEN: usize = 4;

const EIO: &str = "failed fsync";

async fn failed_fsync(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    for round in 0..2 {
        let (leader, followers) = stage.world()?.roles().await?;
        let node = match round {
            0 => leader,
            _ => stage.one_of(&followers)?,
        };
        let disk = stage.world()?.machine(node)?.disk()?;
        let before = disk.stats();
        disk.eio_at_fsync(stage.random.random_range(1..30));
        let code = stage.world_mut()?.ended(node, PATIENCE).await?;
        let struck = now_us();
        let after = disk.stats();
        let proof = format!(
            "{} of its fsyncs failed, {} bytes are lost, and it exited with {code:?}",
            after.eios.saturating_sub(before.eios),
            after
                .eio_dropped_bytes
                .saturating_sub(before.eio_dropped_bytes)
        );
        if after.eios == before.eios {
            return Err(no_effect(EIO, &proof));
        }
        if code != EXIT_IO {
            return Err(Failed::step(format!("node {node}: {proof}")));
        }
        let fault = stage.fault(struck, EIO, &[node], &proof);
        stage.signs(BETWEEN).await?;
        // What it reads back now is in its cache, marked clean, and not on its disk.
        stage.world_mut()?.start(&[node])?;
        stage.world_mut()?.ready(&[node]).await?;
        stage.fault_ended(fault);
        stage.signs(BETWEEN).await?;
        let cut = stage.cut_power("power cut after a failed fsync", &[node])?;
        stage.restore_power(cut, Survival::Drop)?;
        stage.world_mut()?.ready(&[node]).await?;
        stage.signs(BETWEEN).await?;
    }
    Ok(())
}

const FULL: &str = "full disk";

/// Less than a node wants to have, and more than it needs for some seconds.
const LITTLE: u64 = 4 << 20;

async fn full_disk(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    let node = stage.world()?.leader().await?;
    let disk = stage.world()?.machine(node)?.disk()?;
    let struck = now_us();
    disk.enospc_after(LITTLE);
    other_leader(stage, node).await?;
    stage.signs(BETWEEN).await?;
    disk.enospc_after(0);
    let code = stage.world_mut()?.ended(node, PATIENCE).await?;
    let refused = disk.stats().enospcs;
    let proof = format!(
        "with 4 MiB left it handed over; then {refused} writes found no space, and it exited with \
         {code:?}"
    );
    if refused == 0 {
        return Err(no_effect(FULL, &proof));
    }
    if code != EXIT_IO {
        return Err(Failed::step(format!("node {node}: {proof}")));
    }
    let fault = stage.fault(struck, FULL, &[node], &proof);
    stage.signs(BETWEEN).await?;
    disk.space();
    stage.fault_ended(fault);
    stage.world_mut()?.start(&[node])?;
    stage.world_mut()?.ready(&[node]).await?;
    stage.signs(BETWEEN).await
}

/// Waits until somebody else leads.
async fn other_leader(stage: &Stage, old: u64) -> Result<(), Failed> {
    let moved = node::dev::deadline::wait_for("a leader with space", PATIENCE, || async {
        match stage.world() {
            Ok(world) => match world.leader().await {
                Ok(leader) if leader != old => Ok(()),
                Ok(leader) => Err(format!("node {leader} leads still")),
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(error.to_string()),
        }
    });
    moved
        .await
        .map_err(|error| no_effect(FULL, &error.to_string()))
}

fn no_effect(fault: &str, instead: &str) -> Failed {
    Failed::NoEffect {
        fault: fault.to_owned(),
        instead: instead.to_owned(),
    }
}
