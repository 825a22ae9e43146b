//! The rule, from outside: what may be signed, what an operator may change, what is agreed.

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

#[path = "rule/table.rs"]
mod table;
