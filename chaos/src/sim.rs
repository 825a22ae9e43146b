//! Whole clusters in one thread on virtual time, and everything that can happen to them.
//!
//! What runs is the product: its state machine, rule, codec, ledger, sign path, hello, candidacy and
//! leadership, and real openraft, from the HTTP request to the HTTP answer. What is simulated is
//! what they stand on: disks with a boundary between written and synced, a network, signers, a clock,
//! and the processes themselves, which can be stopped and killed between any two steps.
//!
//! ```text
//! seed ─► plan ─► world: machines, network, bakers, operator ─► nemesis ─► healing ─► history ─► judge
//! ```
//!
//! **Invariant:** a run is a function of its seed. Nothing here reads a clock, the system's random
//! numbers or the order of a hash map.

pub mod ask;
pub mod baker;
pub mod command;
pub mod coverage;
pub mod dice;
pub mod disk;
pub mod gate;
pub mod healing;
pub mod history;
pub mod host;
pub mod kept;
pub mod keys;
pub mod moves;
pub mod nemesis;
pub mod network;
pub mod operator;
pub mod plan;
pub mod range;
pub mod schedule;
pub mod signer;
pub mod wire;
pub mod witness;
pub mod world;

pub use command::{Args, run};
