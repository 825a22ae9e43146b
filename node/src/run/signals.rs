//! The signals that end a node, and the one that it goes on after.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::audit::Audit;

/// SIGTERM and SIGINT, which mean the same: the first drains, the second ends at once.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Opens the audit file again at every SIGHUP from now on, as whoever rotates it asks for.
pub(super) fn reopen_on_hangup(audit: Arc<Audit>) -> io::Result<impl Future<Output = ()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            match audit.reopen() {
                Ok(()) => tracing::info!("the audit file is open again"),
                Err(error) => tracing::error!(%error, "the old audit file goes on"),
            }
        }
    })
}
