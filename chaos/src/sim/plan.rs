//! What kind of schedule a seed stands for. Schedules concentrate on a theme rather than spread
//! every fault evenly: two faults that must meet within milliseconds never do if all of them are
//! equally likely.

use std::time::Duration;

use raft_store::state::ReleaseMode;
use serde::{Deserialize, Serialize};
use tezos::{ChainId, Curve};

use super::dice::{Concern, Dice};
use super::network::Weather;

/// What a schedule is about.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// A bit of everything.
    Mixed,
    /// Who leads: partitions, pauses, transfers, and power cuts around votes.
    Elections,
    /// Processes that are killed and machines that lose power, one, two or all, and come back soon.
    Restarts,
    /// Signers that fail, hang and randomise, on nodes that die around them.
    Signers,
    /// Operators who change keys while nodes die, and whose commands come late and twice.
    Operators,
    /// Disks that are wiped, restored or copied.
    Disks,
    /// Short logs, many snapshots, and nodes that were away.
    Snapshots,
}

/// Everything about a schedule that is not drawn on the way.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How long faults go on.
    pub span: Duration,
    /// What it is about.
    pub theme: Theme,
    /// The weather when nobody changes it.
    pub weather: Weather,
    /// The shortest and the longest fsync, in microseconds.
    pub fsync_us: (u64, u64),
    /// Milliseconds between two faults.
    pub gap_ms: (u64, u64),
    /// Entries between two snapshots.
    pub snapshot_every: u64,
    /// Entries kept behind a snapshot.
    pub snapshot_keep: u64,
    /// The time of one level.
    pub level: Duration,
    /// The keys, the first of which is always in service.
    pub keys: Vec<KeyPlan>,
}

/// One key, and what is done with it.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    /// Its curve.
    pub curve: Curve,
    /// Which of the keys of that curve.
    pub set: usize,
    /// When its signatures may leave at first.
    pub release: ReleaseMode,
    /// The level at which the bakers begin.
    pub first_level: u32,
    /// The first level that may be signed; 0 for any.
    pub floor: u32,
    /// What another signer signed: (level, round); no round for the whole level.
    pub import: Option<(u32, Option<u32>)>,
    /// Whether it is enrolled in the middle of the run rather than before it.
    pub later: bool,
    /// How many bakers ask for it.
    pub bakers: u64,
    /// Whether the bakers ask for different messages in one slot.
    pub conflicting: bool,
}

/// The chain of every message: mainnet.
pub const MAINNET: ChainId = ChainId([0x7a, 0x06, 0xa7, 0x70]);
/// Another chain, for levels at the very edges.
pub const OTHER_CHAIN: ChainId = ChainId([0x1d, 0x2c, 0x3b, 0x4a]);

impl Plan {
    /// The schedule of a seed, of `span`; of a given theme, or of the one that the seed draws.
    #[must_use]
    pub fn new(seed: u64, span: Duration, theme: Option<Theme>) -> Self {
        let mut dice = Dice::new(seed, Concern::Plan, 0);
        let drawn = dice.weighted(&Theme::WEIGHTS).copied();
        let theme = theme.or(drawn).unwrap_or(Theme::Mixed);
        let weather = weather(&mut dice, theme);
        let fsync_us = match dice.between(0, 2) {
            0 => (100, 900),
            1 => (200, 4_000),
            _ => (1_000, 15_000),
        };
        let gap_ms = match theme {
            Theme::Elections | Theme::Restarts => (50, 700),
            Theme::Mixed | Theme::Signers | Theme::Operators | Theme::Snapshots => (100, 900),
            Theme::Disks => (200, 600),
        };
        let short = theme == Theme::Snapshots || dice.chance(200);
        let (snapshot_every, snapshot_keep) = if short {
            (dice.between(8, 40), dice.between(0, 12))
        } else {
            (dice.between(100, 400), dice.between(0, 100))
        };
        let level_ms = *dice
            .weighted(&[(1, 6_000), (2, 2_000), (3, 1_000), (3, 500), (2, 250)])
            .unwrap_or(&1_000);
        let keys = keys(&mut dice, theme);
        Self {
            seed,
            span,
            theme,
            weather,
            fsync_us,
            gap_ms,
            snapshot_every,
            snapshot_keep,
            level: Duration::from_millis(level_ms),
            keys,
        }
    }

    /// The scenario, in words.
    #[must_use]
    pub fn words(&self) -> String {
        format!(
            "simulation, {:?}: {} ms of faults, a level every {} ms, delays of {:?} us, fsyncs of \
             {:?} us, a snapshot every {} entries, {} keys",
            self.theme,
            self.span.as_millis(),
            self.level.as_millis(),
            self.weather.delay_us,
            self.fsync_us,
            self.snapshot_every,
            self.keys.len()
        )
    }
}

impl Theme {
    const WEIGHTS: [(u64, Self); 7] = [
        (20, Self::Mixed),
        (20, Self::Elections),
        (20, Self::Restarts),
        (12, Self::Signers),
        (12, Self::Operators),
        (10, Self::Disks),
        (10, Self::Snapshots),
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Elections => "elections",
            Self::Restarts => "restarts",
            Self::Signers => "signers",
            Self::Operators => "operators",
            Self::Disks => "disks",
            Self::Snapshots => "snapshots",
        }
    }
}

fn weather(dice: &mut Dice, theme: Theme) -> Weather {
    let delay_us = match dice.between(0, 3) {
        0 | 1 => (100, 900),
        2 => (300, 5_000),
        _ => (2_000, 20_000),
    };
    // A disk that was swapped is told by the peers that hear of it, so these must hear.
    let (lost, twice) = match theme {
        Theme::Disks => (0, 0),
        Theme::Mixed
        | Theme::Elections
        | Theme::Restarts
        | Theme::Signers
        | Theme::Operators
        | Theme::Snapshots => (dice.between(0, 20), dice.between(0, 30)),
    };
    Weather {
        delay_us,
        lost,
        twice,
    }
}

/// The anchor, which is never disabled, and others by theme.
fn keys(dice: &mut Dice, theme: Theme) -> Vec<KeyPlan> {
    let first = |dice: &mut Dice| u32::try_from(dice.between(10, 100_000)).unwrap_or(10);
    let anchor = KeyPlan {
        curve: if dice.chance(60) {
            Curve::Bls12_381
        } else {
            Curve::Ed25519
        },
        set: 0,
        release: ReleaseMode::AfterCommit,
        first_level: first(dice),
        floor: 0,
        import: None,
        later: false,
        bakers: 2,
        conflicting: true,
    };
    let randomised = |dice: &mut Dice, set: usize| KeyPlan {
        curve: if dice.chance(200) {
            Curve::P256
        } else {
            Curve::Secp256k1
        },
        set,
        release: ReleaseMode::AfterRecord,
        first_level: first(dice),
        floor: 0,
        import: None,
        later: false,
        bakers: 2,
        conflicting: dice.chance(400),
    };
    let mut keys = vec![anchor];
    match theme {
        Theme::Signers => {
            keys.push(randomised(dice, 0));
            keys.push(randomised(dice, 1));
            keys.push(moved(dice, 2));
        }
        Theme::Operators => {
            keys.push(moved(dice, 0));
            keys.push(imported(dice, 1));
            keys.push(randomised(dice, 2));
        }
        Theme::Mixed => {
            keys.push(randomised(dice, 0));
            keys.push(imported(dice, 1));
        }
        Theme::Elections | Theme::Restarts | Theme::Disks | Theme::Snapshots => {
            keys.push(randomised(dice, 0));
        }
    }
    keys
}

/// A key in a file, which the operator moves into the HSMs.
fn moved(dice: &mut Dice, set: usize) -> KeyPlan {
    let first_level = u32::try_from(dice.between(50, 5_000)).unwrap_or(50);
    KeyPlan {
        curve: Curve::Secp256k1,
        set,
        release: ReleaseMode::AfterCommit,
        first_level,
        floor: first_level.saturating_sub(2),
        import: None,
        later: false,
        bakers: 2,
        conflicting: dice.chance(500),
    }
}

/// A key that another signer has used before, enrolled in the middle of the run.
fn imported(dice: &mut Dice, set: usize) -> KeyPlan {
    let first_level = u32::try_from(dice.between(50, 5_000)).unwrap_or(50);
    let round = dice
        .chance(600)
        .then(|| u32::try_from(dice.between(0, 2)).unwrap_or(0));
    KeyPlan {
        curve: if dice.chance(500) {
            Curve::Ed25519
        } else {
            Curve::Secp256k1
        },
        set,
        release: if dice.chance(500) {
            ReleaseMode::AfterCommit
        } else {
            ReleaseMode::AfterRecord
        },
        first_level,
        floor: first_level.saturating_sub(1),
        import: Some((first_level, round)),
        later: true,
        bakers: 2,
        conflicting: dice.chance(500),
    }
}
