//! Levels of tz4 votes that another signer read at the wrong place.
//!
//! A vote of a tz4 key has no `slot` before its level. octez-signer before July 2025 (tezos-mirror
//! `554a85e7ac`) and tacoinfra's remote-signer (`tezos_signer/sigreq.py`) read it two bytes too far all
//! the same: what they call the level is the lower half of the level and the upper half of the round.
//! Level 106 round 0 becomes 6,946,816. The true level cannot be told from that, and it may look lower
//! than it is, so such a mark is never taken.

use tezos::{Curve, Kind, PublicKeyHash};

use super::entry::{Entry, Signer};

/// How far a vote of a tz4 key may be from the highest mark that was read well on the same chain:
/// some two months of blocks of 6 seconds.
pub(super) const FAR_LEVELS: i64 = 1_000_000;

/// The lowest 16 bits of a misread level are the highest 16 of a round, which are zero.
const LOWER_HALF: i64 = 0xffff;

/// Whether a mark may have been read at the wrong place: a vote of a tz4 key, by a signer that does
/// that.
pub(super) fn possible(entry: &Entry) -> bool {
    let votes = matches!(
        entry.kind,
        Ok(Kind::Preattestation | Kind::Attestation) | Err(_)
    );
    let misreads = match entry.signer {
        Signer::Octez | Signer::Tacoinfra => true,
        Signer::Signatory => false,
    };
    let tz4 = entry
        .key
        .parse::<PublicKeyHash>()
        .is_ok_and(|key| key.curve() == Curve::Bls12_381);
    votes && misreads && tz4
}

/// Why a level that may have been misread is not taken; `None` if it is a level like the others.
/// `highest` is the highest level that was surely read well on the chain.
pub(super) fn doubt(level: i64, highest: Option<i64>) -> Option<String> {
    let Some(highest) = highest else {
        return Some("there is no other mark on this chain to hold it against".to_owned());
    };
    if level.saturating_sub(highest).saturating_abs() > FAR_LEVELS {
        return Some(format!(
            "it is far off the others, which go up to level {highest}"
        ));
    }
    (level & LOWER_HALF == 0)
        .then(|| "its lower half is zero, as that of a misread level".to_owned())
}
