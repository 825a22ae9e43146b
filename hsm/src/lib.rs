//! A PKCS#11 module in a process of its own.
//!
//! ```text
//!  node ── parent ══ socket pair ══ child ── PKCS#11 module ── HSM
//!            deadlines, PIN, healing   sessions, handles
//! ```
//!
//! A vendor's library may hang, crash, or corrupt the memory of whoever loads it, and a thread that
//! hangs in it cannot be ended. So no library is ever loaded into a node: a [`child`] loads it, the
//! [`parent`] speaks to the child with a deadline on every question, and a child that is late or
//! gone is replaced. There is one path for all modules.
//!
//! **Invariant:** nothing here decides what may be signed, and nothing here releases a signature:
//! the node asks with the digest of what its grant owns, and verifies what comes back.

mod ceremony;
pub mod child;
mod ckr;
mod curve;
mod name;
pub mod parent;
mod pin;
mod trouble;
mod uri;
mod wire;

pub use ceremony::{Package, Request};
pub use name::{KeyName, TokenName};
pub use pin::Pin;
pub use trouble::{Trouble, TroubleKind};
pub use uri::{Uri, UriFault};
pub use wire::{Found, Key, PinState, Token};
