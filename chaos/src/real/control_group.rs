//! A control group that gives a process next to no processor time (`cpu.cfs_quota_us` of version 1,
//! `cpu.max` of version 2).

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failed::Failed;

/// Where the two versions are mounted, as every distribution does it.
pub(super) const VERSION_1: &str = "/sys/fs/cgroup/cpu";
pub(super) const VERSION_2: &str = "/sys/fs/cgroup";

/// The start of the name of a group, before the id of the node that is held back.
pub(super) const NAME: &str = "quorate-chaos-";

/// The period over which the kernel counts.
const PERIOD_US: u32 = 100_000;

/// A process that is held back. Dropping it gives the process its time again.
#[derive(Debug)]
pub(crate) struct ControlGroup {
    pid: u32,
    root: PathBuf,
    folder: PathBuf,
}

impl ControlGroup {
    /// Lets a process run `share_ms` of every 100 ms.
    ///
    /// # Errors
    /// [`Failed::Missing`] if this machine has no control groups that may be written.
    pub(crate) fn of(pid: u32, share_ms: u32) -> Result<Self, Failed> {
        let quota_us = share_ms.saturating_mul(1_000);
        let (root, limits) = match Path::new(VERSION_1).join("cpu.cfs_quota_us").exists()
            || Path::new(VERSION_1).join("cgroup.procs").exists()
        {
            true => (
                VERSION_1,
                vec![
                    ("cpu.cfs_period_us", PERIOD_US.to_string()),
                    ("cpu.cfs_quota_us", quota_us.to_string()),
                ],
            ),
            false => (
                VERSION_2,
                vec![("cpu.max", format!("{quota_us} {PERIOD_US}"))],
            ),
        };
        let root = PathBuf::from(root);
        let folder = root.join(format!("{NAME}{pid}"));
        let missing = |error: io::Error| {
            Failed::Missing(format!(
                "no control group can be made in {}: {error}",
                root.display()
            ))
        };
        fs::create_dir(&folder).map_err(missing)?;
        let group = Self {
            pid,
            root: root.clone(),
            folder,
        };
        for (name, value) in limits {
            write(&group.folder.join(name), &value).map_err(missing)?;
        }
        write(&group.folder.join("cgroup.procs"), &pid.to_string()).map_err(missing)?;
        Ok(group)
    }

    /// How long the kernel has held the process back.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub(crate) fn throttled(&self) -> Result<Duration, Failed> {
        let file = self.folder.join("cpu.stat");
        let text = fs::read_to_string(&file).map_err(Failed::file(&file))?;
        throttled(&text).ok_or_else(|| Failed::step(format!("{} says {text:?}", file.display())))
    }
}

/// Nanoseconds in version 1, microseconds in version 2.
fn throttled(stat: &str) -> Option<Duration> {
    stat.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        let value = value.trim().parse().ok()?;
        match name {
            "throttled_time" => Some(Duration::from_nanos(value)),
            "throttled_usec" => Some(Duration::from_micros(value)),
            _ => None,
        }
    })
}

fn write(file: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(file)?
        .write_all(value.as_bytes())
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // A process that has ended is in no group any more, and then there is nothing to take out.
        drop(write(
            &self.root.join("cgroup.procs"),
            &self.pid.to_string(),
        ));
        drop(fs::remove_dir(&self.folder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_say_how_long_a_process_was_held_back() {
        let first = "nr_periods 40\nnr_throttled 38\nthrottled_time 2880000000\n";
        assert_eq!(throttled(first), Some(Duration::from_millis(2_880)));
        let second = "usage_usec 5\nnr_throttled 3\nthrottled_usec 1500\n";
        assert_eq!(throttled(second), Some(Duration::from_micros(1_500)));
        assert_eq!(throttled("usage_usec 5\n"), None);
    }
}
