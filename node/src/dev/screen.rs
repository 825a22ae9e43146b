//! What `quorate dev` says.

use std::cell::Cell;
use std::io::{self, Write as _};

/// Standard output, with numbered chapters.
#[derive(Debug, Default)]
pub(super) struct Screen {
    chapters: Cell<u32>,
}

impl Screen {
    /// Starts a numbered chapter.
    pub(super) fn chapter(&self, title: &str) {
        let number = self.chapters.get().saturating_add(1);
        self.chapters.set(number);
        say(&format!("\n{number}. {title}"));
    }

    /// A line of the chapter.
    pub(super) fn line(&self, text: &str) {
        say(&format!("   {text}"));
    }

    /// A line outside the chapters.
    pub(super) fn note(&self, text: &str) {
        say(text);
    }
}

/// A reader that went away is not an error of ours.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).ok();
}
