//! What ends a mount that runs in the foreground.

use std::{io, process::ExitCode, sync::mpsc::Sender, thread};

use nix::sys::signal::{SigSet, Signal};

/// Why it ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// The command `stop`.
    Command,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Stop {
    /// What a shell says of a program that ended like this.
    pub(super) fn code(self) -> ExitCode {
        match self {
            Self::Command => ExitCode::SUCCESS,
            Self::Interrupted => ExitCode::from(130),
            Self::Terminated => ExitCode::from(143),
        }
    }
}

/// Ctrl-C and SIGTERM, kept back from this thread and those that it starts. Without this they would
/// end the process where it stands, and leave its socket and its mount behind.
pub(super) struct Signals(SigSet);

impl Signals {
    /// To be called before any other thread is there: it would still be ended by them.
    pub(super) fn hold() -> io::Result<Self> {
        let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
        signals.thread_block()?;
        Ok(Self(signals))
    }

    /// Tells of the first of them, from a thread of its own.
    pub(super) fn tell(self, stop: Sender<Stop>) -> io::Result<()> {
        let wait = move || {
            let why = match self.0.wait() {
                Ok(Signal::SIGINT) => Stop::Interrupted,
                Ok(_) | Err(_) => Stop::Terminated,
            };
            // The mount may have ended at the same time.
            let _late: Result<(), _> = stop.send(why);
        };
        thread::Builder::new()
            .name("lossyfs-signals".to_owned())
            .spawn(wait)
            .map(|_| ())
    }
}
