//! Where the modules are: the shim that this workspace builds, and SoftHSM behind it.

use std::{
    env, io,
    path::{Path, PathBuf},
};

/// The variable with the path of the module that the shim forwards to.
pub const MODULE: &str = "QUORATE_SHIM_MODULE";

/// The variable with the folder of orders.
pub const ORDERS: &str = "QUORATE_SHIM_ORDERS";

/// Finds the shim by the path of the program that asks, a test or a binary of this workspace.
///
/// It is the file in `deps` on purpose. Both `cargo build` and `cargo test` write that one; the
/// one above it is linked by `cargo build` alone, and is an old one after a change and a
/// `cargo test`.
///
/// # Errors
/// When there is none, with the command that builds it.
pub fn shim() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let folder = program.parent().unwrap_or_else(|| Path::new("."));
    let deps = if folder.ends_with("deps") {
        folder.to_owned()
    } else {
        folder.join("deps")
    };
    let file = deps.join("libpkcs11_shim.so");
    if file.exists() {
        return Ok(file);
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!(
            "{} is not there: cargo build -p pkcs11-shim",
            file.display()
        ),
    ))
}

/// Finds SoftHSM where Debian, Fedora and Arch put it. None where it is not installed.
#[must_use]
pub fn softhsm() -> Option<PathBuf> {
    [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ]
    .into_iter()
    .map(PathBuf::from)
    .find(|path| path.exists())
}
