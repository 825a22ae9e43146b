//! Mounts that somebody left behind.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::mount::detach;

/// Where the kernel says what is mounted, as this process sees it.
const TABLE: &str = "/proc/self/mountinfo";

/// Takes away every mount below a folder, whoever still uses it, and says which there were. For what a process
/// that was killed has left: nobody may be at work in the folder.
///
/// # Errors
/// If the kernel does not say what is mounted, or something is still mounted afterwards.
pub fn detach_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = folder.canonicalize()?;
    let found = below(&fs::read(TABLE)?, &folder);
    // What was mounted last lies on top.
    for point in found.iter().rev() {
        if !detach(point) {
            ask_helper(point);
        }
    }
    match below(&fs::read(TABLE)?, &folder).first() {
        None => Ok(found),
        Some(left) => Err(io::Error::other(format!(
            "{} is still mounted; unmount it as root with `umount -l`",
            left.display()
        ))),
    }
}

/// The same for who is not root, and mounted it with this help.
fn ask_helper(point: &Path) {
    // Whether it worked is seen in the table.
    let _seen_later: io::Result<_> = Command::new("fusermount3")
        .args(["-u", "-z", "--"])
        .arg(point)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

fn below(table: &[u8], folder: &Path) -> Vec<PathBuf> {
    let points = table.split(|byte| *byte == b'\n').filter_map(|line| {
        // 36 35 98:0 /root /point options ...
        let field = line.split(|byte| *byte == b' ').nth(4)?;
        Some(PathBuf::from(OsString::from_vec(plain(field))))
    });
    points.filter(|point| point.starts_with(folder)).collect()
}

/// The kernel writes a space, a tab, a line's end and `\` as `\` and three octal digits.
fn plain(field: &[u8]) -> Vec<u8> {
    let mut rest = field;
    let mut bytes = Vec::new();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let code = (*byte == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(*byte));
        if code.is_some() {
            rest = after.get(3..).unwrap_or_default();
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_below_the_folder_and_not_beside_it() {
        let table = b"\
22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
41 22 0:41 / /out/run-7/node\\0401/data rw - fuse.lossyfs lossyfs rw\n\
42 22 0:42 / /out/run-77/data rw - fuse.lossyfs lossyfs rw\n\
43 22 0:43 / /out/run-7\\134 rw - fuse.lossyfs lossyfs rw\n";
        let found = below(table, Path::new("/out/run-7"));
        assert_eq!(found, [PathBuf::from("/out/run-7/node 1/data")]);
        assert_eq!(below(table, Path::new("/out")).len(), 3);
        assert_eq!(below(table, Path::new("/out/run-7\\")).len(), 1);
    }
}
