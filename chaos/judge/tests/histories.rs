//! Histories written by hand: good ones are accepted, and each bad one is rejected for the one promise
//! that it breaks.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "the histories are small and written here; a test that cannot write one fails"
)]

#[path = "histories/baker.rs"]
mod baker;
#[path = "histories/disks.rs"]
mod disks;
#[path = "histories/entries.rs"]
mod entries;
#[path = "histories/evidence.rs"]
mod evidence;
#[path = "histories/figures.rs"]
mod figures;
#[path = "histories/files.rs"]
mod files;
#[path = "histories/good.rs"]
mod good;
#[path = "histories/healing.rs"]
mod healing;
#[path = "histories/lives.rs"]
mod lives;
#[path = "histories/operators.rs"]
mod operators;
#[path = "histories/policies.rs"]
mod policies;
#[path = "histories/requests.rs"]
mod requests;
#[path = "histories/shuffled.rs"]
mod shuffled;
#[path = "histories/signatures.rs"]
mod signatures;
#[path = "histories/terms.rs"]
mod terms;
#[path = "histories/world.rs"]
mod world;
