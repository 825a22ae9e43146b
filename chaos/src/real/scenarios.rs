//! The scenarios, a file for what is broken in them.

pub(super) mod clocks;
pub(super) mod disks;
pub(super) mod disks_lying;
pub(super) mod disks_slow;
pub(super) mod flipped_bits;
pub(super) mod folders;
pub(super) mod hand_over;
pub(super) mod pauses;
pub(super) mod power;
pub(super) mod power_founding;
pub(super) mod power_moments;
pub(super) mod swapped;
