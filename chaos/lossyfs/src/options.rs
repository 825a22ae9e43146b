//! What a mount is made with.

use serde::{Deserialize, Serialize};

/// What an fsync saves beside what it was asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As ext4 and XFS: names, modes and owners are in a journal, and any fsync commits all of it
    /// that is older. A file's bytes wait for its own fsync.
    #[default]
    Journal,
    /// As POSIX promises and no more: a name survives only if its directory was fsynced.
    Strict,
}

/// How a mount behaves from its start.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What an fsync saves.
    pub order: Order,
    /// Size of the disk in bytes, at least a page. What is written is held in memory.
    pub capacity_bytes: u64,
    /// Bytes that may wait for an fsync. When more wait, the oldest become durable unasked, as a
    /// kernel writes back what has been dirty for long; a power cut can then not take them.
    pub pending_bytes_max: u64,
    /// Seeds the delays of [`Slow`](crate::Slow).
    pub seed: u64,
}

impl Options {
    /// The default with [`Order::Strict`].
    #[must_use]
    pub fn strict() -> Self {
        Self {
            order: Order::Strict,
            ..Self::default()
        }
    }
}

impl Default for Options {
    /// A journal, 4 GiB, of which 256 MiB may wait.
    fn default() -> Self {
        Self {
            order: Order::Journal,
            capacity_bytes: 4 << 30,
            pending_bytes_max: 256 << 20,
            seed: 0,
        }
    }
}
