//! The node's own store on a disk that loses what was not fsynced: power cuts at fsyncs and at
//! operations, in strict mode, take nothing that it acknowledged (R5, R6, R8, R9). The process is
//! this test program, started again as [`child`].
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and its child prints what it acknowledges"
)]

use std::{
    env,
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use lossyfs::{Control, Mount, Options, Order, Survival, When};
use openraft::{
    RaftLogReader as _,
    entry::RaftEntry as _,
    storage::{RaftLogStorage as _, RaftLogStorageExt as _},
};
use raft_store::{
    codec,
    command::{Act, Command as StoredCommand, Proposal},
    folder::{Folder, FolderError},
    machine::{Changes, Row, StateDisk as _},
    types::{Entry, EntryPayload, LogId, Vote},
    witness::Witnessed,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tokio::sync::Mutex;

const FOLDER: &str = "QUORATE_TEST_FOLDER";
const CREATE: &str = "QUORATE_TEST_CREATE";
/// How many disks are worn, if not 5.
const SEEDS: &str = "QUORATE_TEST_SEEDS";

/// One test at a time: a process that another test is just starting would hold the lock of a folder
/// that is open here.
static TURN: Mutex<()> = Mutex::const_new(());

/// More than any of the runs below takes, on a machine that is busy with others.
const LIMIT: Duration = Duration::from_secs(120);

fn id(term: u64, index: u64) -> LogId {
    LogId {
        leader_id: term.into(),
        index,
    }
}

/// An entry that is recognised by its index.
fn entry(term: u64, index: u64) -> Entry {
    let act = Act::Command(StoredCommand::Format { format: 1 });
    let proposal = Proposal { at_s: index, act };
    Entry::new(id(term, index), EntryPayload::Normal(proposal))
}

/// What the tests below start and cut off; by itself it does nothing. It prints each vote and entry
/// after it was acknowledged, and purges and applies as a node does.
#[tokio::test]
async fn child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    if env::var(CREATE).is_ok() {
        Folder::create(folder).unwrap_or_else(ended);
        println!("created");
        return;
    }
    let opened = Folder::open(folder, None).unwrap_or_else(ended);
    let (mut log, state) = opened.store(&Witnessed::default()).unwrap_or_else(ended);
    println!("opened"); // ends the line that the test harness began
    let last = log.get_log_state().await.unwrap().last_log_id;
    let start = last.map_or(0, |last| last.index + 1);
    let before = log.read_vote().await.unwrap();
    let term = before.map_or(1, |vote| vote.leader_id.term + 1);
    log.save_vote(&Vote::new_committed(term, 1)).await.unwrap();
    println!("vote {term}");
    for index in start.. {
        log.blocking_append([entry(term, index)]).await.unwrap();
        println!("entry {index}");
        log.save_committed(Some(id(term, index))).await.unwrap();
        let value = Some(codec::encode(&index).unwrap());
        let changes = Changes {
            rows: vec![Row {
                key: vec![1],
                value,
            }],
            applied: id(term, index),
            membership: None,
        };
        state.write(changes).unwrap();
        if index % 50 == 49 && index > start + 20 {
            log.purge(id(term, index - 20)).await.unwrap();
        }
    }
}

/// What a node's process does with a folder that it cannot use.
fn ended<T>(error: FolderError) -> T {
    eprintln!("{error}");
    std::process::exit(error.exit_code().into())
}

#[derive(Debug, Default, Clone, Copy)]
struct Acknowledged {
    vote: u64,
    entry: Option<u64>,
    created: bool,
}

/// A child, and what it said until it ended.
struct Running {
    child: Child,
    heard: thread::JoinHandle<Acknowledged>,
}

impl Running {
    fn start(folder: &Path, create: bool) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if create {
            command.env(CREATE, "1");
        }
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let heard = thread::spawn(move || {
            let mut heard = Acknowledged::default();
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                match line.split_once(' ') {
                    Some(("vote", term)) => heard.vote = term.parse().unwrap(),
                    Some(("entry", index)) => heard.entry = Some(index.parse().unwrap()),
                    _ if line.ends_with("created") => heard.created = true,
                    _ => {}
                }
            }
            heard
        });
        Self { child, heard }
    }

    /// Waits for its own end.
    fn wait(mut self) -> (ExitStatus, Acknowledged) {
        let status = self.child.wait().unwrap();
        (status, self.heard.join().unwrap())
    }

    /// Ends it, as the power does.
    fn kill(mut self) -> Acknowledged {
        // It may have ended by itself: with every request an error, it should.
        let _ended = self.child.kill();
        self.wait().1
    }
}

/// A disk with an empty folder of a store on it.
struct Machine {
    control: Control,
    _mount: Mount,
    folder: TempDir,
}

impl Machine {
    fn start(options: Options) -> Option<Self> {
        if let Err(error) = lossyfs::available() {
            skip(&error.to_string());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mount = Mount::start(folder.path(), options).unwrap();
        Some(Self {
            control: mount.control(),
            _mount: mount,
            folder,
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// What the disk holds after the power returned.
#[derive(Debug)]
struct Found {
    vote: u64,
    last: Option<u64>,
    /// Whether the end of the log could not be read, and was cut off.
    torn: bool,
}

/// Opens the folder as a restarted node would. Each entry is the one that was written, and the state
/// is one with its applied id.
async fn look(path: &Path) -> Result<Found, FolderError> {
    let folder = Folder::open(path, None)?;
    let (mut log, state) = folder.store(&Witnessed::default())?;
    let vote = log.read_vote().await.unwrap();
    let last = log.get_log_state().await.unwrap().last_log_id;
    for found in log.try_get_log_entries(0..).await.unwrap() {
        let term = found.log_id.leader_id.term;
        assert_eq!(found.payload, entry(term, found.log_id.index).payload);
    }
    let loaded = state.load().unwrap();
    let row = loaded.rows.first().map(|(_key, value)| {
        let index: u64 = codec::decode(value).unwrap();
        index
    });
    assert_eq!(row, loaded.applied.map(|applied| applied.index));
    Ok(Found {
        vote: vote.map_or(0, |vote| vote.leader_id.term),
        last: last.map(|last| last.index),
        torn: log.torn().is_some(),
    })
}

/// One life until the power goes, at a random fsync or operation; what the disk acknowledged in it.
fn life(
    machine: &Machine,
    random: &mut ChaCha8Rng,
    survivals: &[Survival],
) -> (Acknowledged, Survival) {
    match random.random_range(0..3) {
        0 => machine
            .control
            .cut_at_fsync(random.random_range(1..150), When::Before),
        1 => machine
            .control
            .cut_at_fsync(random.random_range(1..150), When::After),
        _ => machine.control.cut_at_op(random.random_range(1..600)),
    }
    let running = Running::start(&machine.path(), false);
    machine.control.wait_cut(LIMIT).unwrap();
    let heard = running.kill();
    let survival = survivals[random.random_range(0..survivals.len())];
    machine.control.reboot(survival, random.random());
    (heard, survival)
}

/// RocksDB names a new manifest in CURRENT before it syncs the folder that both are in. A disk without
/// a journal may keep the one name and lose the other, and the node refuses to start.
fn is_nameless(error: &FolderError) -> bool {
    let words = error.to_string();
    error.exit_code() == 65
        && words.contains("db/MANIFEST-")
        && words.contains("No such file or directory")
}

/// Cuts the power again and again. After each cut the node starts, and has what it acknowledged.
async fn lives(options: Options, survivals: &[Survival]) {
    let _turn = TURN.lock().await;
    let (mut entries, mut dropped, mut torn, mut nameless) = (0, 0, 0, 0);
    let seeds = env::var(SEEDS).map_or(5, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let Some(machine) = Machine::start(options) else {
            return;
        };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Folder::create(&machine.path()).unwrap();
        // Lives follow each other on one disk, so that recovery is cut off as well.
        let mut owed = Acknowledged::default();
        for round in 0..8 {
            let (heard, survival) = life(&machine, &mut random, survivals);
            owed.vote = owed.vote.max(heard.vote);
            owed.entry = owed.entry.max(heard.entry);
            let found = look(&machine.path()).await;
            let found = match found {
                Ok(found) => found,
                Err(error) if options.order == Order::Strict && is_nameless(&error) => {
                    assert_eq!(survival, Survival::Random, "{error}");
                    nameless += 1;
                    break;
                }
                Err(error) => panic!("seed {seed} round {round} {survival}: {error}, {owed:?}"),
            };
            torn += u64::from(found.torn);
            assert!(
                found.vote >= owed.vote && found.last >= owed.entry,
                "seed {seed} round {round} {survival}: {found:?}, {owed:?}"
            );
            owed.entry = found.last;
        }
        entries += owed.entry.unwrap_or(0);
        dropped += machine.control.stats().dropped_ops;
    }
    println!(
        "{entries} entries over at most {} power cuts, none lost; {dropped} changes dropped; {torn} \
         logs with an end that could not be read; {nameless} databases without a manifest",
        seeds * 8
    );
    assert!(
        entries > 200,
        "{entries} entries are too few to prove anything"
    );
    assert!(dropped > 40, "the cuts dropped only {dropped} changes");
}

#[tokio::test]
async fn power_cuts_at_any_fsync_or_operation_lose_nothing_acknowledged_r5() {
    lives(Options::strict(), &Survival::ALL).await;
}

/// A sector of the log's unsynced tail is lost and a later one kept, which RocksDB by itself cannot
/// tell from a synced record that rotted. Names come in the order of a journal.
#[tokio::test]
async fn a_cut_that_scatters_what_survives_keeps_no_node_from_starting_r8() {
    lives(Options::default(), &[Survival::Random]).await;
}

#[tokio::test]
async fn init_cut_off_at_any_fsync_is_refused_or_whole_and_then_completed_r9() {
    let _turn = TURN.lock().await;
    for (when, survival) in [
        (When::Before, Survival::Drop),
        (When::After, Survival::Random),
        (When::Before, Survival::Keep),
    ] {
        for number in 1.. {
            let Some(machine) = Machine::start(Options::strict()) else {
                return;
            };
            machine.control.cut_at_fsync(number, when);
            let (status, heard) = Running::start(&machine.path(), true).wait();
            if machine.control.is_cut().is_none() {
                assert!(status.success() && heard.created, "{status}");
                assert!(
                    number > 5,
                    "{number}: identity, guard and store have fsyncs"
                );
                break;
            }
            assert!(
                !heard.created,
                "{when:?} {number}: acknowledged in the dark"
            );
            machine.control.reboot(survival, number);
            if look(&machine.path()).await.is_err() {
                Folder::create(&machine.path()).unwrap();
                look(&machine.path()).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_failed_fsync_with_its_data_gone_ends_the_process_and_loses_nothing_acknowledged_r6() {
    let _turn = TURN.lock().await;
    for number in [1, 2, 3, 5, 8, 13, 40, 41] {
        let Some(machine) = Machine::start(Options::strict()) else {
            return;
        };
        Folder::create(&machine.path()).unwrap();
        machine.control.eio_at_fsync(number);
        let (status, heard) = Running::start(&machine.path(), false).wait();
        assert_eq!(machine.control.stats().eios, 1, "fsync {number} failed");
        assert_eq!(status.code(), Some(74), "fsync {number}: {heard:?}");
        machine.control.reboot(Survival::Keep, 0);
        let found = look(&machine.path()).await.unwrap();
        assert!(
            found.vote >= heard.vote && found.last >= heard.entry,
            "fsync {number}: {found:?}, {heard:?}"
        );
    }
}

/// The test of the test: what it would see if an acknowledged entry were lost.
#[tokio::test]
async fn a_lying_disk_loses_what_was_acknowledged_and_this_test_sees_it() {
    let _turn = TURN.lock().await;
    let Some(machine) = Machine::start(Options::strict()) else {
        return;
    };
    Folder::create(&machine.path()).unwrap();
    machine.control.lie(true);
    machine.control.cut_at_fsync(60, When::After);
    let running = Running::start(&machine.path(), false);
    machine.control.wait_cut(LIMIT).unwrap();
    let heard = running.kill();
    assert!(machine.control.stats().lies > 50);
    assert!(heard.entry > Some(10), "{heard:?}");
    machine.control.reboot(Survival::Drop, 0);
    let found = look(&machine.path()).await.unwrap();
    assert_eq!((found.vote, found.last), (0, None), "{heard:?}");
}

/// Notes that a test could not run here. `QUORATE_SKIPS` names the file that `make test` counts.
fn skip(reason: &str) {
    println!("SKIP: {reason}");
    assert!(
        env::var_os("CI").is_none(),
        "nothing may skip in CI: {reason}"
    );
    if let Some(file) = env::var_os("QUORATE_SKIPS") {
        let mut skips: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .unwrap();
        writeln!(skips, "SKIP: {reason}").unwrap();
    }
}
