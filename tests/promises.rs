//! The promises, end to end: real `quorate node` processes on loopback, a cluster per test.
//!
//! One file per promise of the README, and beside them the traffic of real clients and the
//! command a newcomer types. The judge looks at signatures only, never at the inside of a node.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod judge;
mod raw;
mod shimmed;
mod world;

mod dev_command;
mod hsm_crashes;
mod hsm_faults;
mod hsm_secrets;
mod octez_traffic;
mod p1_one_message;
mod p2_one_signature;
mod p3_same_bytes;
mod p4_refusal_or_outage;
mod p5_untrusted_state;
mod p6_minority_lost;
mod taquito;
