//! The process that holds a module, as its parent has it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

use super::Launch;
use super::birth::{self, Death};
use crate::wire::{self, Answer, Ask, Question, Said};
use crate::{Trouble, TroubleKind};

/// What an answer brings.
pub(super) type Given = (Said, Zeroizing<Vec<u8>>);

/// How long the kernel may take to tell how a process ended whose socket has. Requests wait for it.
const BURIAL: Duration = Duration::from_millis(100);

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    out: mpsc::UnboundedSender<Zeroizing<Vec<u8>>>,
    waiting: Arc<Mutex<Waiting>>,
    next: AtomicU64,
    handle: Arc<OwnedFd>,
}

/// Who waits for an answer; or how the process ended.
#[derive(Debug)]
enum Waiting {
    Alive(BTreeMap<u64, Asked>),
    Ended(Trouble),
}

/// What was asked and is not answered, whether or not anybody still waits for the answer.
#[derive(Debug)]
struct Asked {
    what: String,
    by: Instant,
    within: Duration,
    tell: oneshot::Sender<Result<Given, Trouble>>,
    /// The turn ends with the answer, and not when who asked goes away: the module is at work.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Asked {
    fn late(&self) -> Trouble {
        let Self { what, within, .. } = self;
        let what = format!("the module did not answer {what} within {within:?}");
        Trouble::new(TroubleKind::Late, what)
    }
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub(super) async fn start(launch: &Launch) -> Result<Self, Trouble> {
        let failed = |error: io::Error| {
            let what = format!("cannot start {}: {error}", launch.program.display());
            Trouble::new(TroubleKind::Process, what)
        };
        let (ours, theirs) = StdStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let (read, out) = UnixStream::from_std(ours).map_err(failed)?.into_split();
        let (handle, death) = birth::start(launch, theirs).await.map_err(failed)?;
        let handle = Arc::new(handle);
        let waiting = Arc::new(Mutex::new(Waiting::Alive(BTreeMap::new())));
        let (frames, given) = mpsc::unbounded_channel();
        tokio::spawn(speak(out, given));
        tokio::spawn(listen(
            read,
            death,
            Arc::clone(&waiting),
            Arc::clone(&handle),
        ));
        Ok(Self {
            out: frames,
            waiting,
            next: AtomicU64::new(0),
            handle,
        })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// What the module said; [`TroubleKind::Process`] if the process is gone; [`TroubleKind::Late`] if
    /// it did not answer in time.
    pub(super) async fn ask(
        &self,
        ask: Ask,
        bytes: &[u8],
        within: Duration,
    ) -> Result<Given, Trouble> {
        self.ask_in_turn(ask, bytes, within, None).await
    }

    /// The same, with a turn that lasts until the module has answered.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(super) async fn ask_in_turn(
        &self,
        ask: Ask,
        bytes: &[u8],
        within: Duration,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<Given, Trouble> {
        let what = format!("{ask:?}");
        let now = Instant::now();
        let by = now.checked_add(within).unwrap_or(now);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let question = wire::encode(&Question { number, ask }, bytes).map_err(lost)?;
        let (tell, told) = oneshot::channel();
        let asked = Asked {
            what,
            by,
            within,
            tell,
            _turn: turn,
        };
        let late = asked.late();
        match &mut *lock(&self.waiting) {
            Waiting::Alive(waiting) => drop(waiting.insert(number, asked)),
            Waiting::Ended(trouble) => return Err(trouble.clone()),
        }
        // A process that ended is told by its listener, with how it ended.
        self.out.send(question).ok();
        match timeout_at(by, told).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_dropped)) => Err(lost(io::ErrorKind::BrokenPipe.into())),
            Err(_elapsed) => Err(late),
        }
    }

    /// What the module has not answered in time, although whoever asked may have gone away.
    pub(super) fn overdue(&self) -> Option<Trouble> {
        match &*lock(&self.waiting) {
            Waiting::Alive(waiting) => {
                let now = Instant::now();
                let overdue = waiting.values().find(|asked| asked.by <= now);
                overdue.map(Asked::late)
            }
            Waiting::Ended(trouble) => Some(trouble.clone()),
        }
    }

    /// Ends it, whatever it is doing.
    pub(super) fn kill(&self) {
        end(&self.handle);
    }
}

fn end(handle: &OwnedFd) {
    // It may have ended before.
    pidfd_send_signal(handle, Signal::KILL).ok();
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends questions, each whole: one that is cut off when its asker goes away would spoil the next.
async fn speak(mut out: OwnedWriteHalf, mut given: mpsc::UnboundedReceiver<Zeroizing<Vec<u8>>>) {
    while let Some(question) = given.recv().await {
        if out.write_all(&question).await.is_err() {
            return;
        }
    }
}

/// Hands answers out until the process has ended, and then the news of that.
async fn listen(
    mut read: OwnedReadHalf,
    death: Death,
    waiting: Arc<Mutex<Waiting>>,
    handle: Arc<OwnedFd>,
) {
    let closed = loop {
        let (answer, bytes) = match next(&mut read).await {
            Ok(answer) => answer,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => break "spoke nonsense",
            Err(_closed) => break "closed its socket",
        };
        let Waiting::Alive(all) = &mut *lock(&waiting) else {
            break "ended";
        };
        let Some(asked) = all.remove(&answer.number) else {
            break "answered what nobody had asked";
        };
        // Who asked may have gone away since.
        drop(asked.tell.send(answer.said.map(|said| (said, bytes))));
    };
    // Whatever is left of it is of no use, and could go on forever.
    let how = match timeout(BURIAL, death).await {
        Ok(Ok(Ok(status))) => format!("the process of the module ended ({status})"),
        _ => format!("the process of the module {closed}"),
    };
    end(&handle);
    let trouble = Trouble::new(TroubleKind::Process, how);
    let ended = std::mem::replace(&mut *lock(&waiting), Waiting::Ended(trouble.clone()));
    if let Waiting::Alive(all) = ended {
        for (_, asked) in all {
            drop(asked.tell.send(Err(trouble.clone())));
        }
    }
}

async fn next(read: &mut OwnedReadHalf) -> io::Result<(Answer, Zeroizing<Vec<u8>>)> {
    let mut head = [0; 8];
    read.read_exact(&mut head).await?;
    let (words, bytes) = wire::lengths(head)?;
    let mut text = vec![0; words];
    read.read_exact(&mut text).await?;
    let mut given = Zeroizing::new(vec![0; bytes]);
    read.read_exact(&mut given).await?;
    let answer = serde_json::from_slice(&text)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok((answer, given))
}

fn lost(error: io::Error) -> Trouble {
    let what = format!("the socket to the process of the module failed: {error}");
    Trouble::new(TroubleKind::Process, what)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
