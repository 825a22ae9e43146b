//! Faults, and the verdict on what the signer did under them.

pub mod cli;
pub mod page;
pub mod real;
pub mod results;
pub mod sim;
