//! Why a piece of text or a row of bytes is not the word it should be.

use crate::Curve;

/// Why text or bytes are not a key, a hash, a signature, a chain id or a word.
///
/// **Invariant:** no variant carries the text it was made from, since that text may be a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseError {
    /// A character outside the base58 alphabet, or more text than any Tezos word has.
    #[error("{what} is not base58 of a plausible length")]
    NotBase58 {
        /// What was being read.
        what: &'static str,
    },
    /// The last four bytes are not the checksum: the text was mistyped or cut.
    #[error("{what} has a wrong checksum: it was mistyped or cut")]
    Checksum {
        /// What was being read.
        what: &'static str,
    },
    /// Well-formed base58check, but of something else.
    #[error("{what} does not start with {expected}")]
    Prefix {
        /// What was being read.
        what: &'static str,
        /// The prefixes that would have been right, as people read them.
        expected: &'static str,
    },
    /// Not as many bytes as this word has.
    #[error("{what} has {found} bytes, not {expected}")]
    Length {
        /// What was being read.
        what: &'static str,
        /// The number of bytes it must have.
        expected: usize,
        /// The number of bytes it has.
        found: usize,
    },
    /// The bytes are not a point of the curve, or one that no key can be.
    #[error("these bytes are not a {curve} public key")]
    Point {
        /// The curve asked for.
        curve: Curve,
    },
    /// The bytes are not a secret of the curve (zero, too large, or halves that do not belong
    /// together).
    #[error("these bytes are not a {curve} secret key")]
    Scalar {
        /// The curve asked for.
        curve: Curve,
    },
    /// An ECDSA signature with r or s zero or not below the group order.
    #[error("these bytes are not a {curve} signature")]
    SignatureRange {
        /// The curve asked for.
        curve: Curve,
    },
    /// A curve tag this version does not know.
    #[error("{what} has the curve tag {tag}, this version knows 0 (tz1) to 3 (tz4)")]
    CurveTag {
        /// What was being read.
        what: &'static str,
        /// The tag found.
        tag: u8,
    },
    /// A number outside its range.
    #[error("{what} {value} is above {most}")]
    Range {
        /// What was being read.
        what: &'static str,
        /// The value found.
        value: u64,
        /// The largest value allowed.
        most: u64,
    },
    /// Not a decimal number.
    #[error("{what} is not a number")]
    NotANumber {
        /// What was being read.
        what: &'static str,
    },
    /// Not the hexadecimal digits of so many bytes.
    #[error("{what} is not {digits} lower-case hexadecimal digits")]
    NotHex {
        /// What was being read.
        what: &'static str,
        /// How many digits it has.
        digits: usize,
    },
    /// A word that is not in the vocabulary.
    #[error("unknown {what}: use one of {known}")]
    UnknownWord {
        /// What was being read.
        what: &'static str,
        /// The words that would have been right.
        known: &'static str,
    },
    /// A code that is not in the vocabulary.
    #[error("{code} is the code of no {what}")]
    UnknownCode {
        /// What was being read.
        what: &'static str,
        /// The code found.
        code: u8,
    },
    /// An encrypted secret key where a plain one is needed.
    #[error("this secret key is encrypted: it needs its password")]
    Encrypted,
}
