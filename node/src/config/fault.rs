//! What is wrong with a configuration file: where, what, and what to write instead.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One thing wrong in `node.toml`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The line of the file, from 1; 0 if the file as a whole is meant.
    pub line: usize,
    /// The field, as a dotted path (`signer.listen`).
    pub field: String,
    /// What is wrong with it.
    pub wrong: String,
    /// What to write.
    pub write: String,
}

/// Every fault of one file, in the order of its lines. Never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Faults {
    /// The file that was read.
    pub file: PathBuf,
    /// What is wrong in it.
    pub faults: Vec<Fault>,
}

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match fault.line {
                0 => write!(f, "{file}: ")?,
                line => write!(f, "{file}:{line}: ")?,
            }
            if !fault.field.is_empty() {
                write!(f, "{}: ", fault.field)?;
            }
            write!(f, "{}; {}", fault.wrong, fault.write)?;
        }
        Ok(())
    }
}

/// Gathers faults while a file is checked, so that all of them are told at once.
#[derive(Debug)]
pub(super) struct Checker<'a> {
    text: &'a str,
    faults: Vec<Fault>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            faults: Vec::new(),
        }
    }

    /// Notes a fault at `span`; without one the fault is the whole file's (something is missing).
    pub(super) fn fault(
        &mut self,
        span: Option<Range<usize>>,
        field: &str,
        wrong: impl Into<String>,
        write: impl Into<String>,
    ) {
        self.faults.push(Fault {
            line: span.map_or(0, |span| self.line(span.start)),
            field: field.to_owned(),
            wrong: wrong.into(),
            write: write.into(),
        });
    }

    pub(super) fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// Everything that was found, in the order of the lines.
    pub(super) fn faults(mut self, file: &Path) -> Faults {
        self.faults.sort_by_key(|fault| fault.line);
        Faults {
            file: file.to_owned(),
            faults: self.faults,
        }
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before
            .filter(|byte| **byte == b'\n')
            .count()
            .saturating_add(1)
    }
}
