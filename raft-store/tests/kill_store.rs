//! A killed process loses nothing that it acknowledged, and a failed fsync kills it (R5, R6, R40).
//! The process is this test program, started again as [`child`].
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and writes what a test must damage"
)]

mod entries;
mod skip;

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use entries::{append, id, vote};
use openraft::{RaftLogReader as _, storage::RaftLogStorage as _};
use raft_store::{
    codec,
    folder::Folder,
    machine::{Changes, Row, StateDisk as _},
    witness::Witnessed,
};
use tokio::sync::Mutex;

const FOLDER: &str = "QUORATE_TEST_FOLDER";
const CREATE: &str = "QUORATE_TEST_CREATE";

/// One test at a time: a process that another test is just starting would hold the lock of a folder
/// that is open here.
static TURN: Mutex<()> = Mutex::const_new(());

/// What the tests below start and kill; by itself it does nothing. It prints each entry after it was
/// acknowledged.
#[tokio::test]
async fn child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    if env::var(CREATE).is_ok() {
        Folder::create(Path::new(&folder)).unwrap();
        return;
    }
    let opened = Folder::open(Path::new(&folder), None)
        .and_then(|it| Ok((it.store(&Witnessed::default())?, it)));
    let ((mut log, state), _folder) = opened.unwrap_or_else(|error| {
        eprintln!("fsync at open: {error}");
        std::process::exit(error.exit_code().into())
    });
    println!("opened");
    let last = log.get_log_state().await.unwrap().last_log_id;
    let start = last.map_or(0, |last| last.index + 1);
    let term = log
        .read_vote()
        .await
        .unwrap()
        .map_or(1, |vote| vote.leader_id.term + 1);
    log.save_vote(&vote(term, 1)).await.unwrap();
    println!("vote {term}");
    for index in start.. {
        append(&mut log, term, index, index + 1).await;
        println!("entry {index}");
        log.save_committed(Some(id(term, index))).await.unwrap();
        let rows = vec![Row {
            key: vec![1],
            value: Some(codec::encode(&index).unwrap()),
        }];
        state
            .write(Changes {
                rows,
                applied: id(term, index),
                membership: None,
            })
            .unwrap();
        if index % 50 == 49 && index > start + 20 {
            log.purge(id(term, index - 20)).await.unwrap();
        }
    }
}

/// This program as a child, behind a tracer if one is given.
fn start(folder: &Path, tracer: &[&str], create: bool) -> Child {
    let program = env::current_exe().unwrap();
    let mut command = match tracer {
        [] => Command::new(program),
        [tracer, arguments @ ..] => {
            let mut command = Command::new(tracer);
            command.args(arguments).arg(program);
            command
        }
    };
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if create {
        command.env(CREATE, "1");
    }
    command.spawn().unwrap()
}

#[derive(Debug, Default, Clone, Copy)]
struct Acknowledged {
    vote: u64,
    entry: Option<u64>,
    lines: usize,
}

/// Reads acknowledgements until there are `enough`, or the child has ended.
fn listen(child: &mut Child, enough: usize) -> Acknowledged {
    let mut heard = Acknowledged::default();
    let stdout = child.stdout.as_mut().unwrap();
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("vote", term)) => heard.vote = term.parse().unwrap(),
            Some(("entry", index)) => heard.entry = Some(index.parse().unwrap()),
            _ => continue,
        }
        heard.lines += 1;
        if heard.lines >= enough {
            break;
        }
    }
    heard
}

/// Opens the folder after its process is gone: everything acknowledged is there.
async fn verify(path: &Path, heard: Acknowledged) {
    let folder = Folder::open(path, None).unwrap();
    let (mut log, state) = folder.store(&Witnessed::default()).unwrap();
    let vote = log.read_vote().await.unwrap();
    assert!(
        vote.map_or(0, |vote| vote.leader_id.term) >= heard.vote,
        "{vote:?}, {heard:?}"
    );
    let last = log.get_log_state().await.unwrap().last_log_id;
    assert!(
        last.map(|last| last.index) >= heard.entry,
        "{last:?}, {heard:?}"
    );
    entries::indexes(&mut log).await;
    let loaded = state.load().unwrap();
    let row = loaded
        .rows
        .first()
        .map(|(_key, value)| codec::decode::<u64>(value).unwrap());
    assert_eq!(
        row,
        loaded.applied.map(|applied| applied.index),
        "state and applied id are one"
    );
}

#[tokio::test]
async fn kill_9_at_any_moment_loses_nothing_acknowledged_r5() {
    let _turn = TURN.lock().await;
    let keep = tempfile::tempdir().unwrap();
    let path = keep.path().join("data");
    Folder::create(&path).unwrap();
    let mut acknowledged = 0;
    for round in 0..15 {
        let mut child = start(&path, &[], false);
        // A different number of acknowledgements each round, some in the middle of a purge.
        let heard = listen(&mut child, 1 + round * 37 % 211);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{heard:?}");
        verify(&path, heard).await;
        acknowledged += heard.lines;
    }
    println!("{acknowledged} acknowledgements over 15 kills, none lost");
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_is_killed_r40() {
    let _turn = TURN.lock().await;
    let keep = tempfile::tempdir().unwrap();
    let path = keep.path().join("data");
    Folder::create(&path).unwrap();
    let mut child = start(&path, &[], false);
    let heard = listen(&mut child, 3);
    let error = Folder::open(&path, None).unwrap_err();
    assert_eq!(error.exit_code(), 74, "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    verify(&path, heard).await;
}

/// Whether strace can trace here; says so loudly if not, since then the test proves nothing.
fn strace_works() -> bool {
    let works = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        skip::skip("strace is missing or may not trace (apt-get install strace)");
    }
    works
}

#[tokio::test]
async fn a_failed_fsync_ends_the_process_with_74_and_is_not_retried_r6() {
    let _turn = TURN.lock().await;
    if !strace_works() {
        return;
    }
    // Once only: whoever tried again would be told that all is well.
    for (call, when) in [
        ("fdatasync", 1),
        ("fdatasync", 2),
        ("fdatasync", 30),
        ("fsync", 1),
        ("fsync", 3),
    ] {
        let keep = tempfile::tempdir().unwrap();
        let path = keep.path().join("data");
        Folder::create(&path).unwrap();
        let (trace, inject) = (
            format!("trace={call}"),
            format!("inject={call}:error=EIO:when={when}"),
        );
        let tracer = [
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &trace,
            "-e",
            &inject,
        ];
        let mut child = start(&path, &tracer, false);
        let heard = listen(&mut child, 5000);
        assert!(
            heard.lines < 5000,
            "{call} {when}: it went on after a failed fsync"
        );
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(74), "{call} {when}: {text}");
        assert!(
            text.contains("fsync") && text.contains(path.to_str().unwrap()),
            "{text}"
        );
        println!(
            "{call} {when}: ended with 74 after {} acknowledgements",
            heard.lines
        );
        verify(&path, heard).await;
    }
}

/// A killed process leaves unsynced bytes in the page cache. Its successor reads them back, and must
/// have synced them by itself before it answers anything with them.
#[tokio::test]
async fn what_is_read_at_open_is_synced_before_anything_is_answered_r5() {
    let _turn = TURN.lock().await;
    if !strace_works() {
        return;
    }
    let keep = tempfile::tempdir().unwrap();
    let path = keep.path().join("data");
    Folder::create(&path).unwrap();
    let mut first = start(&path, &[], false);
    listen(&mut first, 20);
    first.kill().unwrap();
    first.wait().unwrap();

    let trace = keep.path().join("trace");
    let options = "-f -qq -y -s 200 -e trace=fsync,fdatasync,write,rename -o";
    let mut tracer = vec!["strace"];
    tracer.extend(options.split(' '));
    tracer.push(trace.to_str().unwrap());
    let mut second = start(&path, &tracer, false);
    let heard = listen(&mut second, 5);
    assert_eq!(heard.lines, 5);
    // The traced process is a grandchild: it is stopped by the pipe that nobody reads any more.
    drop(second.stdout.take());
    second.wait().unwrap();

    let text = fs::read_to_string(&trace).unwrap();
    let (before, _after) = text.split_once(r#""opened\n"#).expect("it said so");
    let synced = |name: &str| {
        let mut syncs = before.lines().filter(|line| line.contains("sync("));
        syncs.any(|line| line.contains(&format!("{name}>")))
    };
    for name in [
        "data/identity",
        "data/guard",
        "data/peers",
        "data/boot.new",
        ".sst",
        "data",
        "data/db",
    ] {
        assert!(
            synced(name),
            "{name} was not synced before the first answer:\n{before}"
        );
    }
    renames_are_between_syncs(before);
}

/// Each rename of ours comes after an fsync of the file and before one of its folder.
fn renames_are_between_syncs(trace: &str) {
    let ours = |line: &&str| line.contains("rename(") && line.contains(".new\",");
    let calls: Vec<&str> = trace.lines().collect();
    let mut seen = 0;
    for (at, line) in calls.iter().enumerate().filter(|(_at, line)| ours(line)) {
        let process = line.split(' ').next().unwrap();
        let of_process = |line: &&&str| line.starts_with(process) && line.contains("sync(");
        let before = calls[..at].iter().rfind(of_process).expect("a sync before");
        let after = calls[at..].iter().find(of_process).expect("a sync after");
        assert!(
            before.contains(".new>") && after.contains("data>"),
            "{before}\n{line}\n{after}"
        );
        seen += 1;
    }
    assert!(
        seen >= 2,
        "boot and guard are replaced at each open:\n{trace}"
    );
}

#[tokio::test]
async fn init_killed_at_any_fsync_or_rename_is_refused_and_then_completed_r9() {
    let _turn = TURN.lock().await;
    if !strace_works() {
        return;
    }
    let mut kills = 0;
    for call in ["fsync", "rename", "unlink"] {
        for when in 1.. {
            let keep = tempfile::tempdir().unwrap();
            let path = keep.path().join("data");
            let (trace, inject) = (
                format!("trace={call}"),
                format!("inject={call}:signal=SIGKILL:when={when}"),
            );
            let tracer = [
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &trace,
                "-e",
                &inject,
            ];
            let status = start(&path, &tracer, true)
                .wait_with_output()
                .unwrap()
                .status;
            if status.success() {
                assert!(when > 1, "no {call} was ever made");
                break;
            }
            assert_eq!(status.signal(), Some(9), "{call} {when}");
            kills += 1;
            match Folder::open(&path, None) {
                Ok(_) => assert!(
                    !path.join("creating").exists(),
                    "{call} {when}: opened half made"
                ),
                Err(error) => {
                    assert_eq!(error.exit_code(), 66, "{call} {when}: {error}");
                    Folder::create(&path).unwrap();
                }
            }
            Folder::open(&path, None)
                .unwrap()
                .store(&Witnessed::default())
                .unwrap();
        }
    }
    println!("init killed at {kills} places");
}
