//! Reads the history of a run of a signer and says which promises it broke.
//!
//! **Invariant:** this crate shares no code with what it judges: it reads bytes, levels and
//! signatures by itself.

pub mod history;
