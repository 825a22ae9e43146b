//! What openraft, and every task of a node, runs on: tokio, with the three things replaced that a
//! simulation must rule and a node must not notice.
//!
//! A simulation runs several nodes in one thread on virtual time, and reproduces a run from its
//! seed. So random numbers come from that seed ([`seed`]), whoever waits for a change is woken in
//! the order in which it began to wait ([`watch`]: tokio's own wakes at random), and every task
//! knows to which node it belongs, so that a node can be frozen and killed ([`Process`]). Without a
//! simulation nothing of this does anything: random numbers are the system's, and there is no
//! process but the real one.

mod openraft;
mod process;
mod random;
pub mod watch;

use std::future::Future;

use tokio::task::JoinHandle;

pub use self::openraft::{Runtime, Watch};
pub use self::process::{Process, within};
pub use self::random::{Random, Seeded, seed};

/// Runs `future` in a task of its own, which belongs to the process of the task that asks for it.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(within(future))
}
