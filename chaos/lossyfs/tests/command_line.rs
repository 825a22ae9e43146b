//! The program on its own: mounted in the foreground, commanded over its socket.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and writes without fsync on purpose"
)]

mod rig;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A running program. It ends with the test, also with one that fails.
struct Program {
    child: Child,
    folder: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, which is what most tests want of it.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        // Before the folder goes: fusermount3 may see the death later, and gives up on a folder in use.
        let _unmounted = lossyfs::detach_below(self.folder.path());
    }
}

fn lossyfs() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lossyfs"))
}

impl Program {
    fn start() -> Option<Self> {
        rig::possible().then(|| Self::start_in(tempfile::tempdir().unwrap(), "control"))
    }

    fn start_in(folder: TempDir, control: &str) -> Self {
        fs::create_dir(folder.path().join("data")).unwrap();
        let mut child = lossyfs()
            .arg(folder.path().join("data"))
            .arg("--control")
            .arg(folder.path().join(control))
            .arg("--strict")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with("mounted on "), "{line}");
        Self { child, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    fn ctl(&self, command: &str) -> Output {
        lossyfs()
            .arg("ctl")
            .arg(self.folder.path().join("control"))
            .args(command.split(' '))
            .output()
            .unwrap()
    }

    fn json(&self, command: &str) -> Value {
        let output = self.ctl(command);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn is_mounted(folder: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.contains(&format!(" {} ", folder.display()))
}

#[test]
fn a_power_cut_by_hand_loses_what_was_not_fsynced_and_says_how_much() {
    let Some(program) = Program::start() else {
        return;
    };
    fs::write(program.file("file"), [1; 1000]).unwrap();
    assert_eq!(program.json("stats")["pending_bytes"], 1000);
    assert_eq!(program.json("cut")["trigger"], "command");
    assert!(fs::read(program.file("file")).is_err());
    assert_eq!(program.json("reboot drop 7")["dropped_bytes"], 1000);
    assert!(!program.file("file").exists());
    assert_eq!(program.json("stats")["is_cut"], false);
    assert!(program.ctl("cut-at-fsync 1 after").status.success());
    let file = fs::File::create(program.file("file")).unwrap();
    assert!(file.sync_all().is_err());
    assert_eq!(program.json("wait-cut 5")["when"], "after");
}

#[test]
fn a_command_that_is_none_is_refused_with_what_to_do() {
    let Some(program) = Program::start() else {
        return;
    };
    for (command, words) in [
        ("explode", "no such command: \"explode\""),
        ("reboot never 1", "no such survival: never; use drop"),
        ("cut-at-fsync 0 before", "count from 1"),
        ("eio-fsync many", "not a number"),
        ("slow 10 5", "10 ms is more than 5 ms"),
        ("wait-cut 0", "did not happen within"),
    ] {
        let output = program.ctl(command);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(words), "{command}: {said}");
    }
}

#[test]
fn a_command_that_nobody_listens_to_fails_with_what_to_start() {
    let nobody = lossyfs().args(["ctl", "nowhere", "cut"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    let said = String::from_utf8(nobody.stderr).unwrap();
    assert!(said.contains("--control nowhere"), "{said}");
}

#[test]
fn a_command_given_before_the_mount_is_there_waits_for_it() {
    if !rig::possible() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let early = lossyfs()
        .arg("ctl")
        .arg(folder.path().join("control"))
        .arg("stats")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let program = Program::start_in(folder, "control");
    assert!(early.wait_with_output().unwrap().status.success());
    drop(program);
}

/// The first shell block of the manual, as somebody pastes it.
#[test]
fn the_example_of_the_manual_runs_as_pasted() {
    if !rig::possible() {
        return;
    }
    let manual = include_str!("../README.md");
    let block = manual.split("```sh\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_lossyfs"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let output = Command::new("sh")
        .args(["-c", block])
        .env("PATH", path)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!said.contains("error: "), "{said}");
    let told = String::from_utf8(output.stdout).unwrap();
    for part in ["\"trigger\":\"fsync\"", "\"kept_ops\"", "total 0"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

/// What it says instead of mounting.
fn refused(point: &Path, control: &Path) -> String {
    let output = lossyfs()
        .arg(point)
        .arg("--control")
        .arg(control)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_file_that_is_no_socket_is_refused_as_one_and_keeps_every_byte() {
    if !rig::possible() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let file = folder.path().join("thesis");
    fs::write(&file, "years of work").unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for control in [&file, &link] {
        let said = refused(&data, control);
        assert!(said.contains("is no socket"), "{said}");
        assert!(said.contains(control.to_str().unwrap()), "{said}");
        assert!(control.symlink_metadata().is_ok());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "years of work");
}

#[test]
fn a_mount_point_that_is_no_folder_is_refused_before_anything_is_mounted() {
    if !rig::possible() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "here").unwrap();
    let control = folder.path().join("control");
    for (point, words) in [
        (file.clone(), "no folder"),
        (folder.path().join("none"), "No such"),
    ] {
        let said = refused(&point, &control);
        assert!(said.contains(words), "{said}");
        assert!(said.contains(point.to_str().unwrap()), "{said}");
        assert!(!is_mounted(&point) && !control.exists());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "here");
}

#[test]
fn a_control_socket_on_the_mount_itself_is_refused() {
    if !rig::possible() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("sub")).unwrap();
    let around = data.join("sub/../control");
    for control in [data.join("control"), data.join("sub/control"), around] {
        let said = refused(&data, &control);
        assert!(said.contains("would lie on the mount"), "{said}");
        assert!(!is_mounted(&data) && !control.exists());
    }
}

#[test]
fn a_socket_that_somebody_listens_on_is_refused_and_a_dead_one_replaced() {
    let Some(program) = Program::start() else {
        return;
    };
    let other = tempfile::tempdir().unwrap();
    let control = program.folder.path().join("control");
    let said = refused(other.path(), &control);
    assert!(said.contains("another lossyfs listens"), "{said}");
    assert_eq!(program.json("stats")["is_cut"], false);

    let dead = other.path().join("dead");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    let _second = Program::start_in(other, "dead");
}

#[test]
fn it_unmounts_when_it_is_stopped_or_killed() {
    for kill in [false, true] {
        let Some(mut program) = Program::start() else {
            return;
        };
        let data = program.folder.path().join("data");
        assert!(is_mounted(&data));
        if kill {
            program.child.kill().unwrap();
        } else {
            assert!(program.ctl("stop").status.success());
        }
        assert_eq!(program.child.wait().unwrap().success(), !kill);
        if kill && !rig::is_root() {
            return;
        }
        // fusermount3 sees the death of the process in its own time.
        while kill && is_mounted(&data) {
            std::thread::yield_now();
        }
        assert!(!is_mounted(&data));
        assert!(kill || !program.folder.path().join("control").exists());
    }
}

#[test]
fn a_mount_left_dead_below_a_folder_is_taken_away_and_named() {
    let Some(mut program) = Program::start() else {
        return;
    };
    let data = program.folder.path().join("data").canonicalize().unwrap();
    let take_away = || lossyfs::detach_below(program.folder.path()).unwrap();
    assert_eq!(take_away(), std::slice::from_ref(&data));
    assert!(!is_mounted(&data));
    assert!(take_away().is_empty());
    program.child.kill().unwrap();
}

#[test]
fn a_signal_takes_the_mount_and_its_socket_away_and_is_told_by_the_exit_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let Some(mut program) = Program::start() else {
            return;
        };
        let pid = i32::try_from(program.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        assert_eq!(program.child.wait().unwrap().code(), Some(code));
        assert!(!is_mounted(&program.folder.path().join("data")));
        assert!(!program.folder.path().join("control").exists());
    }
}
