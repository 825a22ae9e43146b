//! Disks that lie: fsync succeeds and saves nothing. A majority of honest disks covers one of them,
//! and nothing covers two.

use std::sync::Arc;

use judge::history::Event;
use lossyfs::Survival;
use node::dev::message::consensus;
use tezos::{Kind, Level, Round, Slot};

use crate::real::baker::{Baker, Decision};
use crate::real::clock::now_us;
use crate::real::config::Settings;
use crate::real::failed::Failed;
use crate::real::kit::{CHAIN, FLOOR, KitKey};
use crate::real::machine::Ground;
use crate::real::scenario::{LIMIT, Need, Scenario};
use crate::real::stage::Stage;
use crate::real::world::NODES;

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "one lying disk",
        words: "The leader's disk lies, and its power goes: what it acknowledged is on one honest disk at least, the \
                others sign on, and nothing is signed twice.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(one(stage)),
    },
    Scenario {
        name: "two lying disks",
        words: "Two disks lie while the third machine is dark, and their power goes: a majority has forgotten what was \
                signed. No rule can help then, and the judge must see that a slot is signed twice.",
        needs: &[Need::Fuse],
        must_be_seen: true,
        limit: LIMIT,
        tell: |stage| Box::pin(two(stage)),
    },
];

/// Who asks for the slot that is watched; the bakers of the load are 1 and 2.
const WITNESS: u64 = 3;

async fn one(stage: &mut Stage) -> Result<(), Failed> {
    let watched = cluster(stage).await?;
    let liar = stage.world()?.leader().await?;
    let struck = lie(stage, &[liar])?;
    expect(&watched, 0, liar, Decision::Signed).await?;
    stage.signs(4).await?;
    let proof = lies(stage, &[liar])?;
    let fault = stage.fault(struck, "one lying disk", &[liar], &proof);
    let cut = stage.cut_power("power cut of a lying disk", &[liar])?;
    stage.signs(4).await?;
    // It forgets what it had acknowledged: to its peers it is another disk under a known name.
    stage.journal.record(Event::OtherDisk { node: liar });
    stage.restore_power(cut, Survival::Drop)?;
    stage.world()?.machine(liar)?.disk()?.lie(false);
    stage.world_mut()?.first_status(liar).await?;
    expect(&watched, 1, liar, Decision::Refused).await?;
    stage.signs(4).await?;
    stage.fault_ended(fault);
    // The operator has to replace it: its peers remember that it knew more.
    stage.lost.insert(liar);
    Ok(())
}

async fn two(stage: &mut Stage) -> Result<(), Failed> {
    let watched = cluster(stage).await?;
    let (leader, followers) = stage.world()?.roles().await?;
    let liars = [leader, stage.one_of(&followers)?];
    let honest: Vec<u64> = NODES.into_iter().filter(|id| !liars.contains(id)).collect();
    let struck = lie(stage, &liars)?;
    stage.world_mut()?.kill(&honest)?;
    expect(&watched, 0, leader, Decision::Signed).await?;
    let proof = lies(stage, &liars)?;
    let fault = stage.fault(struck, "two lying disks", &liars, &proof);
    let cut = stage.cut_power("power cut of two lying disks", &liars)?;
    // So that no mark that fell and no vote that was forgotten is what the judge sees, only what
    // came of it.
    for node in liars {
        stage.journal.record(Event::OtherDisk { node });
    }
    stage.restore_power(cut, Survival::Drop)?;
    stage.world_mut()?.ready(&liars).await?;
    expect(&watched, 1, leader, Decision::Signed).await?;
    for id in liars {
        stage.world()?.machine(id)?.disk()?.lie(false);
    }
    stage.fault_ended(fault);
    // It would refuse the two, which forgot what it knows: there is no cluster any more that it could join.
    stage.lost.extend(honest);
    Ok(())
}

/// A slot of a key that the bakers of the load have not, so that no later slot of theirs closes it.
struct Watched {
    key: KitKey,
    baker: Baker,
}

/// A cluster whose bakers bake with all keys but one.
async fn cluster(stage: &mut Stage) -> Result<Watched, Failed> {
    let keys = stage.world_keys();
    let (spare, baked) = keys
        .split_last()
        .ok_or_else(|| Failed::step("the kit has no key"))?;
    stage.machines(Ground::Lossy, &Settings::default())?;
    let world = stage.world_mut()?;
    world.init().await?;
    world.start(&NODES)?;
    world.form().await?;
    world.enrol(1, &keys).await?;
    world.ready(&NODES).await?;
    stage.opens_with(&keys);
    stage.bake(baked)?;
    stage.signs(3).await?;
    Ok(Watched {
        key: spare.clone(),
        baker: Baker::new(WITNESS, stage.world()?, Arc::clone(&stage.journal))?,
    })
}

/// Asks for one of two different messages of the watched slot, `node` first.
async fn expect(
    watched: &Watched,
    flavour: u64,
    node: u64,
    expected: Decision,
) -> Result<(), Failed> {
    let key = &watched.key.public_key;
    let level = Level::new(FLOOR).ok_or_else(|| Failed::step("the floor is no level"))?;
    let slot = Slot::new(level, Round::default());
    let message = consensus(key.curve(), Kind::Block, CHAIN, slot, flavour);
    let first = NODES.iter().position(|id| *id == node).unwrap_or_default();
    let decided = watched.baker.insist(first, key, &message).await;
    if decided == expected {
        return Ok(());
    }
    Err(Failed::step(format!(
        "message {flavour} of the watched slot came to {decided:?}, and {expected:?} was due"
    )))
}

/// Lets these disks lie from now on.
fn lie(stage: &Stage, nodes: &[u64]) -> Result<u64, Failed> {
    let struck = now_us();
    for id in nodes {
        stage.world()?.machine(*id)?.disk()?.lie(true);
    }
    Ok(struck)
}

/// That they did, in words.
fn lies(stage: &Stage, nodes: &[u64]) -> Result<String, Failed> {
    let mut proof = Vec::new();
    for id in nodes {
        let told = stage.world()?.machine(*id)?.disk()?.stats().lies;
        if told == 0 {
            return Err(Failed::NoEffect {
                fault: "lying disk".to_owned(),
                instead: format!("node {id} asked for no fsync"),
            });
        }
        proof.push(format!(
            "node {id}: {told} fsyncs succeeded and saved nothing"
        ));
    }
    Ok(proof.join("; "))
}
