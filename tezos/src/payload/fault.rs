//! Why a message is not signed before any rule has looked at it.

use super::PROTOCOLS;
use crate::Curve;

/// Why bytes are not a message that this version can sign. The text is shown to the baker.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("can't sign empty data")]
    Empty,
    /// The message ends before a field does.
    #[error("the message ends in its {field} at byte {at}, short by {missing}")]
    Truncated {
        /// The field that is not whole.
        field: &'static str,
        /// Where the field starts.
        at: usize,
        /// How many bytes are missing.
        missing: usize,
    },
    /// The message goes on after its last field.
    #[error("the message should end at byte {at} and is longer by {count}")]
    Trailing {
        /// Where the message should end.
        at: usize,
        /// How many bytes follow.
        count: usize,
    },
    /// A first byte that no known protocol has.
    #[error(
        "magic byte 0x{magic:02X} not allowed: known are 0x03, 0x11, 0x12 and 0x13, of {PROTOCOLS}"
    )]
    Magic {
        /// The byte.
        magic: u8,
    },
    /// A message of a protocol before Tenderbake.
    #[error(
        "magic byte 0x{magic:02X} not allowed: {was}, which no protocol since 012 has; this version knows {PROTOCOLS}"
    )]
    Legacy {
        /// The first byte.
        magic: u8,
        /// What it meant.
        was: &'static str,
    },
    /// A known first byte of something that a baking key never signs.
    #[error("magic byte 0x{magic:02X} not allowed: {is}")]
    NeverSigned {
        /// The first byte.
        magic: u8,
        /// What it means.
        is: &'static str,
    },
    /// A vote whose tag this version does not know, or that does not belong to its magic byte.
    #[error("tag {tag} is no {wanted} in any protocol this version knows ({PROTOCOLS})")]
    VoteTag {
        /// The tag.
        tag: u8,
        /// What the magic byte announced.
        wanted: &'static str,
    },
    /// A vote in the form of another kind of key.
    #[error("tag {tag} is a vote that {signers} keys sign, this key is {curve}")]
    VoteCurve {
        /// The tag.
        tag: u8,
        /// The keys that sign this form.
        signers: &'static str,
        /// The curve of the key asked for.
        curve: Curve,
    },
    /// A signed 32-bit field that may not be negative, and is.
    #[error("the {field} at byte {at} is negative")]
    Negative {
        /// The field.
        field: &'static str,
        /// Where it starts.
        at: usize,
    },
    /// The predecessor's round is stored as -1 - round and is therefore always negative.
    #[error("the predecessor round at byte {at} is not negative, as fitness stores it")]
    PredecessorRound {
        /// Where it starts.
        at: usize,
    },
    /// The fitness is not five items of version 2: a layout before or after the known protocols.
    #[error(
        "the fitness is not that of {PROTOCOLS}: its {field} at byte {at} is {found}, not {expected}"
    )]
    Fitness {
        /// The part of the fitness that is wrong.
        field: &'static str,
        /// Where it starts.
        at: usize,
        /// What is there.
        found: u32,
        /// What this version expects.
        expected: &'static str,
    },
    /// The fitness names another level than the header.
    #[error("the header says level {header}, its fitness says level {fitness}")]
    FitnessLevel {
        /// The level of the header.
        header: u32,
        /// The level of the fitness.
        fitness: u32,
    },
    /// A block can only have been locked in an earlier round.
    #[error("the locked round {locked} is not below the round {round}")]
    LockedRound {
        /// The locked round.
        locked: u32,
        /// The round of the fitness.
        round: u32,
    },
    /// A payload can only come from this round or an earlier one.
    #[error("the payload round {payload_round} is above the round {round}")]
    PayloadRound {
        /// The payload round.
        payload_round: u32,
        /// The round of the fitness.
        round: u32,
    },
    /// An optional field starts with neither 0x00 nor 0xff.
    #[error("the {field} at byte {at} starts with 0x{found:02X}, not with 0x00 (absent) or 0xFF")]
    Presence {
        /// The field.
        field: &'static str,
        /// Where it starts.
        at: usize,
        /// The byte found.
        found: u8,
    },
    /// A number that is not in its one shortest form, or that is negative where it cannot be.
    #[error("the {field} at byte {at} is not a natural number in its shortest form")]
    Natural {
        /// The field.
        field: &'static str,
        /// Where it starts.
        at: usize,
    },
    /// A number above what the field can hold on chain.
    #[error("the {field} at byte {at} is above 9223372036854775807")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// Where it starts.
        at: usize,
    },
    /// A byte whose value this version does not know.
    #[error("the {field} at byte {at} is {found}, this version knows {known}")]
    Unknown {
        /// The field.
        field: &'static str,
        /// Where it is.
        at: usize,
        /// The value found.
        found: u8,
        /// The values known.
        known: &'static str,
    },
    /// A length that its field cannot have.
    #[error("the {field} at byte {at} has {found} bytes, not {expected}")]
    Length {
        /// The field.
        field: &'static str,
        /// Where the length is.
        at: usize,
        /// The length found.
        found: usize,
        /// What it must be.
        expected: &'static str,
    },
    /// A public key that is not a point of its curve.
    #[error("the {field} at byte {at} is not a {curve} public key")]
    Point {
        /// The field.
        field: &'static str,
        /// Where it starts.
        at: usize,
        /// Its curve.
        curve: Curve,
    },
    /// The name of an entrypoint that must be written by its tag.
    #[error("the entrypoint name at byte {at} has a tag of its own and must be written by it")]
    EntrypointName {
        /// Where it starts.
        at: usize,
    },
    /// Nothing to sign.
    #[error("the operation has no content")]
    NoContent,
    /// An operation that this version does not sign, by name.
    #[error("operation tag {tag} is {name}, which is never signed here")]
    OperationRefused {
        /// The tag.
        tag: u8,
        /// Its name in Octez.
        name: &'static str,
    },
    /// An operation that this version does not know.
    #[error("operation tag {tag} is unknown: this version knows the operations of {PROTOCOLS}")]
    OperationUnknown {
        /// The tag.
        tag: u8,
    },
    /// Only operations of an account's owner can be batched.
    #[error("{name} must be alone in its message, which has {count} operations")]
    NotAlone {
        /// The operation that must be alone.
        name: super::OperationName,
        /// How many there are.
        count: usize,
    },
}
