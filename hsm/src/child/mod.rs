//! The process that holds a module: it answers questions from its standard input, a socket, until
//! that ends. It knows no Tezos message, no slot and no policy.
//!
//! It dies with whoever asks: the end of the socket is its end at once, even while every thread of
//! it hangs in the module, since the thread that reads the socket calls nothing of the module.

mod ceremony;
mod copying;
mod generation;
mod importing;
mod initialisation;
mod key;
mod privilege;
mod proof;
mod sealing;
mod session;
mod token;

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use rustix::process::{Signal, getpid, kill_process};
use zeroize::Zeroizing;

use crate::wire::{self, Answer, Ask, Question, Said};
use crate::{Trouble, TroubleKind};
use session::Holder;

/// Questions that are worked on at once; the rest wait. More than there are sessions, so that a
/// token can be opened again while signatures hang in all of them.
const THREADS: usize = wire::AT_ONCE_MAX + 4;

type Job = (Question, Zeroizing<Vec<u8>>);

/// Answers questions from standard input until it ends, or breaks off in the middle of one. It ends
/// this process with SIGKILL then: a module's own clean-up could hang.
pub fn main() -> ExitCode {
    match serve() {
        Ok(()) => {
            kill_process(getpid(), Signal::KILL).ok();
            ExitCode::SUCCESS
        }
        Err(_no_socket) => ExitCode::from(64),
    }
}

fn serve() -> io::Result<()> {
    privilege::drop();
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let out = Arc::new(Mutex::new(socket.try_clone()?));
    let holder = Arc::new(Holder::default());
    let (jobs, waiting) = mpsc::channel::<Job>();
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..THREADS {
        let (out, holder, waiting) = (Arc::clone(&out), Arc::clone(&holder), Arc::clone(&waiting));
        thread::Builder::new().spawn(move || work(&holder, &waiting, &out))?;
    }
    let mut socket = socket;
    let mut next = wire::read::<Question>(&mut socket)?;
    while let Some(job) = next {
        if jobs.send(job).is_err() {
            break;
        }
        // From here on a module may be loaded, so that there is no way back from an error: with
        // answers unread, a parent that is killed leaves ECONNRESET instead of an end.
        next = wire::read(&mut socket).unwrap_or_default();
    }
    Ok(())
}

fn work(holder: &Holder, waiting: &Mutex<mpsc::Receiver<Job>>, out: &Mutex<UnixStream>) {
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok((Question { number, ask }, bytes)) = next else {
            return;
        };
        let (said, given) = match answer(holder, ask, &bytes) {
            Ok((said, given)) => (Ok(said), given),
            Err(trouble) => (Err(trouble), Zeroizing::default()),
        };
        drop(bytes);
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is left to answer: the reading thread sees that too.
        if wire::write(&mut *out, &Answer { number, said }, &given).is_err() {
            return;
        }
    }
}

type Given = (Said, Zeroizing<Vec<u8>>);

fn answer(holder: &Holder, ask: Ask, bytes: &[u8]) -> Result<Given, Trouble> {
    let said = match ask {
        Ask::Open { module, token } => Said::Opened(holder.open(&module, &token)?),
        Ask::Login => holder.login(bytes).map(|()| Said::Well)?,
        Ask::Keys { wanted, sessions } => Said::Keys(holder.keys(&wanted, sessions)?),
        Ask::Check => holder.check().map(|()| Said::Well)?,
        Ask::Sign { key } => {
            let signature = holder.sign(key, bytes)?;
            return Ok((Said::Signed, Zeroizing::new(signature)));
        }
        Ask::Ceremony(step) => return ceremony::perform(holder, *step, bytes),
    };
    Ok((said, Zeroizing::default()))
}

/// What was asked before something else that it needs.
fn too_early(what: &str) -> Trouble {
    Trouble::new(TroubleKind::Session, format!("{what} first"))
}
