//! The power goes while a cluster is made: during `init`, `cluster form` and `key enrol`. The same command again
//! has to complete, or to refuse clearly; a half cluster that signs twice must not come of it.

use lossyfs::Survival;
use rand::RngExt as _;

use judge::history::{Action, Event, Told};

use crate::real::clock::now_us;
use crate::real::config::Settings;
use crate::real::failed::Failed;
use crate::real::kit::KitKey;
use crate::real::machine::Ground;
use crate::real::power::{Fsync, arm};
use crate::real::scenario::{LIMIT, Need, Scenario};
use crate::real::stage::Stage;
use crate::real::world::{NODES, PATIENCE};

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "power cut during init",
        words: "Power goes at the n-th fsync of `quorate init`, for every few n: the same command again completes, or \
                says that the node is there, and then it is.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(during_init(stage)),
    },
    Scenario {
        name: "power cut during form",
        words: "Power goes at an fsync of a node that is being formed: the same line again completes, and the three \
                are one cluster.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(during_form(stage)),
    },
    Scenario {
        name: "power cut during enrol",
        words: "Power goes at an fsync of the leader while a key is enrolled, for every key: the same command again \
                completes or says that the key is enrolled.",
        needs: &[Need::Fuse],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(during_enrol(stage)),
    },
];

/// What `quorate init` says of a node that is there already.
const IS_THERE: &str = "there is a node in this folder already";

async fn during_init(stage: &mut Stage) -> Result<(), Failed> {
    let mut n = 1;
    let mut before = true;
    loop {
        stage.machines(Ground::Lossy, &Settings::default())?;
        let fsync = if before {
            Fsync::Before(n)
        } else {
            Fsync::After(n)
        };
        let disk = stage.world()?.machine(1)?.disk()?;
        arm(&disk, fsync);
        let said = stage.world()?.quorate(1, &["init"]).await;
        if disk.is_cut().is_none() {
            // It has no n-th one: the command came to its end, and what it said must hold.
            disk.cut();
            let cut = stage.dark("power cut after init", &[1], now_us())?;
            stage.restore_disks(cut, Survival::Keep)?;
            init_again(stage, Some(said?)).await?;
            break;
        }
        let cut = stage.dark("power cut during init", &[1], now_us())?;
        let survival = stage.in_order();
        stage.restore_disks(cut, survival)?;
        init_again(stage, said.ok()).await?;
        before = !before;
        n = n.saturating_add(stage.random.random_range(1..4));
    }
    if n < 8 {
        return Err(Failed::step(format!(
            "`quorate init` was cut at no fsync beyond {n}"
        )));
    }
    // What was made beside a cut is a node like any other: the last one joins a cluster.
    for id in [2, 3] {
        stage.world()?.quorate(id, &["init"]).await?;
        stage.world()?.bring_keys(id)?;
    }
    stage.start_and_form().await
}

/// The same command again. It completes, or says that the node is there; and the node is there then. `said` is what the first one printed, if it came to its end.
async fn init_again(stage: &mut Stage, said: Option<String>) -> Result<(), Failed> {
    let again = stage.world()?.quorate(1, &["init"]).await;
    let refusal = match again {
        Ok(_line) if said.is_none() => None,
        Ok(line) => {
            let words = format!("init said {said:?} before the cut, and made {line:?} after it");
            return Err(Failed::step(words));
        }
        Err(refusal) => Some(refusal.to_string()),
    };
    if let Some(words) = &refusal
        && !words.contains(IS_THERE)
    {
        return Err(Failed::step(format!("init after a cut of init: {words}")));
    }
    stage.world()?.bring_keys(1)?;
    stage.world_mut()?.start(&[1])?;
    let line = stage.world_mut()?.first_status(1).await?.line;
    stage.world_mut()?.kill(&[1])?;
    match said {
        Some(said) if said != line => Err(Failed::step(format!(
            "init printed {said:?}, and the node is {line:?}"
        ))),
        _ => Ok(()),
    }
}

async fn during_form(stage: &mut Stage) -> Result<(), Failed> {
    for round in 0..4 {
        stage.machines(Ground::Lossy, &Settings::default())?;
        let world = stage.world_mut()?;
        world.init().await?;
        world.start(&NODES)?;
        let lines = world.lines().await?;
        let struck = stage.one_of(&NODES)?;
        let n = stage.random.random_range(1..9);
        let fsync = if round % 2 == 0 {
            Fsync::Before(n)
        } else {
            Fsync::After(n)
        };
        arm(&stage.world()?.machine(struck)?.disk()?, fsync);
        for id in NODES {
            // One of them may be cut in the middle of it; the others may find no leader.
            drop(stage.world()?.form_on(id, &lines).await);
        }
        let machine = stage.world()?.machine(struck)?;
        machine
            .wait_frozen("power cut during form", PATIENCE)
            .await?;
        let cut = stage.dark("power cut during form", &[struck], now_us())?;
        let survival = stage.in_order();
        stage.restore_power(cut, survival)?;
        stage.world_mut()?.lines().await?;
        for id in NODES {
            stage.world()?.form_on(id, &lines).await?;
        }
        stage.world()?.leader().await?;
    }
    // The last of them shows that it is a cluster like any other.
    stage.enrol_and_bake().await
}

async fn during_enrol(stage: &mut Stage) -> Result<(), Failed> {
    let keys = stage.world_keys();
    stage.machines(Ground::Lossy, &Settings::default())?;
    let world = stage.world_mut()?;
    world.init().await?;
    world.start(&NODES)?;
    world.form().await?;
    stage.opens_with(&[]);
    for (round, key) in keys.iter().enumerate() {
        let leader = stage.world()?.leader().await?;
        let n = stage.random.random_range(1..4);
        let fsync = if round % 2 == 0 {
            Fsync::Before(n)
        } else {
            Fsync::After(n)
        };
        let order = stage.journal.number();
        stage.journal.record(Event::Ordered {
            order,
            action: Action::Enrol(key.told()),
        });
        arm(&stage.world()?.machine(leader)?.disk()?, fsync);
        let first = stage
            .world()?
            .enrol(leader, std::slice::from_ref(key))
            .await;
        stage
            .world()?
            .machine(leader)?
            .wait_frozen("power cut during enrol", PATIENCE)
            .await?;
        let cut = stage.dark("power cut during enrol", &[leader], now_us())?;
        let survival = stage.in_order();
        stage.restore_power(cut, survival)?;
        stage.world_mut()?.lines().await?;
        stage.world()?.leader().await?;
        let again = stage
            .world()?
            .enrol(leader, std::slice::from_ref(key))
            .await;
        enrolled_once(stage, key, leader, &first, &again).await?;
        stage.journal.record(Event::Obeyed {
            order,
            told: Told::Committed,
        });
        stage.world_mut()?.ready(&NODES).await?;
        stage.bake(std::slice::from_ref(key))?;
        stage.signs(2).await?;
    }
    Ok(())
}

/// After the second command the key is enrolled, whatever the first one came to.
async fn enrolled_once(
    stage: &Stage,
    key: &KitKey,
    node: u64,
    first: &Result<(), Failed>,
    again: &Result<(), Failed>,
) -> Result<(), Failed> {
    let (_, reports) = stage.world()?.keys(node).await?;
    let enrolled = reports
        .iter()
        .find(|report| report.public_key == key.public_key)
        .and_then(|report| report.enrolled.as_ref());
    match (enrolled, again) {
        (Some(_), _) => Ok(()),
        (None, again) => Err(Failed::step(format!(
            "{} is not enrolled; the command came to {first:?}, and again to {again:?}",
            key.public_key.hash()
        ))),
    }
}
