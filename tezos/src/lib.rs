//! The words of Tezos signing, pure and total: keys, hashes, signatures, and the bytes a baker asks
//! to have signed.
//!
//! **Invariant:** no clock, no file, no socket, no async runtime: the same bytes always give the
//! same answer.
