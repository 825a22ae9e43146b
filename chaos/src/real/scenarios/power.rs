//! The power goes: on one machine, on two, on all of them, and at a chosen fsync.

use lossyfs::Survival;
use rand::RngExt as _;

use crate::real::failed::Failed;
use crate::real::machine::Ground;
use crate::real::power::{Fsync, MODES};
use crate::real::scenario::{LIMIT, Need, Scenario};
use crate::real::stage::Stage;
use crate::real::world::NODES;

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "power cut of the leader",
        words: "The leader's machine loses power under load, four times, and its disk keeps nothing, a prefix, a torn \
                prefix or random sectors of what was not fsynced.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(of_the_leader(stage)),
    },
    Scenario {
        name: "power cut of a follower",
        words: "A follower's machine loses power under load, four times, with each way a disk may lose what was not \
                fsynced.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(of_a_follower(stage)),
    },
    Scenario {
        name: "power cut of two",
        words: "Two machines lose power at once, with the leader and without: nothing is signed until one is back.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(of_two(stage)),
    },
    Scenario {
        name: "power cut of all three",
        words: "The whole room loses power under load, three times; every disk loses what was not fsynced in its own \
                way.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(of_all(stage)),
    },
    Scenario {
        name: "power cut at a chosen fsync",
        words: "Power goes just before, and just after, the n-th fsync of the leader and of a follower, for several n.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(at_an_fsync(stage)),
    },
];

/// Slots of every key that are signed between two cuts.
const BETWEEN: usize = 6;

async fn of_the_leader(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    for survival in MODES {
        let leader = stage.world()?.leader().await?;
        one(stage, "power cut of the leader", leader, survival).await?;
    }
    Ok(())
}

async fn of_a_follower(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    for survival in MODES {
        let (_, followers) = stage.world()?.roles().await?;
        let follower = stage.one_of(&followers)?;
        one(stage, "power cut of a follower", follower, survival).await?;
    }
    Ok(())
}

/// Others sign on while it is dark, and it is back and ready before the next cut.
async fn one(stage: &mut Stage, name: &str, node: u64, survival: Survival) -> Result<(), Failed> {
    let cut = stage.cut_power(name, &[node])?;
    stage.signs(BETWEEN).await?;
    stage.restore_power(cut, survival)?;
    stage.back(&[node], survival).await?;
    stage.signs(BETWEEN).await
}

async fn of_two(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    for (number, survival) in MODES.into_iter().enumerate() {
        let (leader, followers) = stage.world()?.roles().await?;
        let (name, dark) = match number % 2 {
            0 => (
                "power cut of the leader and a follower",
                vec![leader, stage.one_of(&followers)?],
            ),
            _ => ("power cut of both followers", followers),
        };
        let cut = stage.cut_power(name, &dark)?;
        stage.restore_power(cut, survival)?;
        stage.back(&NODES, survival).await?;
        stage.signs(BETWEEN).await?;
    }
    Ok(())
}

async fn of_all(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    for survival in [Survival::Drop, Survival::Torn, Survival::Random] {
        let cut = stage.cut_power("power cut of all three", &NODES)?;
        stage.restore_power(cut, survival)?;
        stage.back(&NODES, survival).await?;
        stage.signs(BETWEEN).await?;
    }
    Ok(())
}

async fn at_an_fsync(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Lossy).await?;
    for number in 0..6 {
        let (leader, followers) = stage.world()?.roles().await?;
        let n = stage.random.random_range(1..60);
        let (name, fsync) = match number % 2 {
            0 => ("power cut before a chosen fsync", Fsync::Before(n)),
            _ => ("power cut after a chosen fsync", Fsync::After(n)),
        };
        let node = match number % 3 {
            2 => stage.one_of(&followers)?,
            _ => leader,
        };
        let cut = stage.cut_power_at(name, node, fsync).await?;
        stage.signs(2).await?;
        stage.restore_power(cut, Survival::Drop)?;
        stage.world_mut()?.ready(&[node]).await?;
        stage.signs(2).await?;
    }
    Ok(())
}
