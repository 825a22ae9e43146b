//! What happened on a mount, so that a fault can prove that it took effect.

use serde::{Deserialize, Serialize};

use crate::survival::Survival;

/// Counts since the start of the mount, and what is the case now.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Stats {
    /// Changes of the file system and fsyncs.
    pub ops: u64,
    /// fsync, fdatasync and fsync of directories that were begun.
    pub fsyncs: u64,
    /// Fsyncs that saved what they were asked to.
    pub synced: u64,
    /// Fsyncs that were answered with success and saved nothing.
    pub lies: u64,
    /// Fsyncs that failed as planned.
    pub eios: u64,
    /// Bytes of data that failed fsyncs lost for ever.
    pub eio_dropped_bytes: u64,
    /// Requests that found no space.
    pub enospcs: u64,
    /// Fsyncs that were delayed.
    pub slowed: u64,
    /// The delays of these together, in microseconds.
    pub slowed_us: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Requests answered with EIO because the power was gone, or because their file was opened
    /// before it went.
    pub dark: u64,
    /// Returns of the power.
    pub reboots: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Bytes that became durable unasked, because too many waited.
    pub written_back_bytes: u64,
    /// Changes that wait for an fsync.
    pub pending_ops: u64,
    /// Bytes of data that wait for an fsync.
    pub pending_bytes: u64,
    /// Bytes allocated.
    pub used_bytes: u64,
    /// Bytes that can still be allocated.
    pub free_bytes: u64,
    /// Whether the power is gone now.
    pub is_cut: bool,
    /// Bytes that power cuts dropped, all together.
    pub dropped_bytes: u64,
    /// Changes that power cuts dropped, all together.
    pub dropped_ops: u64,
}

/// What a power cut left.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reboot {
    /// Which changes were to survive.
    pub survival: Survival,
    /// The seed of the choice.
    pub seed: u64,
    /// Changes that waited for an fsync when the power went.
    pub pending_ops: u64,
    /// Those that survived whole.
    pub kept_ops: u64,
    /// Writes of which only some sectors survived.
    pub torn_ops: u64,
    /// Those of which nothing survived.
    pub dropped_ops: u64,
    /// Bytes of data that did not survive.
    pub dropped_bytes: u64,
}
