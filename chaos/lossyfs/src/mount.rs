//! A mount and its threads.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use fuser::{BackgroundSession, Config, MountOption, SessionACL};
use rustix::{
    io::Errno,
    mount::{UnmountFlags, unmount},
};

use crate::{
    control::Control, disk::Disk, inode::Access, options::Options, power::Power, server::Server,
};

/// Why a file system was not mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// This machine does not let this user mount one at all.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    /// The folder cannot be mounted on.
    #[error("cannot mount on {}: {error}", point.display())]
    Point {
        /// The folder.
        point: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// What a machine lacks for a FUSE file system.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The device cannot be opened.
    #[error(
        "/dev/fuse cannot be opened: {0}; load the module `fuse`, or give the container the device"
    )]
    Device(io::Error),
    /// Only root may mount without help.
    #[error("not root, and there is no fusermount3; install the package fuse3")]
    Helper,
}

/// Whether a file system can be mounted here, as far as can be told without doing it.
///
/// # Errors
/// If something is missing; the error says what.
pub fn available() -> Result<(), Unavailable> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .map_err(Unavailable::Device)?;
    if rustix::process::geteuid().is_root() || helper() {
        Ok(())
    } else {
        Err(Unavailable::Helper)
    }
}

fn helper() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("fusermount3").exists())
}

/// A mounted file system. It ends when this is dropped, also if processes still hold files on it:
/// these get errors from then on, and the folder is free at once.
pub struct Mount {
    point: PathBuf,
    power: Arc<Power>,
    session: Option<BackgroundSession>,
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount")
            .field("point", &self.point)
            .finish_non_exhaustive()
    }
}

impl Mount {
    /// Mounts an empty file system on an existing folder, and serves it in threads of this process.
    /// The root of it has the folder's mode, user and group.
    ///
    /// **Invariant:** the threads that serve it touch no file system. The rest of the process may
    /// use the mount, but must not hold what such a thread needs, such as a stopped process.
    ///
    /// # Errors
    /// If this machine lacks something, or the folder cannot be mounted on.
    pub fn start(point: impl AsRef<Path>, options: Options) -> Result<Self, MountError> {
        Self::attach(point.as_ref(), options, &config())
    }

    /// The same for a process that does nothing else: the mount also ends when it is killed.
    ///
    /// fusermount3 watches over that. It hands the device over without close-on-exec, so a
    /// process that starts others at the same time must not ask for it.
    pub(crate) fn start_for_process(point: &Path, options: Options) -> Result<Self, MountError> {
        let mut config = config();
        if config.acl == SessionACL::All && helper() {
            config.mount_options.push(MountOption::AutoUnmount);
        }
        Self::attach(point, options, &config)
    }

    fn attach(point: &Path, options: Options, config: &Config) -> Result<Self, MountError> {
        let refused = |error| MountError::Point {
            point: point.to_owned(),
            error,
        };
        let point = folder(point)?;
        let metadata = fs::metadata(&point).map_err(refused)?;
        let access = Access {
            mode: permissions(metadata.mode()),
            uid: metadata.uid(),
            gid: metadata.gid(),
        };
        let power = Power::new(Disk::new(options, access));
        let session =
            fuser::spawn_mount(Server::new(Arc::clone(&power)), &point, config).map_err(refused)?;
        let mount = Self {
            point,
            power: Arc::clone(&power),
            session: Some(session),
        };
        thread::Builder::new()
            .name("lossyfs-slow".to_owned())
            .spawn(move || power.answer_slow_fsyncs())
            .map_err(refused)?;
        Ok(mount)
    }

    /// A hand on the switch. Any number of them may exist, and outlive the mount.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.power))
    }

    /// The folder it is mounted on.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.point
    }

    /// Whether somebody else has unmounted it, and nobody holds a file on it any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.session
            .as_ref()
            .is_none_or(|session| session.guard.is_finished())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // First the folder, so that nobody enters any more; then all answers are errors. The
        // session's thread ends by itself when the last process lets go.
        if self.session.is_some() {
            detach(&self.point);
        }
        self.power.end();
    }
}

/// The folder to mount on, by its full name. A file could be mounted on too, and every use of it would
/// fail afterwards in a way that names no cause.
pub(crate) fn folder(point: &Path) -> Result<PathBuf, MountError> {
    available()?;
    let refused = |error| MountError::Point {
        point: point.to_owned(),
        error,
    };
    detach_dead(point);
    let whole = point.canonicalize().map_err(refused)?;
    if whole.is_dir() {
        return Ok(whole);
    }
    let words = "it is no folder; name one that exists";
    Err(refused(io::Error::new(io::ErrorKind::NotADirectory, words)))
}

/// Takes a mount out of the tree, whoever still uses it. Without root this is refused, and the
/// session asks fusermount3 to do the same when it is dropped.
///
/// Says whether it did: what cannot be unmounted was unmounted by somebody else, or needs the help just named.
pub(crate) fn detach(point: &Path) -> bool {
    unmount(point, UnmountFlags::DETACH).is_ok()
}

/// Takes away what a process that was killed left mounted: every access to it fails with ENOTCONN.
fn detach_dead(point: &Path) {
    let dead = fs::metadata(point)
        .is_err_and(|error| error.raw_os_error() == Some(Errno::NOTCONN.raw_os_error()));
    if dead {
        detach(point);
    }
}

fn config() -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName("lossyfs".to_owned()),
        MountOption::Subtype("lossyfs".to_owned()),
        // The kernel judges modes and owners, as on any disk.
        MountOption::DefaultPermissions,
    ];
    if rustix::process::geteuid().is_root() {
        config.acl = SessionACL::All;
    }
    // One thread: the order of operations is the order in which the kernel asked.
    config.n_threads = Some(1);
    config
}

fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).unwrap_or(0)
}
