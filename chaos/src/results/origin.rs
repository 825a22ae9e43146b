//! Where figures come from: which program, on which machine, when, by which command.

use std::env;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// One command that was run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// What ran.
    pub versions: Versions,
    /// The commit it was built from, if git could say; with `+` if files were changed since.
    pub commit: Option<String>,
    /// On what it ran.
    pub machine: Machine,
    /// When, in seconds since 1970, by this machine's clock.
    pub started: u64,
    /// The command, with its arguments.
    pub command: String,
}

/// The versions that matter.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// Quorate itself.
    pub quorate: String,
    /// The consensus, pinned exactly.
    pub openraft: String,
    /// The write-ahead log, pinned exactly: the crate, which carries its RocksDB with it.
    pub rocksdb: String,
}

/// The machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The system and the release of its kernel.
    pub kernel: String,
    /// The architecture.
    pub architecture: String,
    /// How many processors this process may use; 0 if the system does not say.
    pub cores: u64,
}

impl Origin {
    /// The command that is running now.
    pub fn here() -> Self {
        let mut words = env::args();
        let program = words.next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default().to_owned();
        Self {
            versions: Versions::here(),
            commit: commit(),
            machine: Machine::here(),
            started: now(),
            command: std::iter::once(name)
                .chain(words)
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    /// When it ran, as a date that everybody can read.
    pub fn date(&self) -> String {
        let date = UNIX_EPOCH.checked_add(Duration::from_secs(self.started));
        // The four digits of a year end at 9999, and so does the date format of HTTP.
        if self.started >= 253_402_300_800 {
            return format!("{} s after 1970", self.started);
        }
        date.map(httpdate::fmt_http_date).unwrap_or_default()
    }
}

impl Versions {
    /// Those this program was built with.
    pub fn here() -> Self {
        Self {
            quorate: env!("CARGO_PKG_VERSION").into(),
            openraft: locked("openraft"),
            rocksdb: format!(
                "{} (librocksdb-sys {})",
                locked("rocksdb"),
                locked("librocksdb-sys")
            ),
        }
    }
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let system = rustix::system::uname();
        Self {
            kernel: format!(
                "{} {}",
                system.sysname().to_string_lossy(),
                system.release().to_string_lossy()
            ),
            architecture: env::consts::ARCH.into(),
            cores: available_parallelism()
                .map_or(0, |cores| u64::try_from(cores.get()).unwrap_or(u64::MAX)),
        }
    }
}

/// The version of a package in the lock file this program was built with. The lock file holds one
/// version of each of these: `deny.toml` forbids a second one.
fn locked(package: &str) -> String {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let name = format!("name = \"{package}\"");
    let mut lines = LOCK.lines().skip_while(|line| *line != name);
    let version = lines
        .nth(1)
        .and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.unwrap_or("not in Cargo.lock").to_owned()
}

/// The commit of the checkout one stands in. A run outside a checkout has none, and says so.
fn commit() -> Option<String> {
    let said = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let commit = said(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = said(&["status", "--porcelain", "--untracked-files=no"])?;
    let mark = if changed.is_empty() { "" } else { "+" };
    Some(format!("{commit}{mark}"))
}

fn now() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the date of a report decides nothing"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_lock_file() {
        let versions = Versions::here();
        assert!(versions.openraft.starts_with("0.10."), "{versions:?}");
        assert!(
            versions.rocksdb.contains("0.25.0 (librocksdb-sys 0."),
            "{versions:?}"
        );
        assert_eq!(locked("no-such-package"), "not in Cargo.lock");
    }

    #[test]
    fn the_date_is_one_that_people_read() {
        let mut origin = Origin::here();
        origin.started = 1_795_259_222;
        assert_eq!(origin.date(), "Sat, 21 Nov 2026 11:07:02 GMT");
        origin.started = u64::MAX;
        assert_eq!(origin.date(), "18446744073709551615 s after 1970");
    }
}
