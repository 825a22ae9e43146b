//! The way in from another signer, and the way back: its marks, read from its files and written to
//! them. Pure: text in, marks or faults out; the files themselves are opened by the command line.
//!
//! **Invariant:** what cannot be understood is a fault with the file and the place. Nothing that is
//! missing or odd is ever read as "nothing signed yet" (R42).

mod dynamodb;
mod entry;
mod fault;
mod gather;
mod misread;
pub mod octez;
mod octez_files;
mod pairs;
mod signatory;
mod tacoinfra;

pub use dynamodb::rows;
pub use entry::{Entry, Signer};
pub use fault::{Fault, Faults};
pub use gather::{Gathered, Said, floors, gather};
pub use octez_files::{OctezFile, files};
pub use signatory::marks as signatory_marks;
pub use tacoinfra::{Content, content};

#[cfg(test)]
mod tests;
