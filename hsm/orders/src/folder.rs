//! The folder where a test and the shim meet.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// The paths in a folder of orders, and the lock that makes them one thing.
///
/// An order is `<name>.json`; beside it grows `<name>.used`, one byte for each call that it
/// concerned. Whoever reads an order to carry it out, gives or withdraws one holds the lock, so a
/// use is counted once whichever thread or process it happens in, and none comes after a
/// withdrawal.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// What an order meant for a call that it concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It was carried out.
    Carried,
    /// The call passed, as one of those to skip.
    Skipped,
}

impl Use {
    fn byte(self) -> u8 {
        match self {
            Self::Carried => b'u',
            Self::Skipped => b's',
        }
    }
}

impl Folder {
    /// The folder at a path, which may not exist yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the folder is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of an order.
    #[must_use]
    pub fn order(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.json"))
    }

    /// The file in which calls that an order concerned are counted.
    #[must_use]
    pub fn uses(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.used"))
    }

    /// The file with one line for each call of the module.
    #[must_use]
    pub fn calls(&self) -> PathBuf {
        self.path.join("calls.log")
    }

    /// Waits for the lock, which lasts as long as the file is open.
    ///
    /// # Errors
    /// When the file of the lock cannot be made or locked.
    pub fn lock(&self) -> io::Result<File> {
        let file = File::create(self.path.join("lock"))?;
        file.lock()?;
        Ok(file)
    }

    /// The names of the orders, in order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let file = entry?.file_name();
            if let Some(name) = file.to_string_lossy().strip_suffix(".json") {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// How many calls an order was used for in that way.
    ///
    /// # Errors
    /// When the count cannot be read.
    pub fn count(&self, name: &str, what: Use) -> io::Result<usize> {
        let bytes = match fs::read(self.uses(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            read => read?,
        };
        Ok(bytes
            .into_iter()
            .filter(|&byte| byte == what.byte())
            .count())
    }

    /// Counts one more call that an order was used for. The lock must be held.
    ///
    /// # Errors
    /// When the count cannot be written.
    pub fn add(&self, name: &str, what: Use) -> io::Result<()> {
        append(&self.uses(name), &[what.byte()])
    }

    /// Adds a line to the log of calls, in one write: no two processes ever share a line.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn log(&self, line: &str) -> io::Result<()> {
        append(&self.calls(), format!("{line}\n").as_bytes())
    }
}

fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?
        .write_all(bytes)
}
