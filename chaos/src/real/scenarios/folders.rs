//! A data folder is wiped, restored from an older copy, cloned, or swapped with another one.

use std::time::Duration;

use judge::history::Event;

use crate::real::audit;
use crate::real::clock::now_us;
use crate::real::copies::{self, Twin};
use crate::real::failed::Failed;
use crate::real::machine::Ground;
use crate::real::scenario::{LIMIT, Scenario};
use crate::real::stage::Stage;
use crate::real::world::{NODES, PATIENCE};

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "folder wiped",
        words: "A data folder is emptied: the node does not start, made anew it is nobody's peer, and with one of the \
                others it is no majority (R9, R10).",
        needs: &[],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(wiped(stage)),
    },
    Scenario {
        name: "folder restored from an older copy",
        words: "A data folder is replaced by a copy that is some seconds old: the others remember more, and the node ends \
                itself, however often it is started (R11).",
        needs: &[],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(restored(stage)),
    },
    Scenario {
        name: "folder cloned",
        words: "A second process runs on a copy of a data folder, beside the original and after it: the copy is never let \
                in, and the original goes on (R11).",
        needs: &[],
        must_be_seen: false,
        limit: LIMIT,
        tell: |stage| Box::pin(cloned(stage)),
    },
];

/// How long a cluster that must not sign is watched.
const WATCHED: Duration = Duration::from_secs(2);

/// What was asked before may still be answered so long after a majority is gone.
const SETTLED: Duration = Duration::from_millis(500);

/// The exit codes with which a node ends that others do not believe: damaged, and foreign.
const NOT_BELIEVED: [i32; 2] = [65, 66];

async fn wiped(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Plain).await?;
    stage.signs(3).await?;
    let node = stage.one_of(&NODES)?;
    let struck = now_us();
    stage.world_mut()?.kill(&[node])?;
    let data = stage.world()?.machine(node)?.process().data_dir();
    let count = copies::empty(&data)?;
    stage.journal.record(Event::OtherDisk { node });
    let code = ends(stage, node, &[66]).await?;
    let proof = format!("{count} files are gone; started, the node ended with {code}");
    let fault = stage.fault(struck, "folder wiped", &[node], &proof);
    stage.signs(3).await?;

    // Made anew under the old address it has another key. With one of the others it elects nobody.
    stage.world()?.quorate(node, &["init"]).await?;
    stage.world()?.bring_keys(node)?;
    stage.world_mut()?.start(&[node])?;
    stage.world_mut()?.first_status(node).await?;
    without_a_majority(stage, node, &[]).await?;
    stage.world_mut()?.kill(&[node])?;
    stage.lost.insert(node);
    stage.fault_ended(fault);
    Ok(())
}

/// Kills one of the two that are left, and starts `besides`: nothing is signed then.
async fn without_a_majority(
    stage: &mut Stage,
    doubtful: u64,
    besides: &[u64],
) -> Result<(), Failed> {
    let sound: Vec<u64> = NODES.into_iter().filter(|id| *id != doubtful).collect();
    let other = stage.one_of(&sound)?;
    let struck = now_us();
    stage.world_mut()?.kill(&[other])?;
    let name = "second node killed";
    let fault = stage.fault(struck, name, &[other], "its process is gone");
    stage.world_mut()?.start(besides)?;
    tokio::time::sleep(SETTLED).await;
    let before = stage.load()?.won();
    tokio::time::sleep(WATCHED).await;
    let signed = stage.load()?.won().saturating_sub(before);
    if signed > 0 {
        return Err(Failed::step(format!(
            "{signed} slots were signed by one node and node {doubtful}, whose folder was lost"
        )));
    }
    stage.world_mut()?.start(&[other])?;
    stage.world_mut()?.ready(&sound).await?;
    stage.fault_ended(fault);
    stage.signs(2).await
}

/// Starts a node, which has to end by itself with one of these codes.
async fn ends(stage: &mut Stage, node: u64, codes: &[i32]) -> Result<i32, Failed> {
    stage.world_mut()?.start(&[node])?;
    let code = stage.world_mut()?.ended(node, PATIENCE).await?;
    let log = stage.world()?.machine(node)?.process().log();
    match code {
        Some(code) if codes.contains(&code) => Ok(code),
        other => Err(Failed::step(format!(
            "node {node} ended with {other:?} and not with one of {codes:?}: {}",
            copies::said(&log)
        ))),
    }
}

async fn restored(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Plain).await?;
    let node = stage.one_of(&NODES)?;
    let data = stage.world()?.machine(node)?.process().data_dir();
    let older = stage.folder().join("older");
    stage.world_mut()?.kill(&[node])?;
    copies::copy(&data, &older)?;
    stage.world_mut()?.start(&[node])?;
    stage.world_mut()?.ready(&NODES).await?;
    stage.signs(6).await?;

    let struck = now_us();
    stage.world_mut()?.kill(&[node])?;
    copies::put(&older, &data)?;
    stage.journal.record(Event::OtherDisk { node });
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(ends(stage, node, &NOT_BELIEVED).await?);
        stage.signs(2).await?;
    }
    let said = copies::said(&stage.world()?.machine(node)?.process().log());
    let proof = format!("started three times, the node ended with {codes:?}: {said}");
    let name = "folder restored from an older copy";
    let fault = stage.fault(struck, name, &[node], &proof);
    // Once more, where only one of the others is left to refuse it.
    without_a_majority(stage, node, &[node]).await?;
    stage.world_mut()?.ended(node, PATIENCE).await?;
    stage.lost.insert(node);
    stage.fault_ended(fault);
    Ok(())
}

async fn cloned(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Plain).await?;
    let node = stage.one_of(&NODES)?;
    stage.world_mut()?.kill(&[node])?;
    let mut twin = twin(stage, node)?;
    stage.world_mut()?.start(&[node])?;
    stage.world_mut()?.ready(&NODES).await?;
    stage.signs(3).await?;

    let mut proof = Vec::new();
    let struck = now_us();
    for round in ["beside the original", "again, counting one start more"] {
        let code = not_let_in(&mut twin).await?;
        proof.push(format!("{round} it ended with {code}: {}", twin.said()));
        stage
            .world_mut()?
            .machine_mut(node)?
            .process_mut()
            .still_runs()?;
        stage.signs(3).await?;
    }
    // The original is gone: now the copy is the only one of its name, and lacks what was committed.
    stage.world_mut()?.kill(&[node])?;
    let code = not_let_in(&mut twin).await?;
    proof.push(format!(
        "without the original it ended with {code}: {}",
        twin.said()
    ));
    stage.signs(2).await?;
    let fault = stage.fault(struck, "folder cloned", &[node], &proof.join("; "));
    stage.world_mut()?.start(&[node])?;
    stage.world_mut()?.ready(&[node]).await?;
    stage.fault_ended(fault);
    take_down(stage, &twin)
}

/// A twin of a node that is not running, on a copy of its folder.
fn twin(stage: &Stage, node: u64) -> Result<Twin, Failed> {
    let machine = stage.world()?.machine(node)?;
    let program = machine.process().argv().first().cloned();
    let program = program.ok_or_else(|| Failed::step("a node without a program"))?;
    let folder = stage.folder().join("twin");
    Twin::of(
        machine,
        &machine.process().data_dir(),
        &folder,
        program.as_ref(),
    )
}

/// Starts the twin, which the others must not let in.
async fn not_let_in(twin: &mut Twin) -> Result<i32, Failed> {
    let status = twin.run(PATIENCE).await?;
    match status.code() {
        Some(code) if NOT_BELIEVED.contains(&code) => Ok(code),
        _ => Err(Failed::step(format!(
            "the copy ended with {status}: {}",
            twin.said()
        ))),
    }
}

/// What the twin did under the name of its node goes into the history: a vote, a reign, a signature
/// of a copy is one of the node. What its own disk holds does not: one disk of a name is judged.
fn take_down(stage: &Stage, twin: &Twin) -> Result<(), Failed> {
    for line in audit::read(&twin.audit())? {
        let counts = matches!(
            line.event,
            Event::Vote { .. }
                | Event::Leads { .. }
                | Event::Signed { .. }
                | Event::Released { .. }
        );
        if counts {
            stage.journal.record_at(line.at_us, line.event);
        }
    }
    Ok(())
}
