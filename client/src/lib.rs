//! A typed client of the signer API that fails over between nodes.
//!
//! It speaks the octez-signer HTTP protocol, so it works against any such signer; against a
//! cluster it moves on to the next node, and it may, because the same bytes asked again get the
//! same signature (promise P3).
//!
//! **Invariant:** the next node is asked only after a transport fault or a 502. Every other answer
//! is the cluster's own decision and is returned: asking elsewhere would only hear it again.
//!
//! **Invariant:** no signature and no public key leaves this crate that was not verified against
//! the key that was asked for.

mod endpoint;
mod fault;
mod nodes;
mod signer;

pub use endpoint::{Endpoint, NotAnEndpoint};
pub use fault::{Attempt, ClientError, NoClient, Outage};
pub use signer::{Authorized, Client, Options};
