//! A mount for one test, and what tests do on it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use lossyfs::{Control, Mount, Options};
use tempfile::TempDir;

/// A mount in a folder of its own. The mount goes before the folder.
pub(crate) struct Rig {
    pub(crate) mount: Mount,
    pub(crate) control: Control,
    folder: TempDir,
}

impl Rig {
    /// None, said aloud, on a machine without FUSE.
    pub(crate) fn start(options: Options) -> Option<Self> {
        if !possible() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mount = Mount::start(folder.path(), options).unwrap();
        Some(Self {
            control: mount.control(),
            mount,
            folder,
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn create(&self, name: &str) -> File {
        OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .open(self.path(name))
            .unwrap()
    }

    /// A file whose bytes and name are durable in every mode.
    pub(crate) fn durable(&self, name: &str, bytes: &[u8]) -> File {
        let mut file = self.create(name);
        file.write_all(bytes).unwrap();
        file.sync_all().unwrap();
        self.sync_root();
        file
    }

    pub(crate) fn sync_root(&self) {
        File::open(self.root()).unwrap().sync_all().unwrap();
    }

    /// What can be read of a file; none if it has no name.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        match fs::read(self.path(name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            read => Some(read.unwrap()),
        }
    }
}

/// Whether this machine can mount at all; said aloud if not.
pub(crate) fn possible() -> bool {
    lossyfs::available()
        .inspect_err(|error| skip(&error.to_string()))
        .is_ok()
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Notes that a test could not run here. `QUORATE_SKIPS` names the file that `make test` counts.
fn skip(reason: &str) {
    println!("SKIP: {reason}");
    assert!(
        std::env::var_os("CI").is_none(),
        "nothing may skip in CI: {reason}"
    );
    if let Some(file) = std::env::var_os("QUORATE_SKIPS") {
        let mut skips = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .unwrap();
        writeln!(skips, "SKIP: {reason}").unwrap();
    }
}
