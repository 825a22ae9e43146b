//! The rule, from outside: what may be signed, what an operator may change, what is agreed.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and a table is read from top to bottom"
)]

#[path = "rule/agreed.rs"]
mod agreed;
#[path = "rule/asked.rs"]
mod asked;
#[path = "rule/floors.rs"]
mod floors;
#[path = "rule/golden.rs"]
mod golden;
#[path = "rule/history.rs"]
mod history;
#[path = "rule/operators.rs"]
mod operators;
#[path = "rule/policy.rs"]
mod policy;
#[path = "rule/table.rs"]
mod table;
