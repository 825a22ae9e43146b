use std::io::{self, Write as _};

/// One line of the answer, on standard output. A reader that went away is not an error.
pub(super) fn line(text: &str) {
    writeln!(io::stdout(), "{text}").ok();
}

/// One line about what went wrong, on standard error.
pub(super) fn trouble(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}
