//! The log: one line for each call, and never an argument.

use std::{fmt::Display, io, process};

use shim_orders::{Call, Folder};

use crate::orders;

/// A call that is about to be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) function: &'static str,
    /// Whether only the length of the output is asked for.
    pub(crate) size_query: bool,
}

/// Logs what was answered, or what keeps the call from being answered ever.
pub(crate) fn log(asked: Asked, answer: &str, after: Option<String>) {
    let call = Call {
        pid: process::id(),
        function: asked.function.to_owned(),
        answer: answer.to_owned(),
        size_query: asked.size_query,
        after,
    };
    write(&call.to_string());
}

/// Logs what the shim could not do.
pub(crate) fn complain(trouble: impl Display) {
    write(&format!("! {} {trouble}", process::id()));
}

/// Without a log there is only standard error to say so.
#[expect(
    clippy::print_stderr,
    reason = "a test whose calls are not logged must not go on unaware"
)]
fn write(line: &str) {
    let written = orders::folder()
        .map_err(|trouble| io::Error::other(trouble.to_string()))
        .and_then(|folder: &Folder| folder.log(line));
    if let Err(error) = written {
        eprintln!("pkcs11-shim: cannot log `{line}`: {error}");
    }
}
