//! Passwords: from a file, a systemd credential, an environment variable. Never from an argument.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::KeyFault;
use crate::config::PasswordSource;

/// A password is at most this long, so that a wrong path does not read a disk into memory.
pub const PASSWORD_BYTES_MAX: u64 = 4_096;

/// A password in memory that is cleared when it is dropped, and that prints as nothing.
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// The first line of what was typed or read.
    ///
    /// # Errors
    /// [`KeyFault::NoPassword`] if it is empty; `place` says where it came from.
    pub fn first_line(bytes: &Zeroizing<Vec<u8>>, place: &str) -> Result<Self, KeyFault> {
        let line = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Err(KeyFault::NoPassword {
                what: format!("{place} is empty"),
            });
        }
        Ok(Self(Zeroizing::new(line.to_vec())))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl PasswordSource {
    /// Reads the password.
    ///
    /// # Errors
    /// [`KeyFault`]: it is not there, empty, or readable by others.
    pub fn read(&self) -> Result<Password, KeyFault> {
        match self {
            Self::File(path) => read_file(path, 0o077),
            Self::Credential(name) => {
                let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") else {
                    let what = format!(
                        "$CREDENTIALS_DIRECTORY is not set; add LoadCredentialEncrypted={name} to \
                         the systemd unit"
                    );
                    return Err(KeyFault::NoPassword { what });
                };
                // systemd gives the service's user access by an ACL, which shows as group bits.
                read_file(&PathBuf::from(folder).join(name), 0o007)
            }
            Self::Variable(name) => {
                let Some(value) = std::env::var_os(name) else {
                    let what = format!("the environment variable {name} is not set");
                    return Err(KeyFault::NoPassword { what });
                };
                let bytes = Zeroizing::new(std::os::unix::ffi::OsStringExt::into_vec(value));
                Password::first_line(&bytes, &format!("the environment variable {name}"))
            }
        }
    }
}

/// Reads a file that must not be readable by those in `forbidden`.
fn read_file(path: &Path, forbidden: u32) -> Result<Password, KeyFault> {
    let bytes = read_private(path, forbidden, PASSWORD_BYTES_MAX)?;
    Password::first_line(&bytes, &path.display().to_string())
}

/// Reads a small file of secrets, once its permissions were found to be right.
///
/// The permissions are those of the open file, so it cannot be exchanged in between.
///
/// # Errors
/// [`KeyFault::Unreadable`], [`KeyFault::Exposed`], or [`KeyFault::Damaged`] if it is too long.
pub(super) fn read_private(
    path: &Path,
    forbidden: u32,
    bytes_max: u64,
) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
    let unreadable = |source| KeyFault::Unreadable {
        path: path.to_owned(),
        source,
    };
    // Without waiting: a pipe in the place of the file would hold up whoever opens it.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(KeyFault::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let damaged = |what: String| KeyFault::Damaged {
        path: path.to_owned(),
        what,
    };
    if !metadata.is_file() || metadata.len() > bytes_max {
        return Err(damaged(format!(
            "it is not a file of at most {bytes_max} bytes"
        )));
    }
    // The whole buffer is reserved at once: a growing vector leaves copies of secrets behind.
    let length = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    file.take(bytes_max)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}
