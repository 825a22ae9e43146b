//! The scenarios, a file for what is broken in them.

pub(super) mod disks;
pub(super) mod disks_lying;
pub(super) mod disks_slow;
pub(super) mod hand_over;
pub(super) mod power;
pub(super) mod power_founding;
pub(super) mod power_moments;
