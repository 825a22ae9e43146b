//! How long nobody gets a signature when the leader is killed, and when it is told to go.

use std::time::Duration;

use rustix::process::Signal;

use crate::real::clock::now_us;
use crate::real::failed::Failed;
use crate::real::machine::Ground;
use crate::real::scenario::{LIMIT, Scenario};
use crate::real::stage::Stage;
use crate::results::{HAND_OVER, KILL_LEADER};

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "kill -9 of the leader",
        words: "The leader's process is killed again and again under load; the gap after each is counted.",
        needs: &[],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(killed(stage)),
    },
    Scenario {
        name: "planned hand-over",
        words: "The leader is told to end (SIGTERM) again and again under load; the gap after each is counted, and no \
                request is lost.",
        needs: &[],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(told_to_go(stage)),
    },
];

/// How often, in one run: so many gaps are a distribution.
const TIMES: usize = 20;

/// Slots of every key between two of them: the cluster is at ease again.
const BETWEEN: usize = 8;

/// A drain waits for the balancer (1 s), transfers, and finishes what it has in its hands.
const DRAINED_WITHIN: Duration = Duration::from_secs(20);

async fn killed(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Plain).await?;
    stage.measure(1).await?;
    for _ in 0..TIMES {
        stage.signs(BETWEEN).await?;
        let leader = stage.world()?.leader().await?;
        let struck = now_us();
        stage.world_mut()?.kill(&[leader])?;
        let fault = stage.fault(struck, KILL_LEADER, &[leader], "its process is gone");
        stage.signs(BETWEEN).await?;
        let new = stage.world()?.leader().await?;
        if new == leader {
            return Err(Failed::NoEffect {
                fault: KILL_LEADER.to_owned(),
                instead: format!("node {leader} leads still"),
            });
        }
        stage.fault_ended(fault);
        stage.world_mut()?.start(&[leader])?;
        stage.world_mut()?.ready(&[leader]).await?;
    }
    Ok(())
}

async fn told_to_go(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Plain).await?;
    for _ in 0..TIMES {
        stage.signs(BETWEEN).await?;
        let leader = stage.world()?.leader().await?;
        let struck = now_us();
        stage
            .world()?
            .machine(leader)?
            .process()
            .signal(Signal::TERM)?;
        let code = stage.world_mut()?.ended(leader, DRAINED_WITHIN).await?;
        let fault = stage.fault(
            struck,
            HAND_OVER,
            &[leader],
            "SIGTERM was sent, and it exited 0",
        );
        stage.signs(BETWEEN).await?;
        if code != Some(0) {
            let words = format!("node {leader} was told to end, and exited with {code:?}");
            return Err(Failed::step(words));
        }
        stage.fault_ended(fault);
        stage.world_mut()?.start(&[leader])?;
        stage.world_mut()?.ready(&[leader]).await?;
    }
    Ok(())
}
