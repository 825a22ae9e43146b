//! Commands over a Unix socket: one line, one answer of one line.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::mpsc::Sender,
    thread,
    time::{Duration, Instant},
};

use super::{
    command::{Answer, obey},
    stop::Stop,
};
use crate::control::Control;

/// How long a command waits for somebody to listen, on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_secs(5);

/// The longest line, in bytes.
const LINE_BYTES_MAX: u64 = 4096;

/// A socket that is listened on. Its name goes with it, so that the next one finds no dead socket.
pub(super) struct Bound {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Somebody may have removed it already, and then there is nothing to do.
        let _gone: io::Result<()> = fs::remove_file(&self.path);
    }
}

/// Binds the socket for this user alone. One that nobody listens on any more is replaced; anything
/// else that has this name is somebody's file, and stays.
pub(super) fn listen(path: &Path) -> io::Result<Bound> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if !fs::symlink_metadata(path)?.file_type().is_socket() {
                return Err(taken(
                    "it exists and is no socket; give --control a name that is free",
                ));
            }
            if UnixStream::connect(path).is_ok() {
                return Err(taken(
                    "another lossyfs listens on it; stop that one, or give --control another name",
                ));
            }
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    let bound = Bound {
        listener,
        path: path.to_owned(),
    };
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(bound)
}

fn taken(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, words)
}

/// Answers commands in threads of their own until the process ends.
pub(super) fn answer(bound: &Bound, control: Control, stop: Sender<Stop>) -> io::Result<()> {
    let listener = bound.listener.try_clone()?;
    let accept = move || {
        for stream in listener.incoming().flatten() {
            let (control, stop) = (control.clone(), stop.clone());
            thread::spawn(move || converse(&stream, &control, &stop));
        }
    };
    thread::Builder::new()
        .name("lossyfs-control".to_owned())
        .spawn(accept)
        .map(|_| ())
}

/// Sends one line and waits for its answer, which comes when the file system is mounted.
pub(super) fn ask(path: &Path, line: &str) -> io::Result<String> {
    let mut stream = connect(path)?;
    writeln!(stream, "{line}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer.trim_end().to_owned())
}

/// A shell goes on while a lossyfs in the background still starts: so nobody listening is an error only
/// after a while.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let started = Instant::now();
    loop {
        let error = match UnixStream::connect(path) {
            Err(error) => error,
            connected => return connected,
        };
        let may_come = matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        );
        if !may_come {
            return Err(error);
        }
        if started.elapsed() > STARTS_WITHIN {
            let words = format!(
                "nobody listened for {} s ({error}); start `lossyfs MOUNTPOINT --control {}` first",
                STARTS_WITHIN.as_secs(),
                path.display()
            );
            return Err(io::Error::new(error.kind(), words));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Ends when the other side does, or says something that is no line.
fn converse(stream: &UnixStream, control: &Control, stop: &Sender<Stop>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
        if read == 0 {
            return Ok(());
        }
        match obey(line.trim_end(), control) {
            Ok(Answer::Words(words)) => writeln!(writer, "{words}")?,
            Ok(Answer::Stop) => {
                writeln!(writer, "ok")?;
                stop.send(Stop::Command).map_err(io::Error::other)?;
            }
            Err(error) => writeln!(writer, "error: {error}")?,
        }
    }
}
