//! The binary as an operator meets it: exit codes, files, and where no secret may appear.

#![expect(clippy::unwrap_used, reason = "a test whose own steps fail has failed")]

use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use tezos::{Curve, SecretKey};

const PASSWORD: &str = "a-password-that-appears-nowhere";

/// A folder with one node's configuration. On the target folder's disk, since a data folder is
/// refused on tmpfs.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            dir: TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        };
        place.password(PASSWORD);
        let config = "data_dir = \"data\"\n\
            [peers]\nlisten = \"127.0.0.1:0\"\naddress = \"127.0.0.1:7101\"\n\
            [signer]\nlisten = \"127.0.0.1:0\"\n[ops]\nlisten = \"127.0.0.1:0\"\n\
            [[keys]]\nbackend = \"file\"\npassword_file = \"password\"\n\
            [times]\ndrain_wait_ms = 1\n[log]\nlevel = \"trace\"\n";
        place.file("node.toml", config);
        place
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        path
    }

    fn password(&self, password: &str) {
        let path = self.file("password", password);
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command
            .arg("--config")
            .arg(self.dir.path().join("node.toml"))
            .args(words);
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn code(&self, words: &[&str]) -> Option<i32> {
        self.run(words).status.code()
    }

    fn import(&self, secret: &str) -> Output {
        let mut command = self.command(&["key", "import"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(secret.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// A running node; it has said `started`.
    fn start(&self) -> (Child, BufReader<std::process::ChildStderr>, String) {
        let mut child = self
            .command(&["node"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("started") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "it ended:\n{said}");
        }
        (child, log, said)
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// R32: not in arguments, not in what any command says, not in the log at its finest. R33: a
/// signal ends a node in order.
#[test]
fn no_secret_and_no_password_is_in_argv_or_output_or_a_trace_log() {
    let place = Place::new();
    let secret = SecretKey::generate(Curve::Ed25519).unwrap();
    let spelt = secret.reveal();
    let mut said = text(&place.run(&["init"]));
    let imported = place.import(&format!("unencrypted:{}\n", &*spelt));
    assert!(imported.status.success(), "{}", text(&imported));
    said.push_str(&text(&imported));

    let (mut child, mut log, started) = place.start();
    said.push_str(&started);
    let argv = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    said.push_str(&String::from_utf8_lossy(&argv));
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let cores = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(cores.split_whitespace().nth(4), Some("0"), "{cores}");
    let listed = place.run(&["key", "list"]);
    assert!(
        text(&listed).contains(&secret.public_key().to_string()),
        "{}",
        text(&listed)
    );
    said.push_str(&text(&listed));
    let socket = place.dir.path().join("data/admin.sock");
    assert_eq!(
        fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let pid = i32::try_from(child.id()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    log.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert!(!socket.exists());

    assert!(
        said.contains("quorate") && said.contains("draining"),
        "{said}"
    );
    for hidden in [PASSWORD, &**spelt, spelt.trim_start_matches("edsk")] {
        assert!(!said.contains(hidden), "a secret was told");
    }
}

#[test]
fn a_wrong_configuration_exits_64_before_anything_is_made() {
    let place = Place::new();
    place.file(
        "node.toml",
        "data_dir = \"data\"\nnonsense = 1\n[peers]\naddress = \"n\"\n",
    );
    for words in [&["config", "check"][..], &["init"], &["node"], &["status"]] {
        let output = place.run(words);
        assert_eq!(output.status.code(), Some(64), "{words:?}");
        let said = text(&output);
        assert!(
            said.contains("node.toml:2: nonsense") && said.contains(":4: peers.address"),
            "{said}"
        );
    }
    assert!(!place.dir.path().join("data").exists());
    assert_eq!(place.code(&["frobnicate"]), Some(64));
}

/// R46: a node that was told to leave a trail does not run without one; it is told before a port is
/// bound or the folder is touched.
#[test]
fn an_audit_file_that_cannot_be_written_exits_64() {
    let place = Place::new();
    let config = fs::read_to_string(place.dir.path().join("node.toml")).unwrap();
    place.file(
        "node.toml",
        &format!("audit_file = \"no/such/audit\"\n{config}"),
    );
    for words in [&["config", "check"][..], &["node"]] {
        let output = place.run(words);
        assert_eq!(
            output.status.code(),
            Some(64),
            "{words:?}: {}",
            text(&output)
        );
        assert!(text(&output).contains("audit_file"), "{}", text(&output));
    }
    place.file("node.toml", &format!("audit_file = \"audit\"\n{config}"));
    assert_eq!(place.code(&["config", "check"]), Some(0));
    assert!(
        !place.dir.path().join("audit").exists(),
        "checking makes nothing"
    );
}

#[test]
fn sighup_opens_the_audit_file_by_its_name_again_and_ends_nobody() {
    let place = Place::new();
    let config = fs::read_to_string(place.dir.path().join("node.toml")).unwrap();
    place.file("node.toml", &format!("audit_file = \"audit\"\n{config}"));
    assert_eq!(place.code(&["init"]), Some(0));
    let (mut child, mut log, _said) = place.start();
    let audit = place.dir.path().join("audit");
    assert_eq!(
        fs::metadata(&audit).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::remove_file(&audit).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    let mut said = String::new();
    while !said.contains("the audit file is open again") {
        assert_ne!(log.read_line(&mut said).unwrap(), 0, "it ended:\n{said}");
    }
    assert!(audit.exists());
    assert_eq!(place.code(&["status"]), Some(0));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// R9: a node whose folder is gone does not begin anew.
#[test]
fn a_node_without_its_data_folder_exits_66_and_a_second_init_is_refused() {
    let place = Place::new();
    assert_eq!(place.code(&["init"]), Some(0));
    assert_eq!(place.code(&["init"]), Some(66));
    // A disk that was wiped, with the key folder made again by hand.
    fs::remove_dir_all(place.dir.path().join("data")).unwrap();
    fs::create_dir_all(place.dir.path().join("data/keys")).unwrap();
    let output = place.run(&["node"]);
    assert_eq!(output.status.code(), Some(66), "{}", text(&output));
    fs::remove_dir_all(place.dir.path().join("data")).unwrap();
    let bare = place.file(
        "bare.toml",
        "data_dir = \"data\"\n[peers]\naddress = \"n:1\"\n",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .arg("node")
        .arg("--config")
        .arg(bare)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(66), "{}", text(&output));
    assert!(!place.dir.path().join("data").exists());
}

#[test]
fn a_wrong_password_exits_77() {
    let place = Place::new();
    assert_eq!(place.code(&["init"]), Some(0));
    assert_eq!(place.code(&["key", "generate", "p256"]), Some(0));
    place.password("another");
    let output = place.run(&["node"]);
    assert_eq!(output.status.code(), Some(77), "{}", text(&output));
}

/// R40: one process a folder; and the lock goes with the process.
#[test]
fn a_second_process_on_one_folder_exits_and_a_killed_one_starts_again() {
    let place = Place::new();
    assert_eq!(place.code(&["init"]), Some(0));
    let (mut first, _log, _said) = place.start();
    let output = place.run(&["node"]);
    assert_eq!(output.status.code(), Some(74), "{}", text(&output));
    assert!(
        text(&output).contains("another process"),
        "{}",
        text(&output)
    );
    assert_eq!(
        place.code(&["status"]),
        Some(0),
        "the first one still answers"
    );
    first.kill().unwrap();
    first.wait().unwrap();
    let (mut again, _log, _said) = place.start();
    assert_eq!(place.code(&["status"]), Some(0));
    again.kill().unwrap();
    again.wait().unwrap();
    assert_eq!(place.code(&["status"]), Some(1));
}
