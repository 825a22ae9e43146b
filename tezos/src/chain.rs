//! Which chain a message is for.

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::base58::{self, Prefix, Word};
use crate::two_forms::{TwoForms, exactly, serde_in_two_forms};

/// A chain id: four bytes, spelled `Net...`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ChainId(pub [u8; 4]);

impl ChainId {
    /// Tezos mainnet, `NetXdQprcVkpaWU`.
    pub const MAINNET: Self = Self([0x7a, 0x06, 0xa7, 0x70]);

    /// The four bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&base58::encode(Prefix::CHAIN_ID, &self.0))
    }
}

impl FromStr for ChainId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = Word::decode(Self::WHAT, text)?;
        word.payload(Prefix::CHAIN_ID)
            .map(|bytes| Self(*bytes))
            .ok_or_else(|| word.unexpected("Net"))
    }
}

impl TwoForms for ChainId {
    const WHAT: &'static str = "chain id";

    fn to_binary(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ParseError> {
        exactly(Self::WHAT, bytes).map(Self)
    }
}

serde_in_two_forms!(ChainId);
