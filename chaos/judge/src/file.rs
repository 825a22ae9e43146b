//! Reads a history from a file of JSON lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::history::Line;
use crate::strict;

/// Why a history cannot be read. Nothing of it is judged then: a line that is left out could be the
/// one that matters.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("cannot open the history {path}", path = path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line cannot be read from the disk.
    #[error("cannot read line {line} of the history")]
    Read {
        /// Counted from 1.
        line: usize,
        /// Why.
        source: io::Error,
    },
    /// A line is no event.
    #[error("line {line} of the history is no event: {source}; see chaos/judge/src/history.rs")]
    Event {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Reads a history, one event a line. Empty lines are passed over, and counted; so are the fields that
/// the audit file of a node has for people. Any other field that is unknown is an error.
///
/// # Errors
/// [`ReadError`] names the first line that cannot be read.
pub fn read(input: impl BufRead) -> Result<Vec<Line>, ReadError> {
    let mut lines = Vec::new();
    for (text, line) in input.lines().zip(1..) {
        let text = text.map_err(|source| ReadError::Read { line, source })?;
        if text.trim().is_empty() {
            continue;
        }
        let event = strict::line(&text);
        lines.push(event.map_err(|source| ReadError::Event { line, source })?);
    }
    Ok(lines)
}

/// Reads the history in a file.
///
/// # Errors
/// [`ReadError`], also if there is no such file.
pub fn read_file(path: &Path) -> Result<Vec<Line>, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Open {
        path: path.to_owned(),
        source,
    })?;
    read(BufReader::new(file))
}
