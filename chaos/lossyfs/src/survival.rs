//! What of the changes that were not fsynced a power cut leaves.

use std::{fmt, iter, str::FromStr};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{
    image::{Births, Image},
    inode::Ino,
    op::{Op, Owner},
    options::Order,
    stats::Reboot,
    width::{index, wide},
};

/// Bytes that a disk writes whole or not at all.
pub const SECTOR: u64 = 512;

/// Which of the changes that were not fsynced survive. What was fsynced always does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Survival {
    /// None.
    Drop,
    /// All.
    Keep,
    /// The oldest, up to a point.
    Prefix,
    /// The oldest, up to a write of which only the first sectors survive.
    Torn,
    /// Each sector of each write by the toss of a coin, so that later ones survive earlier ones.
    /// Each name too in strict mode; names up to a point, as a journal has them, otherwise.
    Random,
}

impl Survival {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Drop,
        Self::Keep,
        Self::Prefix,
        Self::Torn,
        Self::Random,
    ];
}

impl fmt::Display for Survival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "drop",
            Self::Keep => "keep",
            Self::Prefix => "prefix",
            Self::Torn => "torn",
            Self::Random => "random",
        })
    }
}

/// A word that names no survival.
#[derive(Debug, thiserror::Error)]
#[error("no such survival: {0}; use drop, keep, prefix, torn or random")]
pub struct NoSuchSurvival(String);

impl FromStr for Survival {
    type Err = NoSuchSurvival;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|survival| survival.to_string() == word)
            .ok_or_else(|| NoSuchSurvival(word.to_owned()))
    }
}

/// What a power cut finds.
pub(crate) struct Loss<'a> {
    pub(crate) durable: &'a Image,
    pub(crate) pending: Vec<&'a Op>,
    pub(crate) births: &'a Births,
    pub(crate) order: Order,
}

impl Loss<'_> {
    /// The image after the power returns. A function of what was pending, `survival` and `seed`
    /// alone: no clock, no other state.
    pub(crate) fn survivors(&self, survival: Survival, seed: u64) -> (Image, Reboot) {
        let mut left = Left {
            image: self.durable.clone(),
            births: self.births,
            report: Reboot {
                survival,
                seed,
                pending_ops: wide(self.pending.len()),
                kept_ops: 0,
                torn_ops: 0,
                dropped_ops: 0,
                dropped_bytes: 0,
            },
        };
        left.image.make_all(self.births);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        match survival {
            Survival::Drop => self.prefix(0, 0, &mut left),
            Survival::Keep => self.prefix(self.pending.len(), 0, &mut left),
            Survival::Prefix => {
                let point = random.random_range(0..=self.pending.len());
                self.prefix(point, 0, &mut left);
            }
            Survival::Torn => {
                let (point, sectors) = self.tear(&mut random);
                self.prefix(point, sectors, &mut left);
            }
            Survival::Random => self.scatter(&mut random, &mut left),
        }
        left.image.collect();
        (left.image, left.report)
    }

    /// Keeps the changes before `point`, and so many sectors of the one that stands there.
    fn prefix(&self, point: usize, sectors: usize, left: &mut Left<'_>) {
        for (at, op) in self.pending.iter().enumerate() {
            if at < point {
                left.keep(op);
            } else if at == point {
                let mut remaining = sectors;
                left.sift(op, || {
                    let kept = remaining > 0;
                    remaining = remaining.saturating_sub(1);
                    kept
                });
            } else {
                left.drop(op);
            }
        }
    }

    /// A write, and how many of its sectors survive: neither none nor all if it has several.
    fn tear(&self, random: &mut ChaCha8Rng) -> (usize, usize) {
        let writes: Vec<(usize, usize)> = self
            .pending
            .iter()
            .enumerate()
            .filter(|(_, op)| matches!(op, Op::Write { .. }))
            .map(|(at, op)| (at, sectors(op).count()))
            .collect();
        if writes.is_empty() {
            return (random.random_range(0..=self.pending.len()), 0);
        }
        let chosen = random.random_range(0..writes.len());
        let (at, count) = writes.get(chosen).copied().unwrap_or_default();
        (
            at,
            random
                .random_range(0..count.max(2))
                .max(usize::from(count > 1)),
        )
    }

    fn scatter(&self, random: &mut ChaCha8Rng, left: &mut Left<'_>) {
        let is_metadata = |op: &Op| !matches!(op.owner(), Owner::Content(_));
        let metadata = self.pending.iter().filter(|op| is_metadata(op)).count();
        let mut committed = match self.order {
            Order::Journal => random.random_range(0..=metadata),
            Order::Strict => 0,
        };
        for op in &self.pending {
            if is_metadata(op) && self.order == Order::Journal {
                if committed > 0 {
                    committed -= 1;
                    left.keep(op);
                } else {
                    left.drop(op);
                }
            } else {
                left.sift(op, || random.random());
            }
        }
    }
}

/// What is left, while it is being chosen.
struct Left<'a> {
    image: Image,
    births: &'a Births,
    report: Reboot,
}

impl Left<'_> {
    fn keep(&mut self, op: &Op) {
        self.image.apply(op, self.births);
        self.report.kept_ops += 1;
    }

    fn drop(&mut self, op: &Op) {
        self.report.dropped_ops += 1;
        self.report.dropped_bytes += op.bytes();
    }

    /// Keeps the sectors of a write that `keeps` says, and any other change if it says so once.
    fn sift(&mut self, op: &Op, mut keeps: impl FnMut() -> bool) {
        let Op::Write { ino, .. } = op else {
            return if keeps() {
                self.keep(op)
            } else {
                self.drop(op)
            };
        };
        let (mut kept, mut lost) = (0, 0);
        for (offset, bytes) in sectors(op) {
            if keeps() {
                kept += wide(bytes.len());
                self.write(*ino, offset, bytes);
            } else {
                lost += wide(bytes.len());
            }
        }
        self.report.dropped_bytes += lost;
        match (kept, lost) {
            (0, _) => self.report.dropped_ops += 1,
            (_, 0) => self.report.kept_ops += 1,
            (_, _) => self.report.torn_ops += 1,
        }
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) {
        let sector = Op::Write {
            ino,
            offset,
            bytes: bytes.to_vec(),
        };
        self.image.apply(&sector, self.births);
    }
}

/// The sectors of a write. They lie where the file's offset says, as a disk has them.
fn sectors(op: &Op) -> impl Iterator<Item = (u64, &[u8])> {
    let (start, mut rest) = match op {
        Op::Write { offset, bytes, .. } => (*offset, bytes.as_slice()),
        Op::Truncate { .. }
        | Op::Reserve { .. }
        | Op::Punch { .. }
        | Op::Access { .. }
        | Op::Add { .. }
        | Op::Remove { .. }
        | Op::Move { .. } => (0, [].as_slice()),
    };
    let mut at = start;
    iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let room = index(SECTOR - at % SECTOR);
        let (sector, after) = rest.split_at(room.min(rest.len()));
        let offset = at;
        at += wide(sector.len());
        rest = after;
        Some((offset, sector))
    })
}
