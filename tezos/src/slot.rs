//! Level, round, and the slot they make.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// The largest level and round: both travel as a signed 32-bit number that is never negative.
const MOST: u32 = i32::MAX.unsigned_abs();

macro_rules! height {
    ($(#[$meta:meta])* $type:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize,
        )]
        #[serde(try_from = "u32", into = "u32")]
        pub struct $type(u32);

        impl $type {
            /// The lowest one.
            pub const ZERO: Self = Self(0);

            /// The highest one, 2,147,483,647.
            pub const MAX: Self = Self(MOST);

            /// `value`, unless it is above 2,147,483,647.
            #[must_use]
            pub const fn new(value: u32) -> Option<Self> {
                if value <= MOST { Some(Self(value)) } else { None }
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }

            /// The one after this, if there is one.
            #[must_use]
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(value) => Self::new(value),
                    None => None,
                }
            }
        }

        impl TryFrom<u32> for $type {
            type Error = ParseError;

            fn try_from(value: u32) -> Result<Self, Self::Error> {
                Self::new(value).ok_or(ParseError::Range {
                    what: $what,
                    value: value.into(),
                    most: MOST.into(),
                })
            }
        }

        impl From<$type> for u32 {
            fn from(value: $type) -> Self {
                value.0
            }
        }

        impl FromStr for $type {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse::<u32>()
                    .map_err(|_not_decimal| ParseError::NotANumber { what: $what })?
                    .try_into()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

height! {
    /// The height of a block, 0 to 2,147,483,647.
    Level, "level"
}

height! {
    /// The attempt at a level, 0 to 2,147,483,647.
    Round, "round"
}

/// The place of a message: level first, then round. For one key, chain and kind, at most one
/// message is ever signed in a slot.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Slot {
    /// The height of the block.
    pub level: Level,
    /// The attempt at that level.
    pub round: Round,
}

impl Slot {
    /// The slot at this level and round.
    #[must_use]
    pub const fn new(level: Level, round: Round) -> Self {
        Self { level, round }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "level {} round {}", self.level, self.round)
    }
}
