use std::error::Error;
use std::io::{self, Write as _};

/// One line of the answer, on standard output. A reader that went away is not an error.
pub(super) fn line(text: &str) {
    writeln!(io::stdout(), "{text}").ok();
}

/// One line about what went wrong, on standard error.
pub(super) fn trouble(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}

/// An error with all its causes, on one line of standard error.
pub(super) fn error(error: &dyn Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let why = next.to_string();
        // Some errors name their cause themselves.
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        cause = next.source();
    }
    trouble(&text);
}
