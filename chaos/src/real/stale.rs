//! What runs that were killed have left: folders, dead mounts in them, control groups.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::control_group;
use super::screen;

/// The start of the name of a run's folder, before the id of its process.
const FOLDER: &str = "run-";

/// The name of this program, as the kernel has it.
const HARNESS: &str = "quorate-chaos";

/// The name of a node's program.
const NODE: &str = "quorate";

/// The folder of the run of this process. Dropping it removes the folder.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Below the folder of all results. Nothing is made yet.
    pub(super) fn of_this_process(out: &Path) -> Self {
        Self(out.join(format!("{FOLDER}{}", std::process::id())))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Without any scenario it was never made.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Removes what dead runs have left in the folder of results, and says so. What cannot be removed is named and
/// stays: it takes space, and harms no later run.
pub(super) fn sweep(out: &Path) {
    for folder in stale(out, FOLDER, HARNESS) {
        match remove(&folder) {
            Ok(0) => screen::note(&format!(
                "removed {}, which a dead run left",
                folder.display()
            )),
            Ok(mounts) => screen::note(&format!(
                "removed {} with {mounts} dead mounts, which a dead run left",
                folder.display()
            )),
            Err(error) => screen::note(&format!(
                "cannot remove {}, which a dead run left: {error}",
                folder.display()
            )),
        }
    }
    for root in [control_group::VERSION_1, control_group::VERSION_2] {
        for group in stale(Path::new(root), control_group::NAME, NODE) {
            // The kernel refuses if a process is still in it: then it is not stale.
            if fs::remove_dir(&group).is_ok() {
                screen::note(&format!(
                    "removed {}, which a dead run left",
                    group.display()
                ));
            }
        }
    }
}

/// Mounts first: what a live mount shows must not be deleted through it, and a dead one is only an error.
fn remove(folder: &Path) -> io::Result<usize> {
    let mounts = lossyfs::detach_below(folder)?;
    fs::remove_dir_all(folder)?;
    Ok(mounts.len())
}

/// The folders that are named after a process that is no more. An id is given again: the process that has it now
/// counts only if it runs the same program. The own id is of a dead run too: nothing of this one is made yet.
fn stale(parent: &Path, prefix: &str, program: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let is_stale = |name: &str| {
        let pid: Option<u32> = name.strip_prefix(prefix).and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid| pid == std::process::id() || !runs(pid, program))
    };
    let left = folders.filter(|entry| entry.file_name().to_str().is_some_and(is_stale));
    left.map(|entry| entry.path()).collect()
}

/// Whether a process lives and runs this program.
fn runs(pid: u32, program: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_named_after_a_process_that_is_no_more_are_stale() {
        let out = tempfile::tempdir().unwrap();
        let own = std::process::id();
        let parent = std::os::unix::process::parent_id();
        for name in [
            "run-4294967295".to_owned(),
            format!("run-{own}"),
            format!("run-{parent}"),
            "run-kept".to_owned(),
            "histories".to_owned(),
        ] {
            fs::create_dir(out.path().join(name)).unwrap();
        }
        let of = |program: &str| {
            let mut names = stale(out.path(), FOLDER, program);
            names.sort();
            names
        };
        let comm = fs::read_to_string(format!("/proc/{parent}/comm")).unwrap();
        let mut dead = vec![
            out.path().join("run-4294967295"),
            out.path().join(format!("run-{own}")),
        ];
        dead.sort();
        assert_eq!(of(comm.trim_end()), dead);
        // The id was given to another program.
        dead.push(out.path().join(format!("run-{parent}")));
        dead.sort();
        assert_eq!(of("another program"), dead);
        assert!(stale(&out.path().join("none"), FOLDER, HARNESS).is_empty());
    }

    #[test]
    fn the_folder_of_a_dead_run_is_removed_with_all_that_lies_in_it() {
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().join("run-4294967295");
        fs::create_dir_all(folder.join("7/node1/data")).unwrap();
        assert_eq!(remove(&folder).unwrap(), 0);
        assert!(!folder.exists());
    }
}
