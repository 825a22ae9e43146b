//! SoftHSM keeps keys in files and never fsyncs them: a fresh key was lost by a power cut, each time
//! it was tried. So its files are fsynced here, before a key is announced to anybody.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Launch;
use crate::wire::Token;
use crate::{Trouble, TroubleKind};

/// What SoftHSM says of itself (`CK_TOKEN_INFO.manufacturerID`).
const SOFTHSM: &str = "SoftHSM project";

/// The variable with the path of SoftHSM's configuration.
const VARIABLE: &str = "SOFTHSM2_CONF";

/// The files and folders of one SoftHSM token, and the folders above it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Files {
    /// Every file of the token.
    pub files: Vec<PathBuf>,
    /// The folders of the token, innermost first, and then the chain above them on the same disk.
    pub folders: Vec<PathBuf>,
}

/// Fsyncs a token, if it is one of SoftHSM. Other tokens look after themselves.
///
/// # Errors
/// If a file of it cannot be found or fsynced.
pub(super) fn sync(launch: &Launch, token: &Token) -> Result<(), Trouble> {
    if token.manufacturer != SOFTHSM {
        return Ok(());
    }
    let failed = |error: io::Error| {
        Trouble::new(
            TroubleKind::Device,
            format!(
                "what was made in token {:?} may be lost by a power cut, so do not use it: SoftHSM \
                 does not fsync its files, and neither could this program ({error})",
                token.label
            ),
        )
    };
    let files = tokens(launch).and_then(|folder| Files::of(&folder, token));
    files.and_then(|files| files.sync()).map_err(failed)
}

impl Files {
    /// What must be fsynced of a token in SoftHSM's folder of tokens.
    ///
    /// # Errors
    /// What the file system says, with the path; or that no folder is the token's.
    pub fn of(tokens: &Path, token: &Token) -> io::Result<Self> {
        let mut own = None;
        for entry in fs::read_dir(tokens).map_err(|error| at(tokens, &error))? {
            let path = entry.map_err(|error| at(tokens, &error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // A folder is named by a UUID whose end is the serial number.
            if name.replace('-', "").ends_with(&token.serial) {
                own = Some(path.clone());
            }
        }
        let own = own.ok_or_else(|| {
            let what = format!("no folder in {} ends in {}", tokens.display(), token.serial);
            io::Error::new(io::ErrorKind::NotFound, what)
        })?;
        let own = own.canonicalize().map_err(|error| at(&own, &error))?;
        let mut all = Self {
            files: Vec::new(),
            folders: Vec::new(),
        };
        all.descend(&own)?;
        let device = fs::metadata(&own).map_err(|error| at(&own, &error))?.dev();
        for above in own.ancestors().skip(1) {
            // What is beyond was there before, and its names are not ours to save.
            let ours = fs::metadata(above).is_ok_and(|above| above.dev() == device)
                && File::open(above).is_ok();
            if !ours {
                break;
            }
            all.folders.push(above.to_owned());
        }
        Ok(all)
    }

    fn descend(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder).map_err(|error| at(folder, &error))? {
            let path = entry.map_err(|error| at(folder, &error))?.path();
            match fs::symlink_metadata(&path).map_err(|error| at(&path, &error))? {
                meta if meta.is_dir() => self.descend(&path)?,
                meta if meta.is_file() => self.files.push(path),
                _neither => {}
            }
        }
        self.folders.push(folder.to_owned());
        Ok(())
    }

    /// Fsyncs all of it, files before the folders that name them.
    ///
    /// # Errors
    /// The first path that fails. It is not tried again: the kernel forgets what it could not write.
    pub fn sync(&self) -> io::Result<()> {
        for path in self.files.iter().chain(&self.folders) {
            let synced = File::open(path).and_then(|file| file.sync_all());
            synced.map_err(|error| at(path, &error))?;
        }
        Ok(())
    }
}

/// SoftHSM's folder of tokens, as the process that holds its module finds it: `directories.tokendir`
/// of the file in `SOFTHSM2_CONF`, of the user's, or of the system's.
fn tokens(launch: &Launch) -> io::Result<PathBuf> {
    let inherited = || match launch.remove.contains(VARIABLE) {
        true => None,
        false => std::env::var_os(VARIABLE).map(PathBuf::from),
    };
    let said = launch
        .set
        .get(VARIABLE)
        .map(PathBuf::from)
        .or_else(inherited);
    let own = || {
        let home = std::env::var_os("HOME").map(PathBuf::from)?;
        let own = home.join(".config/softhsm2/softhsm2.conf");
        own.exists().then_some(own)
    };
    let configuration = said
        .or_else(own)
        .unwrap_or_else(|| PathBuf::from("/etc/softhsm/softhsm2.conf"));
    let text = fs::read_to_string(&configuration).map_err(|error| at(&configuration, &error))?;
    let folder = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "directories.tokendir").then(|| PathBuf::from(value.trim()))
    });
    folder.ok_or_else(|| {
        let what = format!("{} names no directories.tokendir", configuration.display());
        io::Error::new(io::ErrorKind::NotFound, what)
    })
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
