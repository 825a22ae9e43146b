//! The files of another signer, on this machine.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tezos::{ChainId, Kind};

use crate::migrate::octez::{FILES, kind_of};
use crate::migrate::{Fault, Faults};

/// A file that is larger is none of marks: a thousand keys on four chains take one mebibyte.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How long a file of a signer that was stopped has not changed. A baker's signer writes several times
/// a minute.
const QUIET: Duration = Duration::from_secs(60);

/// A file, read whole.
#[derive(Clone, Debug)]
pub(in crate::cli) struct OldFile {
    /// Its path, for messages.
    pub(in crate::cli) name: String,
    /// Its content.
    pub(in crate::cli) text: String,
    changed: SystemTime,
}

impl OldFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is larger than 16 MiB.
    pub(in crate::cli) fn read(path: &Path) -> Result<Self, Fault> {
        let name = path.display().to_string();
        let not_here = |what: String| Fault::NotHere {
            file: name.clone(),
            what,
        };
        let failed = |error: std::io::Error| not_here(format!("cannot be read: {error}"));
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        let limit = BYTES_MAX.saturating_add(1);
        file.take(limit).read_to_string(&mut text).map_err(failed)?;
        if u64::try_from(text.len()).is_ok_and(|length| length > BYTES_MAX) {
            return Err(not_here(format!(
                "is larger than {BYTES_MAX} bytes, so it is no file of marks"
            )));
        }
        // After the content: what was written while it was read is new enough to be noticed.
        let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified());
        Ok(Self {
            changed: changed.map_err(failed)?,
            name,
            text,
        })
    }

    /// Refuses a file that changed within the minute before `now`, or after it.
    ///
    /// # Errors
    /// [`Fault::NotHere`].
    pub(in crate::cli) fn quiet(self, now: SystemTime) -> Result<Self, Fault> {
        let age = now.duration_since(self.changed).unwrap_or_default();
        if age >= QUIET {
            return Ok(self);
        }
        Err(Fault::NotHere {
            file: self.name,
            what: format!(
                "changed {} seconds ago: the old signer still runs. Stop it for good, wait a minute, and repeat this; \
                 two signers of one key sign two blocks",
                age.as_secs()
            ),
        })
    }
}

/// octez-signer's files in its base folder, or one of them.
///
/// # Errors
/// If there is none, or if one cannot be read or is too new.
pub(super) fn of_octez(path: &Path, now: SystemTime) -> Result<Vec<(Kind, OldFile)>, Faults> {
    let not_here = |what: &str| Fault::NotHere {
        file: path.display().to_string(),
        what: what.to_owned(),
    };
    if path.is_file() {
        let name = path.file_name().and_then(|name| name.to_str());
        let kind = name.and_then(kind_of).ok_or_else(|| {
            not_here("is none of octez-signer's *_high_watermarks, whose names say what they hold")
        })?;
        return read_all([(kind, path.to_owned())], now);
    }
    let there = FILES.iter().filter(|(name, _)| is_there(&path.join(name)));
    let there: Vec<(&str, Kind)> = there.copied().collect();
    // Octez has not written the older names since v23: beside a newer name they are what was left
    // behind, and a kind that has nothing else has no mark, and is burnt with those that are missing.
    let renamed = there.iter().any(|(name, _)| is_renamed(name));
    let has_newer = |kind: Kind| {
        let newer = |(name, of): &(&str, Kind)| *of == kind && !is_old(name);
        there.iter().any(newer)
    };
    let files: Vec<_> = there
        .iter()
        .filter(|(name, kind)| !renamed || !is_old(name) || has_newer(*kind))
        .map(|(name, kind)| (*kind, path.join(name)))
        .collect();
    if files.is_empty() {
        return Err(not_here(
            "has no *_high_watermarks. Name the base folder of octez-signer (--base-dir, else .octez-signer in its \
             user's home). One that ran without --check-high-watermark has none: then say by hand what it may have \
             signed, --import CHAIN=LEVEL with the level of the chain's head when it was stopped",
        )
        .into());
    }
    read_all(files, now)
}

/// Whether a name is there, also as a link to what cannot be reached: only what is surely absent is
/// passed over, since a missing file is read as "nothing signed".
pub(in crate::cli) fn is_there(path: &Path) -> bool {
    let looked = path.symlink_metadata();
    !looked.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// A name that octez-signer wrote before v23 alone.
fn is_old(name: &str) -> bool {
    name.contains("endorsement")
}

/// A name that octez-signer writes since v23 alone.
fn is_renamed(name: &str) -> bool {
    name.contains("attestation")
}

/// Signatory's file of each chain, below its base folder, or in `watermark_v2` itself, or one of them.
///
/// # Errors
/// If there is none, if its name is no chain, or if it cannot be read or is too new.
pub(super) fn of_signatory(
    path: &Path,
    now: SystemTime,
) -> Result<Vec<(ChainId, OldFile)>, Faults> {
    let not_here = |path: &Path, what: &str| Fault::NotHere {
        file: path.display().to_string(),
        what: what.to_owned(),
    };
    let below = path.join("watermark_v2");
    let older = ["watermark_v1", "watermark"].map(|name| path.join(name));
    let paths = match (path.is_file(), below.is_dir()) {
        (true, _) => vec![path.to_owned()],
        (false, _) if !below.is_dir() && older.iter().any(|folder| folder.is_dir()) => {
            return Err(not_here(
                path,
                "has marks in an older layout only: start the present Signatory once, which rewrites them to watermark_v2, \
                 and stop it",
            )
            .into());
        }
        (false, true) => listed(&below)?,
        (false, false) => listed(path)?,
    };
    let json = paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let mut files = Vec::new();
    for path in json {
        let chain = path.file_stem().and_then(|name| name.to_str());
        let chain = chain.and_then(|name| name.parse::<ChainId>().ok());
        let chain = chain.ok_or_else(|| {
            not_here(
                &path,
                "its name is no chain, as NetXdQprcVkpaWU.json is: it is no file of marks",
            )
        })?;
        files.push((chain, path));
    }
    if files.is_empty() {
        return Err(not_here(
            path,
            "has no watermark_v2 with a file for each chain. Name Signatory's base_dir. With its watermark backend aws \
             the marks are in a DynamoDB table: export that, and name it as dynamodb:PATH",
        )
        .into());
    }
    read_all(files, now)
}

fn listed(folder: &Path) -> Result<Vec<std::path::PathBuf>, Fault> {
    let failed = |error: std::io::Error| Fault::NotHere {
        file: folder.display().to_string(),
        what: format!("cannot be listed: {error}"),
    };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<_> = paths.collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

fn read_all<T>(
    files: impl IntoIterator<Item = (T, std::path::PathBuf)>,
    now: SystemTime,
) -> Result<Vec<(T, OldFile)>, Faults> {
    let mut read = Vec::new();
    let mut faults = Vec::new();
    for (what, path) in files {
        match OldFile::read(&path).and_then(|file| file.quiet(now)) {
            Ok(file) => read.push((what, file)),
            Err(fault) => faults.push(fault),
        }
    }
    match faults.is_empty() {
        true => Ok(read),
        false => Err(Faults(faults)),
    }
}

#[cfg(test)]
mod tests;
