//! `--import`: a mark that is typed, or another signer's files.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

use raft_store::command::Import;
use tezos::{ChainId, Kind, Level, PublicKeyHash, Round};

use super::old_files::{self, OldFile};
use crate::migrate::{self, Content, Entry, Fault, Faults};

/// What one `--import` says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Imported {
    /// `[KIND:]CHAIN=LEVEL[/ROUND]`.
    Mark(Import),
    /// `SIGNER:PATH`.
    Source(Source),
}

/// Files of another signer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Source {
    layout: Layout,
    path: PathBuf,
}

/// How the files are to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Layout {
    Octez,
    Signatory,
    Tacoinfra,
    DynamoDb,
}

/// The words before the colon.
const LAYOUTS: [(&str, Layout); 4] = [
    ("octez", Layout::Octez),
    ("signatory", Layout::Signatory),
    ("tacoinfra", Layout::Tacoinfra),
    ("dynamodb", Layout::DynamoDb),
];

/// What the sources hold.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The marks, by source.
    pub(super) sources: Vec<(String, Vec<Entry>)>,
    /// What else there is to say about them.
    pub(super) lines: Vec<String>,
}

impl FromStr for Imported {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((word, path)) = text.split_once(':')
            && let Some((_, layout)) = LAYOUTS.iter().find(|(name, _)| *name == word)
        {
            let path = PathBuf::from(path);
            return Ok(Self::Source(Source {
                layout: *layout,
                path,
            }));
        }
        typed(text).map(Self::Mark)
    }
}

fn typed(text: &str) -> Result<Import, String> {
    fn part<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
        text.parse().map_err(|error| format!("{text:?}: {error}"))
    }
    let expected = || {
        "expected [KIND:]CHAIN=LEVEL[/ROUND], or octez:PATH, signatory:PATH, tacoinfra:PATH, dynamodb:PATH"
            .to_owned()
    };
    let (mark, slot) = text.split_once('=').ok_or_else(expected)?;
    let (kind, chain) = match mark.split_once(':') {
        Some((kind, chain)) => (Some(part::<Kind>(kind)?), chain),
        None => (None, mark),
    };
    let (level, round) = match slot.split_once('/') {
        Some((level, round)) => (level, Some(part::<Round>(round)?)),
        None => (slot, None),
    };
    Ok(Import {
        chain: part::<ChainId>(chain)?,
        kind,
        level: part::<Level>(level)?,
        round,
    })
}

/// Reads every source. A file that its signer wrote within the last minute before `now` is refused:
/// that signer still runs.
///
/// # Errors
/// Every file that cannot be read or understood.
pub(super) fn read(
    sources: &[&Source],
    key: PublicKeyHash,
    now: SystemTime,
) -> Result<Read, Faults> {
    let mut read = Read::default();
    let mut faults = Vec::new();
    let mut tables = Vec::new();
    let mut exported = false;
    for source in sources {
        let name = source.path.display().to_string();
        match source.entries(key, now) {
            Ok(Content::Rows(entries)) => {
                if source.layout.is_export() {
                    exported = true;
                    read.lines.push(format!(
                        "{name}: an export, so its age says nothing: it must be from after that signer was stopped"
                    ));
                }
                read.sources.push((name, entries));
            }
            Ok(Content::Table { export }) => tables.push((name, export)),
            Err(Faults(some)) => faults.extend(some),
        }
    }
    for (file, export) in tables {
        if exported {
            continue;
        }
        let what = format!(
            "its marks are in a DynamoDB table. Stop that signer, export the table with `{export}`, and add \
             --import dynamodb:marks.json"
        );
        faults.push(Fault::NotHere { file, what });
    }
    match faults.is_empty() {
        true => Ok(read),
        false => Err(Faults(faults)),
    }
}

impl Layout {
    /// Whether its files were exported by hand, and not written by the signer itself.
    const fn is_export(self) -> bool {
        match self {
            Self::Octez | Self::Signatory => false,
            Self::Tacoinfra | Self::DynamoDb => true,
        }
    }
}

impl Source {
    fn entries(&self, key: PublicKeyHash, now: SystemTime) -> Result<Content, Faults> {
        match self.layout {
            Layout::Octez => {
                let files = old_files::of_octez(&self.path, now)?;
                let marks = files.iter().map(|(kind, file)| {
                    let OldFile { name, text, .. } = file;
                    migrate::octez::marks(name, *kind, text)
                });
                all(marks)
            }
            Layout::Signatory => {
                let files = old_files::of_signatory(&self.path, now)?;
                let marks = files.iter().map(|(chain, file)| {
                    migrate::signatory_marks(&file.name, &chain.to_string(), &file.text)
                });
                all(marks)
            }
            Layout::DynamoDb => self
                .text()
                .and_then(|(file, text)| Ok(Content::Rows(migrate::rows(&file, &text)?))),
            Layout::Tacoinfra => self
                .text()
                .and_then(|(file, text)| Ok(migrate::content(&file, &text, key)?)),
        }
    }

    fn text(&self) -> Result<(String, String), Faults> {
        let OldFile { name, text, .. } = OldFile::read(Path::new(&self.path))?;
        Ok((name, text))
    }
}

/// The marks of all files, or all that is wrong with them.
fn all(files: impl Iterator<Item = Result<Vec<Entry>, Fault>>) -> Result<Content, Faults> {
    let mut entries = Vec::new();
    let mut faults = Vec::new();
    for marks in files {
        match marks {
            Ok(marks) => entries.extend(marks),
            Err(fault) => faults.push(fault),
        }
    }
    match faults.is_empty() {
        true => Ok(Content::Rows(entries)),
        false => Err(Faults(faults)),
    }
}

#[cfg(test)]
mod tests;
