//! The command line: a mount in the foreground, and commands to it.

mod command;
mod socket;
mod stop;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use stop::{Signals, Stop};

use crate::{
    mount::{self, Mount, MountError},
    options::{Options, Order},
};

/// Mounts a file system that loses what was not fsynced, or sends a command to one.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// An existing folder to mount on
    #[arg(required = true)]
    mountpoint: Option<PathBuf>,
    /// Where to listen for commands (a Unix socket, not on the mount)
    #[arg(long, required = true, value_name = "SOCKET")]
    control: Option<PathBuf>,
    /// A name survives only if its directory was fsynced (otherwise as ext4: a journal)
    #[arg(long)]
    strict: bool,
    /// Size of the disk, held in memory
    #[arg(long, value_name = "BYTES", default_value_t = Options::default().capacity_bytes)]
    capacity: u64,
    /// Bytes that may wait for an fsync before the oldest are written back unasked
    #[arg(long, value_name = "BYTES", default_value_t = Options::default().pending_bytes_max)]
    pending_max: u64,
    /// Seed of the delays of a slow disk
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Sends one command to a mounted file system and prints the answer
    #[command(after_help = command::HELP)]
    Ctl {
        /// The socket it listens on
        socket: PathBuf,
        /// The command and its arguments
        #[arg(required = true, value_name = "COMMAND")]
        words: Vec<String>,
    },
}

/// Why the command line failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error("{}: {error}", path.display())]
    Socket { path: PathBuf, error: io::Error },
    #[error(
        "--control {} would lie on the mount, where nobody reaches it; name a place outside of {}",
        control.display(),
        point.display()
    )]
    ControlInside { control: PathBuf, point: PathBuf },
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    #[error("{0}")]
    Refused(String),
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// Does what the arguments say. A mount ends with the command `stop`, by `umount`, or with the
/// process.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let result = match (&args.command, &args.mountpoint, &args.control) {
        (Some(Command::Ctl { socket, words }), _, _) => send(socket, &words.join(" ")),
        (None, Some(point), Some(control)) => serve(point, control, args),
        (None, _, _) => Err(Failure::Refused(
            "a mount point and --control are needed; see --help".to_owned(),
        )),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            // With nowhere to write to, the exit code has to do.
            let _unread: io::Result<()> = writeln!(io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn serve(point: &Path, control: &Path, args: &Args) -> Result<ExitCode, Failure> {
    let at = |error| Failure::Socket {
        path: control.to_owned(),
        error,
    };
    let folder = mount::folder(point)?;
    if lies_below(control, &folder) {
        return Err(Failure::ControlInside {
            control: control.to_owned(),
            point: point.to_owned(),
        });
    }
    let signals = Signals::hold().map_err(Failure::Signals)?;
    // Both go when this function ends, in whatever way: first the mount, then the socket.
    let bound = socket::listen(control).map_err(at)?;
    let mount = Mount::start_for_process(point, args.options())?;
    let (stop, stopped) = mpsc::channel();
    signals.tell(stop.clone()).map_err(Failure::Signals)?;
    socket::answer(&bound, mount.control(), stop).map_err(at)?;
    writeln!(
        io::stdout(),
        "mounted on {}; commands on {}",
        mount.path().display(),
        control.display()
    )?;
    while !mount.has_ended() {
        match stopped.recv_timeout(Duration::from_millis(200)) {
            Ok(why) => return Ok(why.code()),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    Ok(Stop::Command.code())
}

/// Whether a name that may not exist yet would be a name below this folder.
fn lies_below(path: &Path, folder: &Path) -> bool {
    let parent = match path.parent() {
        // A name alone lies in the working folder.
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return false,
    };
    // What has no such parent cannot be listened on: that error is another one.
    parent
        .canonicalize()
        .is_ok_and(|parent| parent.starts_with(folder))
}

fn send(path: &Path, line: &str) -> Result<ExitCode, Failure> {
    let answer = socket::ask(path, line).map_err(|error| Failure::Socket {
        path: path.to_owned(),
        error,
    })?;
    match answer.strip_prefix("error: ") {
        Some(words) => Err(Failure::Refused(words.to_owned())),
        None => {
            writeln!(io::stdout(), "{answer}")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Args {
    fn options(&self) -> Options {
        Options {
            order: if self.strict {
                Order::Strict
            } else {
                Order::Journal
            },
            capacity_bytes: self.capacity,
            pending_bytes_max: self.pending_max,
            seed: self.seed,
        }
    }
}
