//! The PIN of a token.

use std::fmt;

use zeroize::Zeroizing;

/// The PIN of the normal user (`CKU_USER`), as bytes: some tokens take more than text, and
/// CloudHSM's is `user:password`. Cleared when it is dropped, and prints as nothing.
#[derive(Clone, Eq, PartialEq)]
pub struct Pin(Zeroizing<Vec<u8>>);

impl Pin {
    /// A PIN of these bytes, colons and all.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Pin(..)")
    }
}
