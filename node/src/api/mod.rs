//! The octez-signer protocol over HTTP/1: the face of this node to bakers.

mod body;
mod fault;
mod message;
mod negotiation;
mod query;
mod route;
pub mod server;
mod service;
pub mod tls;

#[cfg(test)]
mod tests;

pub use server::serve;
pub use service::{Asked, SignerService};
