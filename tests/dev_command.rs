//! The command a newcomer types.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use node::dev::deadline::wait_for;
use node::dev::manifest::Manifest;
use node::dev::ports::Ports;
use rustix::process::{Pid, Signal, kill_process};

use crate::world::{PATIENCE, folder, quorate};

fn dev(dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(quorate());
    command.args([
        "dev",
        "--signer-port",
        "0",
        "--keys",
        "ed25519,bls12-381",
        "--dir",
    ]);
    command.arg(dir).args(more).stdin(Stdio::null());
    command
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A process that ends with the test, also with one that fails: one left behind would go on for
/// ever, and whoever reads the test's output to its end would wait for it.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Both fail only for a process that ended and was waited for.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Runs until the nodes are ready, and returns what `dev.json` says of them.
fn started(dir: &Path) -> (Ended, Manifest) {
    let mut child = Ended(dev(dir, &[]).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let ready = lines
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.contains("The nodes go on until"));
    assert!(ready.is_some(), "the story did not come to its end");
    let text = fs::read(Manifest::path(dir)).unwrap();
    (child, serde_json::from_slice(&text).unwrap())
}

/// Whether a thread of a process lives. One that ended and was not waited for does not, but its
/// first thread may be dead while another is still in an fsync, and holds ports and locks.
fn lives(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter();
    let mut stats = threads.flatten().filter_map(|thread| {
        let stat = thread.ok()?.path().join("stat");
        fs::read_to_string(stat).ok() // gone meanwhile
    });
    stats.any(|stat| {
        let state = stat.rsplit(')').next().unwrap().trim_start();
        !state.starts_with('Z') && !state.starts_with('X')
    })
}

async fn gone(pids: &[u32]) {
    let look = || async {
        let left: Vec<u32> = pids.iter().copied().filter(|pid| lives(*pid)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?} live"))
        }
    };
    wait_for("the end of a node", PATIENCE, look).await.unwrap();
}

async fn all_gone(manifest: &Manifest) {
    let pids: Vec<u32> = manifest.nodes.iter().map(|node| node.pid).collect();
    gone(&pids).await;
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn absolute(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().canonicalize().unwrap()
}

#[test]
fn the_demo_tells_its_story_twice_in_one_folder_and_leaves_nothing_running() {
    let dir = folder();
    let dir = absolute(&dir);
    for run in ["first", "second"] {
        let output = dev(&dir, &["--demo"]).output().unwrap();
        let said = told(&output);
        assert!(output.status.success(), "the {run} run: {said}");
        for part in [
            "the same signature",
            "refused after",
            "the gap:",
            "x the floor",
            "octez-client import",
        ] {
            assert!(
                said.contains(part),
                "{part:?} is not in the {run} run: {said}"
            );
        }
        println!("{said}");
        assert!(
            !Manifest::path(&dir).exists(),
            "dev.json outlived the nodes"
        );
    }
}

#[test]
fn a_taken_port_is_named_with_who_holds_it() {
    let dir = folder();
    let ports = Ports::plan(0, 3).unwrap();
    let second = ports.get(1).unwrap().signer;
    let _held = TcpListener::bind(("127.0.0.1", second)).unwrap();
    let first = ports.first().unwrap().signer.to_string();
    let output = Command::new(quorate())
        .args(["dev", "--demo", "--signer-port", &first, "--dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let holder = format!(
        "port {second} (signer API of node 2) is taken by process {}",
        std::process::id()
    );
    assert!(said.contains(&holder), "{said}");
}

/// The manifest is enough for a script to kill a node and start it again; Ctrl-C ends that one too.
#[tokio::test]
async fn a_script_kills_a_node_and_starts_it_again_and_interrupt_ends_them_all() {
    let dir = folder();
    let dir = absolute(&dir);
    let (mut running, mut manifest) = started(&dir);
    let second = manifest.nodes.get_mut(1).unwrap();
    signal(second.pid, Signal::KILL);
    // A signal is on its way when `kill` returns: until the process is dead it has its folder.
    gone(&[second.pid]).await;
    let (program, arguments) = second.argv.split_first().unwrap();
    let log = fs::File::create(dir.join("again.log")).unwrap();
    let again = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    let mut again = Ended(again.unwrap());
    second.pid = again.0.id();
    let readyz = format!("{}/readyz", second.ops_url);
    let port = readyz
        .rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let ready = || async {
        match tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
            Ok(_) => {
                let sent = crate::raw::send(port, &crate::raw::get("/readyz")).await;
                match sent.answer().await.map(|answer| answer.status) {
                    Some(200) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            }
            Err(error) => Err(error.to_string()),
        }
    };
    if let Err(error) = wait_for("the node that the script started", PATIENCE, ready).await {
        let log = fs::read_to_string(dir.join("again.log")).unwrap();
        panic!("{error}; it said:\n{log}");
    }

    let taken = dev(&dir, &["--demo"]).output().unwrap();
    assert_eq!(taken.status.code(), Some(1));
    assert!(
        told(&taken).contains(&format!("process {}", running.0.id())),
        "{}",
        told(&taken)
    );

    signal(running.0.id(), Signal::INT);
    assert!(running.0.wait().unwrap().success());
    again.0.wait().unwrap();
    all_gone(&manifest).await;
}

/// R40. Killed with -9 it cannot end its nodes; the kernel does, and the next run starts from there.
#[tokio::test]
async fn the_nodes_die_with_a_killed_parent_and_the_next_run_goes_on() {
    let dir = folder();
    let dir = absolute(&dir);
    let (mut running, manifest) = started(&dir);
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    all_gone(&manifest).await;

    // A stale one: started from the manifest by somebody who then forgot it.
    let third = manifest.nodes.get(2).unwrap();
    let (program, arguments) = third.argv.split_first().unwrap();
    let mut stale = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let reaper = std::thread::spawn(move || stale.wait().unwrap());
    let output = dev(&dir, &["--demo"]).output().unwrap();
    let said = told(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("that an earlier run or a script left"),
        "{said}"
    );
    reaper.join().unwrap();
}
