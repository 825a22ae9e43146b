//! A child that dies with its parent.

use std::env;
use std::io;
use std::num::ParseIntError;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Names the process id of the parent that a node may not outlive. An environment variable and not
/// an argument, so that the argv in `dev.json` can be run again by anybody.
pub(super) const VARIABLE: &str = "QUORATE_DIES_WITH";

/// Why a process could not be tied to its parent.
#[derive(Debug, thiserror::Error)]
pub enum TetherError {
    /// The variable holds no process id.
    #[error("{VARIABLE}={text:?} is not a process id: {source}; unset it")]
    NotAPid {
        /// What it holds.
        text: String,
        /// What the parser said.
        source: ParseIntError,
    },
    /// The kernel refused.
    #[error("cannot ask the kernel to end this process with its parent: {0}")]
    Kernel(#[from] io::Error),
    /// The parent was gone before the tether was tied.
    #[error("process {parent}, which this one was to die with, is already gone")]
    Orphan {
        /// The parent's process id.
        parent: i32,
    },
}

/// Asks the kernel to kill this process when the thread that started it ends, if `QUORATE_DIES_WITH` is set; does
/// nothing if it is not. To be called first, before anything is opened.
///
/// SIGKILL and no drain: it is the one signal that cannot be lost, and it is safe anywhere.
///
/// # Errors
/// If the variable is no process id, the kernel refuses, or the parent is already gone.
pub fn tether() -> Result<(), TetherError> {
    let Ok(text) = env::var(VARIABLE) else {
        return Ok(());
    };
    let parent: i32 = match text.parse() {
        Ok(parent) => parent,
        Err(source) => return Err(TetherError::NotAPid { text, source }),
    };
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    // Had the parent died before this line, its death was not signalled: this process now has
    // another parent and would live for ever.
    if getppid().map(Pid::as_raw_nonzero).map(i32::from) == Some(parent) {
        Ok(())
    } else {
        Err(TetherError::Orphan { parent })
    }
}
