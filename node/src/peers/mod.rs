//! What passes between the nodes: who may connect, what is said, and who is believed.
//!
//! One port, TLS 1.3, both ends known by their pinned keys, HTTP/1.1 inside. Three kinds of message:
//! Raft's own, `hello`, and requests that a follower hands to the leader. The path carries the
//! format (`/v1/...`), so that another version is answered in words.

pub mod accept;
pub mod call;
pub mod candidacy;
pub mod endpoint;
pub mod forward;
pub mod link;
pub mod opinion;
pub mod pinned;
pub mod pins;
pub mod stamp;
pub mod standing;
pub mod tls;
pub mod wire;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a deadline of a test is near"
)]
mod tests;

/// The format of the messages between nodes that this version speaks.
pub const FORMAT: u16 = 1;
