//! One bit is flipped in every file of a data folder, each in a copy of its own: a node that starts
//! on such a copy has exactly the marks that it had, or refuses.
//!
//! The copies run in network namespaces of their own, so that none of them meets the cluster, which
//! goes on signing meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use judge::history::Mark;
use node::admin::AdminClient;
use node::dev::deadline::Deadline;
use raft_store::disk;
use rand::RngExt as _;
use rustix::process::Signal;

use crate::real::audit;
use crate::real::clock::now_us;
use crate::real::copies::{self, Twin};
use crate::real::failed::Failed;
use crate::real::machine::Ground;
use crate::real::scenario::{LIMIT, Need, Scenario};
use crate::real::stage::Stage;
use crate::real::world::{NODES, PATIENCE};

pub(crate) const ALL: &[Scenario] = &[Scenario {
    name: "flipped bits in every file",
    words: "A node that starts on a folder in which one bit of one file is flipped has the marks that it had, or exits \
            65, 66 or 77; every file of the folder is tried (R8).",
    needs: &[
        Need::Root,
        Need::File("/usr/bin/unshare", "util-linux"),
        Need::File("/usr/sbin/ip", "iproute2"),
    ],
    must_be_seen: false,
    limit: LIMIT,
    tell: |stage| Box::pin(flipped(stage)),
}];

const NAME: &str = "flipped bits in every file";

/// Between two looks at a copy that was started.
const POLL: Duration = Duration::from_millis(10);

/// How many copies run at once.
const AT_ONCE: usize = 4;

/// A file of this length or more is struck at several places.
const LONG_BYTES: usize = 4_096;
const PLACES: usize = 3;

/// The codes of a node that does not trust what it finds: damaged, foreign, no password for a key.
const REFUSALS: [i32; 3] = [65, 66, 77];

/// One bit of one file.
#[derive(Clone, Debug)]
struct Bit {
    file: PathBuf,
    byte: usize,
    bit: u8,
}

/// What became of a start.
enum Outcome {
    /// It refused, with this code.
    Refused(i32),
    /// It came up, with these marks.
    Up(Vec<Mark>),
}

async fn flipped(stage: &mut Stage) -> Result<(), Failed> {
    stage.cluster(Ground::Plain).await?;
    let node = stage.one_of(&NODES)?;
    // Opened again, the database moves what was in its log into tables.
    stage.world_mut()?.kill(&[node])?;
    stage.world_mut()?.start(&[node])?;
    stage.world_mut()?.ready(&NODES).await?;
    stage.signs(2).await?;
    let struck = now_us();
    rest(stage, node).await?;
    let program = isolated(stage, node)?;
    let sound = Outcome::of(&mut twin(stage, node, &program, "sound")?).await?;
    let Outcome::Up(marks) = sound else {
        return Err(Failed::step(
            "the copy without a flipped bit does not start",
        ));
    };
    let bits = bits(stage, node)?;
    let mut tally = BTreeMap::<String, BTreeSet<String>>::new();
    for some in bits.chunks(AT_ONCE) {
        let mut twins = Vec::new();
        for (number, bit) in some.iter().enumerate() {
            let mut twin = twin(stage, node, &program, &number.to_string())?;
            bit.flip(&twin.data_dir())?;
            twin.process_mut().start()?;
            twins.push((bit, twin));
        }
        for (bit, mut twin) in twins {
            let outcome = Outcome::wait(&mut twin).await?;
            let word = outcome.judged(&marks, bit, &twin)?;
            tally.entry(word).or_default().insert(bit.name());
        }
    }
    let count = bits.len();
    let proof = format!("{count} bits: {}", words(&tally));
    let fault = stage.fault(struck, NAME, &[node], &proof);
    stage.world_mut()?.start(&[node])?;
    stage.world_mut()?.ready(&NODES).await?;
    stage.fault_ended(fault);
    stage.signs(2).await
}

/// Ends a node in good order: its guard then covers everything that it ever acknowledged, so that no
/// bit may take anything without being noticed.
async fn rest(stage: &mut Stage, node: u64) -> Result<(), Failed> {
    stage
        .world()?
        .machine(node)?
        .process()
        .signal(Signal::TERM)?;
    match stage.world_mut()?.ended(node, PATIENCE).await? {
        Some(0) => Ok(()),
        other => Err(Failed::step(format!(
            "node {node} ended with {other:?} on SIGTERM"
        ))),
    }
}

/// A program that starts the node where there is no network but its own.
fn isolated(stage: &Stage, node: u64) -> Result<PathBuf, Failed> {
    let program = stage
        .world()?
        .machine(node)?
        .process()
        .argv()
        .first()
        .cloned();
    let program = program.unwrap_or_default();
    let file = stage.folder().join("alone");
    let script = format!(
        "#!/bin/sh\nexec unshare --net -- /bin/sh -c 'ip link set lo up && exec \"$@\"' sh '{program}' \"$@\"\n"
    );
    disk::replace(&file, &[script.as_bytes()]).map_err(Failed::file(&file))?;
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&file, executable).map_err(Failed::file(&file))?;
    Ok(file)
}

fn twin(stage: &Stage, node: u64, program: &Path, name: &str) -> Result<Twin, Failed> {
    let machine = stage.world()?.machine(node)?;
    let folder = stage.folder().join(format!("flipped-{name}"));
    if folder.exists() {
        copies::empty(&folder)?;
    }
    Twin::of(machine, &machine.process().data_dir(), &folder, program)
}

/// A bit of every file that has one, and several of the long ones.
fn bits(stage: &mut Stage, node: u64) -> Result<Vec<Bit>, Failed> {
    let folder = stage.world()?.machine(node)?.process().data_dir();
    let mut bits = Vec::new();
    for path in copies::files(&folder)? {
        let length = fs::read(&path).map_err(Failed::file(&path))?.len();
        let places = match length {
            0 => 0,
            1..LONG_BYTES => 1,
            _ => PLACES,
        };
        let file = path.strip_prefix(&folder).unwrap_or(&path).to_owned();
        for _ in 0..places {
            bits.push(Bit {
                file: file.clone(),
                byte: stage.random.random_range(0..length),
                bit: stage.random.random_range(0..8),
            });
        }
    }
    Ok(bits)
}

impl Bit {
    /// Its file, as a proof names it.
    fn name(&self) -> String {
        self.file.display().to_string()
    }

    fn flip(&self, folder: &Path) -> Result<(), Failed> {
        let file = folder.join(&self.file);
        let mut bytes = fs::read(&file).map_err(Failed::file(&file))?;
        match bytes.get_mut(self.byte) {
            Some(byte) => *byte ^= 1_u8.wrapping_shl(self.bit.into()),
            None => return Err(Failed::step(format!("{} is shorter now", file.display()))),
        }
        disk::replace(&file, &[&bytes]).map_err(Failed::file(&file))
    }
}

impl Outcome {
    async fn of(twin: &mut Twin) -> Result<Self, Failed> {
        twin.process_mut().start()?;
        Self::wait(twin).await
    }

    /// Waits until the node has ended, or tells its marks.
    async fn wait(twin: &mut Twin) -> Result<Self, Failed> {
        let socket = twin.data_dir().join("admin.sock");
        let admin = AdminClient::new(&socket, PATIENCE);
        let admin = admin.map_err(|error| Failed::step(error.to_string()))?;
        let deadline = Deadline::after(PATIENCE);
        loop {
            if let Some(status) = twin.process_mut().ended()? {
                return match status.code() {
                    Some(code) if REFUSALS.contains(&code) => Ok(Self::Refused(code)),
                    _ => Err(Failed::step(format!(
                        "it ended with {status}: {}",
                        twin.said()
                    ))),
                };
            }
            if let Ok(report) = admin.keys().await {
                twin.process_mut().kill()?;
                return Ok(Self::Up(audit::marks(&report.keys)));
            }
            if deadline.passed() {
                return Err(Failed::step(format!(
                    "it neither ends nor answers: {}",
                    twin.said()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The word under which it is counted.
    fn judged(self, marks: &[Mark], bit: &Bit, twin: &Twin) -> Result<String, Failed> {
        let place = format!(
            "bit {} of byte {} of {}",
            bit.bit,
            bit.byte,
            bit.file.display()
        );
        match self {
            Self::Refused(code) => Ok(format!("refused with {code}")),
            Self::Up(now) if now == marks => Ok("made no difference".to_owned()),
            Self::Up(now) => Err(Failed::step(format!(
                "{place} was flipped, and the node came up with other marks: {now:?} and not \
                 {marks:?}; it said: {}",
                twin.said()
            ))),
        }
    }
}

fn words(tally: &BTreeMap<String, BTreeSet<String>>) -> String {
    let words = tally.iter().map(|(word, names)| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("{word}: {}", names.join(" "))
    });
    words.collect::<Vec<_>>().join("; ")
}
