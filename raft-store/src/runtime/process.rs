//! Which tasks are one node: so that a simulation, which has many nodes in one thread, can do to
//! one of them what a kernel does to a process.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::task::JoinHandle;

thread_local! {
    /// Whose task is being polled; nobody's outside of a simulation.
    static CURRENT: RefCell<Option<Process>> = const { RefCell::new(None) };
}

/// The tasks of one start of a node in a simulation. Clones are the same process.
///
/// What runs in it ([`Self::run`]), and everything that this starts by [`spawn`](super::spawn) or
/// [`within`] in turn, openraft's tasks included, is polled only while the process runs.
#[derive(Clone, Debug, Default)]
pub struct Process(Arc<Mutex<Run>>);

#[derive(Debug, Default)]
struct Run {
    state: State,
    /// Who wants to be polled once the process runs again, or has ended.
    waiting: Vec<Waker>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Running,
    Paused,
    Ended,
}

impl Process {
    /// A process that runs, and has no task yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `future` as a part of this process. If the process ends first, it never resolves.
    pub fn run<F: Future + Send>(
        &self,
        future: F,
    ) -> impl Future<Output = F::Output> + Send + use<F> {
        let process = self.clone();
        let mut held = Some(Box::pin(future));
        poll_fn(move |context| {
            let Some(future) = held.as_mut() else {
                return Poll::Pending;
            };
            match process.state(context.waker()) {
                State::Running => {
                    let _current = Current::enter(&process);
                    future.as_mut().poll(context)
                }
                State::Paused => Poll::Pending,
                State::Ended => {
                    held = None;
                    Poll::Pending
                }
            }
        })
    }

    /// Runs `future` in a task of this process.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.run(future))
    }

    /// Stops polling, as `SIGSTOP` does. Time goes on.
    pub fn pause(&self) {
        let mut run = self.lock();
        if run.state == State::Running {
            run.state = State::Paused;
        }
    }

    /// Goes on after [`Self::pause`], as `SIGCONT` does.
    pub fn resume(&self) {
        if self.lock().state == State::Paused {
            self.turn(State::Running);
        }
    }

    /// Ends the process, as `SIGKILL` does: nothing of it is polled again, and what its tasks hold
    /// is dropped. A disk must crash in the same moment, so that nothing dropped writes to it.
    pub fn end(&self) {
        self.turn(State::Ended);
    }

    /// Whether it was ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.lock().state == State::Ended
    }

    fn turn(&self, state: State) {
        let waiting = {
            let mut run = self.lock();
            run.state = state;
            std::mem::take(&mut run.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }

    /// The state; a task that may not go on now is woken when it changes.
    fn state(&self, waker: &Waker) -> State {
        let mut run = self.lock();
        if run.state == State::Paused {
            run.waiting.push(waker.clone());
        }
        run.state
    }

    fn lock(&self) -> MutexGuard<'_, Run> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts the process back that was polled before, also after a panic.
struct Current(Option<Process>);

impl Current {
    fn enter(process: &Process) -> Self {
        Self(CURRENT.replace(Some(process.clone())))
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// `future` as a part of the process whose task calls this, for what spawns it by itself, as a
/// `JoinSet` does. In a node there is no such process, and this is `future` itself.
pub fn within<F: Future + Send>(future: F) -> impl Future<Output = F::Output> + Send + use<F> {
    let process = CURRENT.with_borrow(Clone::clone);
    async move {
        match process {
            None => future.await,
            Some(process) => process.run(future).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::runtime::spawn;

    /// A task that starts a task that counts tenths of a second.
    fn counting(process: &Process) -> Arc<AtomicU64> {
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        process.spawn(async move {
            spawn(async move {
                loop {
                    sleep(Duration::from_millis(100)).await;
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
        count
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_process_does_nothing_while_time_goes_on_and_then_goes_on_itself() {
        let (process, other) = (Process::new(), Process::new());
        let (count, others) = (counting(&process), counting(&other));
        sleep(Duration::from_millis(450)).await;
        process.pause();
        sleep(Duration::from_secs(10)).await;
        assert_eq!(count.load(Ordering::Relaxed), 4);
        assert_eq!(
            others.load(Ordering::Relaxed),
            104,
            "only that one is paused"
        );
        process.resume();
        sleep(Duration::from_millis(450)).await;
        assert_eq!(
            count.load(Ordering::Relaxed),
            9,
            "one that was due, four in time"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_process_does_nothing_and_holds_nothing() {
        let process = Process::new();
        let count = counting(&process);
        sleep(Duration::from_millis(450)).await;
        process.end();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(count.load(Ordering::Relaxed), 4);
        assert_eq!(Arc::strong_count(&count), 1, "its tasks are dropped");
        assert!(process.has_ended());
        process.resume();
        assert!(process.has_ended(), "for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_ends_while_it_is_paused_is_dropped_too() {
        let process = Process::new();
        let count = counting(&process);
        sleep(Duration::from_millis(450)).await;
        process.pause();
        sleep(Duration::from_secs(1)).await;
        process.end();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(count.load(Ordering::Relaxed), 4);
        assert_eq!(Arc::strong_count(&count), 1);
    }
}
