//! When the state becomes a snapshot and the log before it goes: `[snapshots]`.

use super::fault::Checker;
use super::raw;
use crate::cluster::Snapshots;

/// Fewer entries would make a snapshot several times a second.
const EVERY_MIN: u64 = 100;

/// More would make a log of some gigabytes, which a start reads whole.
const EVERY_MAX: u64 = 1_000_000;

/// As many entries are kept behind a snapshot as lie between two, and a tenth of them is purged at
/// once: the proportions of the defaults.
pub(super) fn check(raw: &raw::Snapshots, checker: &mut Checker<'_>) -> Snapshots {
    let default = Snapshots::default();
    let Some(written) = &raw.every else {
        return default;
    };
    let every = *written.get_ref();
    if !(EVERY_MIN..=EVERY_MAX).contains(&every) {
        checker.fault(
            Some(written.span()),
            "snapshots.every",
            format!("{every} entries is not between {EVERY_MIN} and {EVERY_MAX}"),
            format!("write every = {}", default.every),
        );
        return default;
    }
    Snapshots {
        every,
        keep: every,
        purge_batch: every / 10,
    }
}
