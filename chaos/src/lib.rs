//! Faults, and the verdict on what the signer did under them.

pub mod cli;
#[cfg(test)]
mod documents;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod page;
pub mod real;
pub mod results;
pub mod sim;
