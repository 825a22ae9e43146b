//! Permission to sign, over real consensus: nodes of openraft on disks in memory that can lose
//! power, and every message between them through the codec.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

#[path = "grant/cluster.rs"]
mod cluster;
#[path = "grant/decisions.rs"]
mod decisions;
#[path = "grant/drain.rs"]
mod drain;
#[path = "grant/failures.rs"]
mod failures;
#[path = "grant/signers.rs"]
mod signers;
#[path = "grant/wires.rs"]
mod wires;
