//! The replicated watermark: the rule that decides, the ledger that mints permission from a
//! committed entry, and the store in which both are durable.

pub mod codec;
pub mod command;
pub mod disk;
pub mod folder;
pub mod ground;
pub mod guard;
pub mod hello;
pub mod identity;
pub mod ledger;
pub mod machine;
pub mod memory;
pub mod mutant;
pub mod policy;
pub mod rocks;
pub mod rule;
pub mod runtime;
pub mod snapshot;
pub mod state;
pub mod types;
pub mod witness;
