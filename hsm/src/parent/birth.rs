//! How the process that holds a module comes to be.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::sync::oneshot;

use super::Launch;

/// How it ended, once it has.
pub(super) type Death = oneshot::Receiver<io::Result<ExitStatus>>;

/// Starts the process with this socket as its standard input.
///
/// # Errors
/// If it cannot be started.
pub(super) async fn start(launch: &Launch, socket: UnixStream) -> io::Result<(OwnedFd, Death)> {
    let (born, birth) = oneshot::channel();
    let (died, death) = oneshot::channel();
    let mut command = command(launch, socket);
    // A thread of its own that lives as long as the process: the kernel ends the process with the
    // thread that started it, and threads of a runtime come and go.
    thread::Builder::new()
        .name("hsm".to_owned())
        .spawn(move || hold(&mut command, born, died))?;
    let handle = birth.await.map_err(io::Error::other)?;
    Ok((handle?, death))
}

fn command(launch: &Launch, socket: UnixStream) -> Command {
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.arguments)
        .envs(&launch.set)
        .stdin(Stdio::from(OwnedFd::from(socket)))
        // What a module prints is not ours to keep: it may hold the PIN.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Its own group: Ctrl-C is for the node, which then drains, and signs while it does.
        .process_group(0);
    for variable in &launch.remove {
        command.env_remove(variable);
    }
    command
}

/// Starts the process and stays until it has ended.
fn hold(
    command: &mut Command,
    born: oneshot::Sender<io::Result<OwnedFd>>,
    died: oneshot::Sender<io::Result<ExitStatus>>,
) {
    let started = command.spawn();
    // The command keeps the child's end of the socket open, which would hide the child's end.
    command.stdin(Stdio::null());
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return drop(born.send(Err(error))),
    };
    let handle = handle(&child);
    if born.send(handle).is_err() {
        // Nobody waits for it any more.
        child.kill().ok();
    }
    drop(died.send(child.wait()));
}

fn handle(child: &Child) -> io::Result<OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::NotFound)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}
