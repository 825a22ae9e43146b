//! Bytes of the octez-signer protocol that are not payloads.

use crate::PublicKeyHash;

/// The bytes that a client signs to show that it may ask `key` to sign `data`: `04 01`, the 21
/// bytes of the requested key's hash, and the data exactly as posted (Octez,
/// `src/lib_signer_services/signer_messages.ml`, `Make_authenticated_signing_request.to_sign`).
///
/// They hold no nonce and no time: whoever sees one can send it again, for the same data only.
#[must_use]
pub fn authentication_message(key: &PublicKeyHash, data: &[u8]) -> Vec<u8> {
    [&[0x04, 0x01], key.to_bytes().as_slice(), data].concat()
}
