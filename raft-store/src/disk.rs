//! Files that are really there: create, replace and fsync, up the chain of folders.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Exit code of a process whose disk failed (`EX_IOERR`).
pub const EXIT_IO: i32 = 74;

/// Ends the process with [`EXIT_IO`].
///
/// **Invariant:** a failed fsync or write of state is never retried and never answered. The kernel
/// drops the dirty pages and reports success the next time, so what this process believes about its
/// disk is worthless from here on; a new process starts from what is really there.
#[expect(
    clippy::exit,
    reason = "no acknowledgement may leave after a failed fsync"
)]
pub fn stop(what: &str, path: &Path, error: &dyn std::error::Error) -> ! {
    let path = path.display();
    if tracing::dispatcher::has_been_set() {
        tracing::error!(%path, %error, "{what} failed; stopping with exit code {EXIT_IO}");
    } else {
        writeln!(
            io::stderr(),
            "{what} failed at {path}: {error}; stopping with exit code {EXIT_IO}"
        )
        .ok();
    }
    std::process::exit(EXIT_IO)
}

/// Replaces a file by way of `<name>.new`: write, fsync, rename, fsync the folder. After a crash at
/// any point the old or the new content is there, whole. The mode is 0600.
///
/// A failed fsync ends the process ([`stop`]).
///
/// # Errors
/// What the file system says to create, write or rename.
pub fn replace(path: &Path, pieces: &[&[u8]]) -> io::Result<()> {
    let staged = staged(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&staged)
        .map_err(|error| at(&staged, error))?;
    for piece in pieces {
        file.write_all(piece).map_err(|error| at(&staged, error))?;
    }
    sync(&file, &staged);
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the function it points to"
    )]
    fs::rename(&staged, path).map_err(|error| at(path, error))?;
    sync_folder(parent(path))
}

/// Fsyncs a file that exists, and its folder: what was read from it may only have been in the page
/// cache of a process that was killed.
///
/// # Errors
/// If it cannot be opened. A failed fsync ends the process.
pub fn sync_file(path: &Path) -> io::Result<()> {
    sync(&File::open(path).map_err(|error| at(path, error))?, path);
    sync_folder(parent(path))
}

/// Cuts a file to its first `length` bytes, durably.
///
/// # Errors
/// If it cannot be opened or cut. A failed fsync ends the process.
pub fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(|error| at(path, error))?;
    file.set_len(length).map_err(|error| at(path, error))?;
    sync(&file, path);
    Ok(())
}

/// Fsyncs a folder, so that the names in it survive a power cut.
///
/// # Errors
/// If it cannot be opened. A failed fsync ends the process.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    sync(&File::open(path).map_err(|error| at(path, error))?, path);
    Ok(())
}

/// Creates a folder (mode 0700) and what is missing above it, and fsyncs every folder up to the
/// root: RocksDB does not fsync the parent of its own, and a strict power cut took everything.
///
/// # Errors
/// What the file system says.
pub fn create_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| at(path, error))?;
    sync_chain(path)
}

/// Fsyncs a folder and every folder above it on the same device that this user may open. What is
/// beyond was there before, and its names are not ours to save.
///
/// # Errors
/// If the path cannot be resolved, or a folder not be read.
pub fn sync_chain(path: &Path) -> io::Result<()> {
    let whole = path.canonicalize().map_err(|error| at(path, error))?;
    let device = fs::metadata(&whole)
        .map_err(|error| at(&whole, error))?
        .dev();
    for folder in whole.ancestors() {
        let same = fs::metadata(folder).is_ok_and(|metadata| metadata.dev() == device);
        match File::open(folder) {
            Ok(file) if same => sync(&file, folder),
            Err(error) if same && error.kind() != io::ErrorKind::PermissionDenied => {
                return Err(at(folder, error));
            }
            Ok(_) | Err(_) => break,
        }
    }
    Ok(())
}

/// The temporary name of [`replace`]; a leftover of a crash, never read.
#[must_use]
pub fn staged(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    path.with_file_name(name)
}

/// Puts the path before an error of the file system, which names none.
pub(crate) fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn sync(file: &File, path: &Path) {
    if let Err(error) = file.sync_all() {
        stop("fsync", path, &error);
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// What a folder lies on, as far as it decides whether it may hold state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A disk, as far as one can tell.
    Disk,
    /// A container's writable layer: gone with the container.
    Overlay,
    /// Memory: gone with the power.
    Memory(&'static str),
    /// A network share: locks and fsync are promises of another machine.
    Network(&'static str),
}

/// The medium a folder lies on.
///
/// # Errors
/// If `statfs` fails.
pub fn medium(path: &Path) -> io::Result<Medium> {
    let stat = rustix::fs::statfs(path).map_err(|error| at(path, error.into()))?;
    // The type is a signed word on some machines: the low 32 bits are the magic number.
    Ok(medium_of(
        u32::try_from(stat.f_type & 0xffff_ffff).unwrap_or(0),
    ))
}

/// Magic numbers from `linux/magic.h`, and those of CIFS and Ceph from their sources.
fn medium_of(magic: u32) -> Medium {
    match magic {
        0x0102_1994 => Medium::Memory("tmpfs"),
        0x8584_58f6 => Medium::Memory("ramfs"),
        0x0000_6969 => Medium::Network("NFS"),
        0xff53_4d42 | 0xfe53_4d42 => Medium::Network("CIFS"),
        0x0000_517b => Medium::Network("SMB"),
        0x5346_414f => Medium::Network("AFS"),
        0x0102_1997 => Medium::Network("9p"),
        0x00c3_6400 => Medium::Network("Ceph"),
        0x794c_7630 => Medium::Overlay,
        _ => Medium::Disk,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_network_are_told_from_disks() {
        assert_eq!(medium_of(0x0102_1994), Medium::Memory("tmpfs"));
        assert_eq!(medium_of(0x6969), Medium::Network("NFS"));
        assert_eq!(medium_of(0x794c_7630), Medium::Overlay);
        assert_eq!(medium_of(0xef53), Medium::Disk); // ext4
    }

    #[test]
    fn a_replaced_file_is_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, &[b"one"]).unwrap();
        replace(&path, &[b"tw", b"o"]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert!(!staged(&path).exists());
    }
}
