//! Two nodes get each other's data folder: at rest, and under their feet.

use std::fs;
use std::time::Duration;

use node::dev::deadline::{Deadline, wait_for};

use crate::real::clock::now_us;
use crate::real::copies;
use crate::real::failed::Failed;
use crate::real::machine::Ground;
use crate::real::scenario::{LIMIT, Scenario};
use crate::real::stage::Stage;
use crate::real::world::{NODES, PATIENCE};

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "folders swapped at rest",
        words: "Two nodes start on each other's folder: each is who its folder says, where the others expect somebody \
                else; swapped back, they are as before.",
        needs: &[],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(at_rest(stage)),
    },
    Scenario {
        name: "folders swapped while running",
        words: "Two running nodes find each other's folder under their own path: the lock goes with the folder, and a \
                node that starts on what is left believes no guard of another.",
        needs: &[],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(while_running(stage)),
    },
];

/// How long nodes run on each other's folders.
const SWAPPED: Duration = Duration::from_secs(3);

/// One node that is left alone, and the two whose folders are swapped.
fn cast(stage: &mut Stage) -> Result<(u64, [u64; 2]), Failed> {
    let apart = stage.one_of(&NODES)?;
    let pair: Vec<u64> = NODES.into_iter().filter(|id| *id != apart).collect();
    match *pair.as_slice() {
        [one, other] => Ok((apart, [one, other])),
        _ => Err(Failed::step("two of three are left")),
    }
}

fn swap(stage: &Stage, [one, other]: [u64; 2]) -> Result<(), Failed> {
    let folder = |id| Ok::<_, Failed>(stage.world()?.machine(id)?.process().data_dir());
    copies::swap(&folder(one)?, &folder(other)?)
}

async fn at_rest(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Plain).await?;
    let (apart, pair) = cast(stage)?;
    let struck = now_us();
    stage.world_mut()?.kill(&pair)?;
    swap(stage, pair)?;
    stage.world_mut()?.start(&pair)?;
    let refused = refused_at_their_addresses(stage, apart, pair).await?;
    tokio::time::sleep(SWAPPED).await;
    stage.world_mut()?.kill(&pair)?;
    swap(stage, pair)?;
    let name = "folders swapped at rest";
    let fault = stage.fault(
        struck,
        name,
        &pair,
        &format!("node {apart} says: {refused}"),
    );
    stage.world_mut()?.start(&pair)?;
    stage.world_mut()?.ready(&NODES).await?;
    stage.fault_ended(fault);
    stage.signs(3).await
}

/// Waits until the third node finds neither of the two where it should be, and gives its words.
async fn refused_at_their_addresses(
    stage: &Stage,
    apart: u64,
    pair: [u64; 2],
) -> Result<String, Failed> {
    let world = stage.world()?;
    let look = || async {
        let status = world
            .status(apart)
            .await
            .map_err(|error| error.to_string())?;
        let of_pair = status.nodes.iter().filter(|node| pair.contains(&node.id));
        let troubles: Vec<String> = of_pair
            .filter_map(|node| Some(format!("node {}: {}", node.id, node.trouble.as_ref()?)))
            .collect();
        // While they were dead their port refused the connection; now somebody else answers there.
        let answered = troubles
            .iter()
            .filter(|words| !words.contains("onnection refused"));
        match answered.count() {
            2 => Ok(troubles.join("; ")),
            _ => Err(format!("it says {troubles:?}")),
        }
    };
    let seen = wait_for("two nodes to be refused at their addresses", PATIENCE, look).await;
    seen.map_err(|error| Failed::NoEffect {
        fault: "folders swapped at rest".to_owned(),
        instead: error.to_string(),
    })
}

async fn while_running(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Plain).await?;
    let (_, pair) = cast(stage)?;
    let [struck_down, going_on] = pair;
    let struck = now_us();
    swap(stage, pair)?;
    stage.signs(3).await?;

    // Started again, it finds the folder of the other one, who has the lock of it.
    stage.world_mut()?.kill(&[struck_down])?;
    stage.world_mut()?.start(&[struck_down])?;
    let code = stage.world_mut()?.ended(struck_down, PATIENCE).await?;
    let log = stage.world()?.machine(struck_down)?.process().log();
    if code != Some(74) {
        let said = copies::said(&log);
        let instead = format!("it ended with {code:?}: {said}");
        let fault = "folders swapped while running".to_owned();
        return Err(Failed::NoEffect { fault, instead });
    }
    let mut proof = format!(
        "node {struck_down} found the folder of node {going_on}: {}",
        copies::said(&log)
    );

    swap(stage, pair)?;
    guard_is_written(stage, going_on).await?;
    stage.signs(2).await?;
    // Its own folder again, in which the other one kept its guard meanwhile.
    stage.world_mut()?.start(&[struck_down])?;
    if let Some(code) = refuses(stage, struck_down).await? {
        proof.push_str(&format!(
            "; back on its own, it ended with {code}: {}",
            copies::said(&log)
        ));
        stage.lost.insert(struck_down);
    }
    let name = "folders swapped while running";
    let fault = stage.fault(struck, name, &pair, &proof);
    stage.world_mut()?.kill(&[going_on])?;
    stage.world_mut()?.start(&[going_on])?;
    let sound: Vec<u64> = NODES
        .into_iter()
        .filter(|id| !stage.lost.contains(id))
        .collect();
    stage.world_mut()?.ready(&sound).await?;
    stage.fault_ended(fault);
    stage.signs(2).await
}

/// Waits until a running node has written its guard into its folder again: from then on the folder is
/// its own in every file.
async fn guard_is_written(stage: &Stage, node: u64) -> Result<(), Failed> {
    let guard = stage
        .world()?
        .machine(node)?
        .process()
        .data_dir()
        .join("guard");
    let before = fs::read(&guard).map_err(Failed::file(&guard))?;
    let look = || async {
        let now = fs::read(&guard).map_err(|error| error.to_string())?;
        match now == before {
            true => Err("it is as it was when the folders were swapped back".to_owned()),
            false => Ok(()),
        }
    };
    Ok(wait_for("a guard to be written", PATIENCE, look).await?)
}

/// The code with which a node that was just started ends, or none if it comes to follow or lead.
async fn refuses(stage: &mut Stage, node: u64) -> Result<Option<i32>, Failed> {
    let deadline = Deadline::after(PATIENCE);
    loop {
        match stage.world_mut()?.ended(node, Duration::ZERO).await {
            Ok(code @ Some(65 | 66)) => return Ok(code),
            Ok(other) => {
                return Err(Failed::step(format!("node {node} ended with {other:?}")));
            }
            Err(_still_runs) => {}
        }
        match stage.world()?.status(node).await {
            Ok(status) if status.leader.is_some() => return Ok(None),
            Ok(_) | Err(_) if deadline.passed() => {
                return Err(Failed::step(format!("node {node} neither ends nor joins")));
            }
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
