//! A process stands still, or gets next to no time.

use std::fs;
use std::time::Duration;

use judge::history::Event;
use node::dev::deadline::{Deadline, wait_for};
use rustix::process::Signal;

use crate::real::audit;
use crate::real::clock::now_us;
use crate::real::control_group::ControlGroup;
use crate::real::failed::Failed;
use crate::real::machine::Ground;
use crate::real::scenario::{LIMIT, Need, Scenario};
use crate::real::stage::Stage;
use crate::real::world::{NODES, PATIENCE};

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "leader paused for 5 s",
        words: "The leader is stopped (SIGSTOP) with requests in its hands, another one signs for 5 s, and it wakes up \
                believing that it still leads (R13).",
        needs: &[],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(paused(stage)),
    },
    Scenario {
        name: "leader without processor time",
        words: "The leader gets 3 % of one processor: it is slow, deposed and elected, and nothing is signed twice.",
        needs: &[Need::Root],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(starved(stage)),
    },
];

/// How long the leader stands still.
const PAUSE: Duration = Duration::from_secs(5);

async fn paused(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Plain).await?;
    for _ in 0..2 {
        stage.signs(3).await?;
        let leader = stage.world()?.leader().await?;
        let struck = now_us();
        signal(stage, leader, Signal::STOP)?;
        stands_still(stage, leader).await?;
        let until = Deadline::after(PAUSE);
        let next = next_leader(stage, leader).await?;
        tokio::time::sleep(until.left()).await;
        let released = released_since(stage, next, struck)?;
        if released == 0 {
            return Err(Failed::NoEffect {
                fault: PAUSED.to_owned(),
                instead: format!("node {next} released nothing meanwhile"),
            });
        }
        let proof = format!(
            "its process was in state T for {} s; node {next} led and released {released} signatures",
            PAUSE.as_secs()
        );
        let fault = stage.fault(struck, PAUSED, &[leader], &proof);
        signal(stage, leader, Signal::CONT)?;
        stage.fault_ended(fault);
        stage.world_mut()?.ready(&NODES).await?;
    }
    stage.signs(2).await
}

const PAUSED: &str = "leader paused";

fn signal(stage: &Stage, node: u64, signal: Signal) -> Result<(), Failed> {
    Ok(stage.world()?.machine(node)?.process().signal(signal)?)
}

/// Waits until the kernel says that the process is stopped.
async fn stands_still(stage: &Stage, node: u64) -> Result<(), Failed> {
    let pid = stage
        .world()?
        .machine(node)?
        .process()
        .pid()
        .unwrap_or_default();
    let stat = format!("/proc/{pid}/stat");
    let look = || async {
        let text = fs::read_to_string(&stat).map_err(|error| error.to_string())?;
        // The state stands after the name, which is in parentheses and may hold anything.
        let state = text
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().next());
        match state {
            Some("T") => Ok(()),
            other => Err(format!("its state is {other:?}")),
        }
    };
    let stopped = wait_for("a process to stand still", PATIENCE, look).await;
    stopped.map_err(|error| Failed::NoEffect {
        fault: PAUSED.to_owned(),
        instead: error.to_string(),
    })
}

/// The node that the others take for their leader instead.
async fn next_leader(stage: &Stage, paused: u64) -> Result<u64, Failed> {
    let world = stage.world()?;
    let look = || async {
        for id in NODES.into_iter().filter(|id| *id != paused) {
            let status = world.status(id).await.map_err(|error| error.to_string())?;
            if let Some(leader) = status.leader.filter(|leader| *leader != paused) {
                return Ok(leader);
            }
        }
        Err(format!("nobody but node {paused} leads"))
    };
    Ok(wait_for("another leader", PAUSE, look).await?)
}

/// How many signatures a node let go since a moment.
fn released_since(stage: &Stage, node: u64, since_us: u64) -> Result<usize, Failed> {
    let lines = audit::read(&stage.world()?.machine(node)?.audit())?;
    let released = |line: &&judge::history::Line| {
        line.at_us > since_us && matches!(line.event, Event::Released { .. })
    };
    Ok(lines.iter().filter(released).count())
}

/// Of 100 ms, how many the leader may run.
const SHARE_MS: u32 = 3;

/// How long it gets no more.
const STARVED: Duration = Duration::from_secs(4);

async fn starved(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Plain).await?;
    for _ in 0..2 {
        stage.signs(3).await?;
        let leader = stage.world()?.leader().await?;
        let pid = stage
            .world()?
            .machine(leader)?
            .process()
            .pid()
            .unwrap_or_default();
        let struck = now_us();
        let group = ControlGroup::of(pid, SHARE_MS)?;
        tokio::time::sleep(STARVED).await;
        let throttled = group.throttled()?;
        drop(group);
        if throttled.is_zero() {
            return Err(Failed::NoEffect {
                fault: STARVED_NAME.to_owned(),
                instead: "the kernel held it back at no time".to_owned(),
            });
        }
        let proof = format!(
            "the kernel held its threads back for {} ms in {} s",
            throttled.as_millis(),
            STARVED.as_secs()
        );
        let fault = stage.fault(struck, STARVED_NAME, &[leader], &proof);
        stage.fault_ended(fault);
        stage.world_mut()?.ready(&NODES).await?;
    }
    stage.signs(2).await
}

const STARVED_NAME: &str = "leader without processor time";
