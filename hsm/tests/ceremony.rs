//! Ceremonies with real tokens of SoftHSM: what is made is kept, what is copied is the same, and
//! nothing leaves.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that is not as it should be"
)]

#[path = "ceremony/copying.rs"]
mod copying;
#[path = "ceremony/durability.rs"]
mod durability;
#[path = "ceremony/generation.rs"]
mod generation;
#[path = "ceremony/importing.rs"]
mod importing;
#[path = "ceremony/initialisation.rs"]
mod initialisation;
#[path = "ceremony/pins.rs"]
mod pins;
#[path = "ceremony/power.rs"]
mod power;
#[path = "ceremony/sealing.rs"]
mod sealing;
#[path = "ceremony/tokens.rs"]
mod tokens;
