//! The process that holds a module has no more than it needs (R32).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod token;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use hsm::parent::Module;
use rustix::process::geteuid;

use token::{Token, skip, well};

#[tokio::test(flavor = "multi_thread")]
async fn r32_a_process_holds_no_more_than_it_needs() {
    let Some(token) = Token::with_pin(b"secret pin of 1234") else {
        return;
    };
    let held = fs::File::open(token.path().join("softhsm2.conf")).unwrap();
    // `PATH` stands for a variable with a secret: a test cannot set one of its own.
    let mut place = token.patient();
    place.launch.remove.insert("PATH".to_owned());
    let other = token.ready_patient().await;
    let module = token.start_at(place);
    well(&module).await;
    let child = PathBuf::from(format!("/proc/{}", newest(&token)));
    let read =
        |name: &str| String::from_utf8_lossy(&fs::read(child.join(name)).unwrap()).into_owned();
    let status = read("status");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let limits = read("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core"))
        .unwrap();
    assert_eq!(
        core.split_whitespace().filter(|word| *word == "0").count(),
        2,
        "{core}"
    );
    assert!(!read("cmdline").contains("secret"), "{}", read("cmdline"));
    // Only root may look closer, since the process cannot be dumped.
    if geteuid().is_root() {
        let environment = read("environ");
        let names: BTreeSet<_> = environment
            .split('\0')
            .filter_map(|it| it.split('=').next())
            .collect();
        assert!(!names.contains("PATH"), "{names:?}");
        assert!(
            names.contains("SOFTHSM2_CONF") && names.contains("HOME"),
            "{names:?}"
        );
        assert!(
            !environment.contains("secret pin"),
            "the PIN is in its environment"
        );
        let open = files(&child.join("fd"));
        let sockets: BTreeSet<_> = open
            .iter()
            .filter(|file| file.starts_with("socket:"))
            .collect();
        assert_eq!(sockets.len(), 1, "{open:?}");
        let ours = files(Path::new("/proc/self/fd"));
        assert!(
            !ours.contains(sockets.first().unwrap().as_str()),
            "its end of the socket is ours too"
        );
        let conf = token.path().join("softhsm2.conf").display().to_string();
        assert!(ours.contains(&conf) && !open.contains(&conf), "{open:?}");
    }
    drop((held, other));
}

#[tokio::test(flavor = "multi_thread")]
async fn r32_a_process_cannot_be_dumped_or_traced_by_its_own_user() {
    let Some(token) = Token::new() else { return };
    let mut place = token.patient();
    if geteuid().is_root() {
        if Command::new("setpriv").arg("--version").output().is_err() {
            return skip("setpriv is not installed: deploy/prerequisites.sh test");
        }
        // Copies, since nobody but root may look into where they were built.
        let program = token.path().join("hsm-child");
        fs::copy(&place.launch.program, &program).unwrap();
        let module = token.path().join("module.so");
        fs::copy(&place.module, &module).unwrap();
        place.module = module;
        let made = Command::new("chmod")
            .args(["-R", "a+rwX"])
            .arg(token.path())
            .status();
        assert!(made.unwrap().success());
        place.launch.program = "setpriv".into();
        place.launch.arguments = ["--reuid=65534", "--clear-groups"].map(Into::into).to_vec();
        place.launch.arguments.push(program.into());
    }
    let module = token.start_at(place);
    well(&module).await;
    // The kernel gives the files of a process that cannot be dumped to root.
    let child = fs::metadata(format!("/proc/{}/environ", token.pid())).unwrap();
    assert_eq!(child.uid(), 0);
    let status = fs::read_to_string(format!("/proc/{}/status", token.pid())).unwrap();
    assert!(!status.contains("Uid:\t0"), "{status}");
    drop::<Module>(module);
}

/// The process that loaded the module last.
fn newest(token: &Token) -> u32 {
    let log = token.orders.log();
    let mut loads = log.iter().filter(|call| call.function == "C_Initialize");
    loads.next_back().unwrap().pid
}

/// What a process has open.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    entries.map(|file| file.display().to_string()).collect()
}
