//! The command line.

mod exit;

pub use exit::{Exit, Failure};
