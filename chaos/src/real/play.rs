//! One scenario from its empty stage to its row in the results.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use judge::history::{Event, Line};
use tokio::time::{Instant, timeout};

use super::failed::Failed;
use super::kit::Kit;
use super::scenario::Scenario;
use super::stage::Stage;
use super::world::NODES;
use crate::results::{Broken, Figures, Measured, ScenarioResult, Verdict};

/// A scenario that was played.
#[derive(Debug)]
pub(crate) struct Played {
    /// Its row in the results.
    pub(crate) row: ScenarioResult,
    /// What was measured beside it.
    pub(crate) measured: Vec<Measured>,
}

/// What came of a story.
struct Judged {
    verdict: Verdict,
    violations: Vec<Broken>,
    lines: Vec<Line>,
    measured: Vec<Measured>,
}

/// Where scenarios are played, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Theatre {
    /// `quorate`.
    pub(crate) program: PathBuf,
    /// For the folders of clusters; each is removed after its scenario.
    pub(crate) scratch: PathBuf,
    /// For the histories of what went wrong.
    pub(crate) histories: PathBuf,
    /// The keys.
    pub(crate) kit: Arc<Kit>,
}

impl Theatre {
    /// Plays a scenario once and judges it. To be awaited on the main thread.
    pub(crate) async fn play(&self, scenario: &Scenario, seed: u64) -> Played {
        let started = Instant::now();
        let missing = scenario.needs.iter().find_map(|need| need.missing());
        let judged = match missing {
            Some(missing) => Judged {
                verdict: Verdict::Skipped(missing),
                violations: Vec::new(),
                lines: Vec::new(),
                measured: Vec::new(),
            },
            None => self.judged(scenario, seed).await,
        };
        let Judged {
            verdict,
            violations,
            lines,
            measured,
        } = judged;
        let is_well = matches!(
            verdict,
            Verdict::Held | Verdict::SeenAsItMust(_) | Verdict::Skipped(_)
        );
        let history = match is_well {
            true => None,
            false => self.keep(scenario, seed, &lines),
        };
        drop(fs::remove_dir_all(self.folder(seed)));
        let row = ScenarioResult {
            name: scenario.name.to_owned(),
            words: scenario.words.to_owned(),
            seed,
            verdict,
            violations,
            figures: Figures::of(&lines),
            wall_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            reproduce: format!("quorate-chaos run --only {:?} --seed {seed}", scenario.name),
            history,
        };
        Played { row, measured }
    }

    async fn judged(&self, scenario: &Scenario, seed: u64) -> Judged {
        let folder = self.folder(seed);
        let mut stage = Stage::new(
            scenario.name,
            seed,
            &folder,
            &self.program,
            Arc::clone(&self.kit),
        );
        let told = tell(scenario, &mut stage).await;
        let words = stage.last_words();
        let read = stage.history();
        let measured = std::mem::take(&mut stage.measured);
        // Ends every process and unmounts every disk.
        drop(stage);
        let (lines, read) = match read {
            Ok(lines) => (lines, Ok(())),
            Err(failed) => (Vec::new(), Err(failed)),
        };
        let violations = broken(&lines);
        let verdict = verdict(scenario, told.and(read), &violations, &lines, &words);
        Judged {
            verdict,
            violations,
            lines,
            measured,
        }
    }

    fn folder(&self, seed: u64) -> PathBuf {
        self.scratch.join(seed.to_string())
    }

    /// Keeps a history beside the results, with the configuration and the log of every node, and gives its name.
    fn keep(&self, scenario: &Scenario, seed: u64, lines: &[Line]) -> Option<String> {
        let stem = format!("{}-{seed}", scenario.name.replace([' ', ',', '\''], "-"));
        let name = format!("{stem}.jsonl");
        for node in NODES {
            let folder = self.folder(seed).join(format!("node{node}"));
            let beside = self.histories.join(&stem).join(format!("node{node}"));
            fs::create_dir_all(&beside).ok()?;
            for file in ["node.log", "node.toml", "audit.jsonl"] {
                // A scenario that failed early may not have all of them.
                drop(fs::copy(folder.join(file), beside.join(file)));
            }
        }
        let text: Result<Vec<String>, _> = lines.iter().map(serde_json::to_string).collect();
        let mut text = text.ok()?.join("\n");
        text.push('\n');
        fs::create_dir_all(&self.histories).ok()?;
        let file = self.histories.join(&name);
        raft_store::disk::replace(&file, &[text.as_bytes()]).ok()?;
        Some(relative(&file))
    }
}

/// `histories/<name>`: as the file of the results, which lies beside that folder, names it.
fn relative(file: &Path) -> String {
    let mut parts = file.components().rev().take(2).collect::<Vec<_>>();
    parts.reverse();
    parts.iter().collect::<PathBuf>().display().to_string()
}

/// The story, and the healing that ends every one of them, within the limit.
async fn tell(scenario: &Scenario, stage: &mut Stage) -> Result<(), Failed> {
    let whole = async {
        (scenario.tell)(stage).await?;
        stage.heal().await
    };
    match timeout(scenario.limit, whole).await {
        Ok(told) => told,
        Err(_elapsed) => Err(Failed::TooLong(scenario.limit)),
    }
}

/// What the judge finds wrong with a history.
fn broken(lines: &[Line]) -> Vec<Broken> {
    let first = lines.first().map_or(0, |line| line.at_us);
    let judged = judge::judge(lines);
    let violations = judged.violations.into_iter();
    let told = violations.map(|violation| Broken {
        invariant: violation.invariant.to_string(),
        at_ms: violation.at_us.saturating_sub(first) / 1_000,
        words: violation.words,
    });
    told.collect()
}

fn verdict(
    scenario: &Scenario,
    told: Result<(), Failed>,
    violations: &[Broken],
    lines: &[Line],
    last_words: &str,
) -> Verdict {
    let promises = violations
        .iter()
        .filter(|broken| broken.invariant != "evidence");
    match (scenario.must_be_seen, promises.count(), told) {
        // What a scenario does to the promises, the cluster may notice in its own way too.
        (true, 1.., _) => Verdict::SeenAsItMust(seen(violations)),
        (false, 1.., _) => Verdict::Broken,
        (_, 0, Err(Failed::Missing(what))) => Verdict::Skipped(what),
        (_, 0, Err(failed)) => Verdict::Failed(format!("{failed}\n{last_words}")),
        (true, 0, Ok(())) => Verdict::Failed("the judge saw no broken promise".to_owned()),
        (false, 0, Ok(())) => held(violations, lines),
    }
}

/// Nothing is broken and nothing failed: then the history has to prove that something was done.
fn held(violations: &[Broken], lines: &[Line]) -> Verdict {
    if let Some(evidence) = violations.first() {
        return Verdict::Failed(format!("the history proves nothing: {}", evidence.words));
    }
    if let Some(strange) = strange_answer(lines) {
        return Verdict::Failed(strange);
    }
    match Figures::of(lines).lost {
        0 => Verdict::Held,
        lost => Verdict::Failed(format!(
            "{lost} messages were asked for and nobody ever decided on them"
        )),
    }
}

/// An answer that no request of this load may get: what is asked is well formed, allowed, and for a
/// key that is enrolled.
fn strange_answer(lines: &[Line]) -> Option<String> {
    lines.iter().find_map(|line| {
        let Event::Answered {
            status,
            signature,
            text,
            ..
        } = &line.event
        else {
            return None;
        };
        let expected = matches!(
            (status, signature),
            (200, Some(_)) | (0 | 409 | 500 | 502 | 503, None)
        );
        (!expected).then(|| format!("a baker was answered {status}: {text}"))
    })
}

fn seen(violations: &[Broken]) -> String {
    let mut seen: Vec<&str> = violations
        .iter()
        .map(|broken| broken.invariant.as_str())
        .collect();
    seen.sort_unstable();
    seen.dedup();
    seen.join(", ")
}
