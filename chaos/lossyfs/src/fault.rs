//! The faults that can be asked for, and the plans for those that wait for their moment.

use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// On which side of an fsync the power goes. Nobody is told that it succeeded in either case.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Nothing of it is durable.
    Before,
    /// All of it is durable.
    After,
}

/// What made the power go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "trigger")]
pub enum Trigger {
    /// A command.
    Command,
    /// The fsync with this number since the start of the mount, from 1.
    Fsync {
        /// Its number.
        number: u64,
        /// On which side of it.
        when: When,
    },
    /// The operation with this number since the start of the mount, from 1, which was not done.
    Op {
        /// Its number.
        number: u64,
    },
}

/// A power cut: from this instant every request is answered with EIO.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// What made it happen.
    pub trigger: Trigger,
    /// When it happened.
    pub at: Instant,
    /// Operations done before it, since the start of the mount.
    pub ops: u64,
    /// Fsyncs begun before it, the one that was cut included.
    pub fsyncs: u64,
}

/// What is read back after an fsync that failed, until the power goes. The data is lost either way.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterEio {
    /// The new bytes: they stay in the page cache, marked clean, as on ext4 and XFS.
    #[default]
    Cached,
    /// The old bytes: the cache was dropped, as happens on btrfs, or when memory is short.
    Evicted,
}

/// How long an fsync takes longer than memory needs.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Slow {
    /// No longer.
    #[default]
    Not,
    /// Always this long.
    Fixed(Duration),
    /// Evenly distributed between two bounds.
    Between(Duration, Duration),
    /// Usually short, sometimes long, as a disk that cleans up or a neighbour who writes.
    Stalls {
        /// The usual delay.
        usual: Duration,
        /// The rare one.
        rare: Duration,
        /// How many of a thousand fsyncs are the rare ones.
        per_mille: u16,
    },
}

impl Slow {
    fn draw(self, random: &mut ChaCha8Rng) -> Duration {
        match self {
            Self::Not => Duration::ZERO,
            Self::Fixed(delay) => delay,
            Self::Between(low, high) => random.random_range(low.min(high)..=high.max(low)),
            Self::Stalls {
                usual,
                rare,
                per_mille,
            } => {
                if random.random_range(0..1000) < per_mille {
                    rare
                } else {
                    usual
                }
            }
        }
    }
}

/// What to do to an fsync.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Sync,
    Fail,
    Cut(When),
}

/// The faults that are on, and those that wait. Numbers count from the start of the mount.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(crate) cut_at_op: Option<u64>,
    pub(crate) cut_at_fsync: Option<(u64, When)>,
    pub(crate) eio_at_fsync: Option<(u64, u64)>,
    pub(crate) after_eio: AfterEio,
    pub(crate) slow: Slow,
    pub(crate) lying: bool,
    /// Pages that may be allocated, if fewer than the disk has.
    pub(crate) pages_max: Option<u64>,
    random: ChaCha8Rng,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            cut_at_op: None,
            cut_at_fsync: None,
            eio_at_fsync: None,
            after_eio: AfterEio::default(),
            slow: Slow::Not,
            lying: false,
            pages_max: None,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// What happens to the fsync with this number.
    pub(crate) fn fate(&self, number: u64) -> Fate {
        match (self.cut_at_fsync, self.eio_at_fsync) {
            (Some((at, when)), _) if at == number => Fate::Cut(when),
            (_, Some((first, last))) if (first..=last).contains(&number) => Fate::Fail,
            _ => Fate::Sync,
        }
    }

    pub(crate) fn delay(&mut self) -> Duration {
        self.slow.draw(&mut self.random)
    }

    /// Forgets what waits; what the disk is like (slow, lying, small) stays.
    pub(crate) fn disarm(&mut self) {
        self.cut_at_op = None;
        self.cut_at_fsync = None;
        self.eio_at_fsync = None;
    }

    /// A healthy disk again.
    pub(crate) fn heal(&mut self) {
        self.disarm();
        self.slow = Slow::Not;
        self.lying = false;
        self.pages_max = None;
    }
}
