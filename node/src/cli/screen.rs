//! What the command line says, and what it asks at a terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde::Serialize;
use zeroize::Zeroizing;

use super::exit::{Exit, Failure};
use crate::keys::password::{PASSWORD_BYTES_MAX, Password};

/// One line of the answer, on standard output. A reader that went away is not an error.
pub(super) fn line(text: &str) {
    writeln!(io::stdout(), "{text}").ok();
}

/// One line beside the answer, on standard error, so that scripts can read the answer alone.
pub(super) fn note(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}

/// The answer as one JSON document.
///
/// # Errors
/// If it cannot be written as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::failed(format!("cannot write the answer as JSON: {error}")))?;
    line(&text);
    Ok(())
}

/// Asks whether to go on; `yes` answers it beforehand.
///
/// # Errors
/// If there is no terminal to ask at, or the answer is not `yes`.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let what = format!("{question} There is no terminal to ask at: add --yes");
        return Err(Failure::new(Exit::Config, what));
    }
    write!(io::stderr(), "{question} Type yes to go on: ").ok();
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(Exit::Io, format!("cannot read the terminal: {error}")))?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(Failure::failed("nothing was changed")),
    }
}

/// Asks for a password at the terminal, without echo.
///
/// # Errors
/// If there is no terminal, or the password is empty or too long.
pub(super) fn password(question: &str) -> Result<Password, Failure> {
    let typed = rpassword::prompt_password(question).map_err(|error| {
        let what =
            format!("cannot ask for a password at a terminal ({error}); name --password-file");
        Failure::new(Exit::Password, what)
    })?;
    let bytes = Zeroizing::new(typed.into_bytes());
    if u64::try_from(bytes.len()).is_ok_and(|length| length > PASSWORD_BYTES_MAX) {
        let what = format!("a password has at most {PASSWORD_BYTES_MAX} bytes");
        return Err(Failure::new(Exit::Password, what));
    }
    Ok(Password::first_line(&bytes, "the password")?)
}
