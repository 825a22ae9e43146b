//! A token of SoftHSM for one test, and the shim in front of it.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use shim_orders::{Orders, skip};
use tempfile::TempDir;

/// The steps by which a signer comes to have a key.
pub(crate) const READY: [&str; 4] = ["initialize", "open", "login", "generate"];

/// A token and orders, in a folder of their own.
pub(crate) struct Rig {
    pub(crate) orders: Orders,
    pub(crate) folder: PathBuf,
    pub(crate) module: PathBuf,
    home: TempDir,
}

impl Rig {
    /// None, said aloud, on a machine without SoftHSM.
    pub(crate) fn start() -> Option<Self> {
        let Some(module) = shim_orders::softhsm() else {
            skip("SoftHSM is not installed: deploy/prerequisites.sh test");
            return None;
        };
        let home = tempfile::tempdir().unwrap();
        let tokens = home.path().join("tokens");
        fs::create_dir(&tokens).unwrap();
        let mut configuration = File::create(home.path().join("softhsm2.conf")).unwrap();
        writeln!(configuration, "directories.tokendir = {}", tokens.display()).unwrap();
        writeln!(configuration, "objectstore.backend = file").unwrap();
        let folder = home.path().join("orders");
        let rig = Self {
            orders: Orders::new(&folder),
            folder,
            module,
            home,
        };
        let made = Command::new("softhsm2-util")
            .env("SOFTHSM2_CONF", rig.configuration())
            .args(["--init-token", "--free", "--label", "shim"])
            .args(["--so-pin", "5678", "--pin", "1234"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Some(rig)
    }

    /// What came of the steps, each as `step: what came of it`.
    pub(crate) fn run(&self, steps: &[&str]) -> Vec<String> {
        let output = self.probe(steps).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        said(&output)
    }

    /// What came of the steps after the ones that make a key.
    pub(crate) fn run_ready(&self, steps: &[&str]) -> Vec<String> {
        let mut said = self.run(&[&READY, steps].concat());
        let after = said.split_off(READY.len());
        assert!(said.iter().all(|line| line.ends_with(": ok")), "{said:?}");
        after
    }

    /// The steps, in a process that runs on.
    pub(crate) fn start_probe(&self, steps: &[&str]) -> Running {
        Running(self.probe(steps).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// The log of calls, as it stands.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("calls.log")).unwrap()
    }

    fn probe(&self, steps: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shim-probe"));
        command
            .arg(shim_orders::shim().unwrap())
            .args(steps)
            .env("SOFTHSM2_CONF", self.configuration())
            .envs(self.orders.environment(&self.module));
        command
    }

    fn configuration(&self) -> PathBuf {
        self.home.path().join("softhsm2.conf")
    }
}

/// A probe that ends with the test.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    pub(crate) fn end(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for the process to end by itself, and gives how.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Waits until something holds, and names it when it never does.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < limit, "{what} did not happen within 60 s");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Writes a file as a person would, by none of the ways of [`Orders`].
pub(crate) fn write(path: &Path, text: &str) {
    File::create(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

fn said(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}
