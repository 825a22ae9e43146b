//! Faults, and the verdict on what the signer did under them.

pub mod results;
pub mod sim;
