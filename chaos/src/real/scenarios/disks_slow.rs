//! Disks that take their time.

use std::time::Duration;

use lossyfs::Slow;

use crate::real::clock::now_us;
use crate::real::failed::Failed;
use crate::real::machine::Ground;
use crate::real::scenario::{LIMIT, Need, Scenario};
use crate::real::stage::Stage;

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "slow disk on one node",
        words: "Every fsync of one machine takes 300 ms, the leader's first and then a follower's: the other two sign \
                on.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(on_one(stage)),
    },
    Scenario {
        name: "slow disk on two nodes",
        words: "Every fsync of two machines takes 25 ms, and one in twenty 150 ms: no majority is without one of \
                them, and they sign on at the pace of that disk.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(on_two(stage)),
    },
];

/// Slots of every key that are signed meanwhile.
const MEANWHILE: usize = 6;

/// Three heartbeats: such a disk cannot keep up with any election timeout of ours.
const SICK: Slow = Slow::Fixed(Duration::from_millis(300));

/// A disk that does other work too: its rare stalls are longer than a heartbeat.
const BUSY: Slow = Slow::Stalls {
    usual: Duration::from_millis(25),
    rare: Duration::from_millis(150),
    per_mille: 50,
};

async fn on_one(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    let leader = stage.world()?.leader().await?;
    slowed(stage, "slow disk of the leader", &[leader], SICK).await?;
    let (_, followers) = stage.world()?.roles().await?;
    let follower = stage.one_of(&followers)?;
    slowed(stage, "slow disk of a follower", &[follower], SICK).await
}

async fn on_two(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    let (leader, followers) = stage.world()?.roles().await?;
    let nodes = [leader, stage.one_of(&followers)?];
    slowed(stage, "slow disks of two", &nodes, BUSY).await
}

/// Signs while these disks are slow, and some more when they are not any longer.
async fn slowed(stage: &Stage, name: &str, nodes: &[u64], slow: Slow) -> Result<(), Failed> {
    let struck = now_us();
    let mut disks = Vec::new();
    for id in nodes {
        let disk = stage.world()?.machine(*id)?.disk()?;
        disk.slow(slow);
        disks.push((id, disk.stats(), disk));
    }
    stage.signs(MEANWHILE).await?;
    let mut proof = Vec::new();
    for (id, before, disk) in disks {
        disk.slow(Slow::Not);
        let after = disk.stats();
        let count = after.slowed.saturating_sub(before.slowed);
        let took = Duration::from_micros(after.slowed_us.saturating_sub(before.slowed_us));
        if count == 0 {
            return Err(Failed::NoEffect {
                fault: name.to_owned(),
                instead: format!("node {id} asked for no fsync"),
            });
        }
        proof.push(format!(
            "node {id}: {count} fsyncs took {} ms more",
            took.as_millis()
        ));
    }
    let fault = stage.fault(struck, name, nodes, &proof.join("; "));
    stage.fault_ended(fault);
    stage.signs(MEANWHILE).await
}
