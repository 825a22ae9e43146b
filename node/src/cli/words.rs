//! How words of the domain are written on the command line.

use std::str::FromStr;

use clap::Args;
use raft_store::state::{Chains, ReleaseMode, Role};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as WordError, StringDeserializer};
use tezos::{BallotVote, ChainId, Kind, Level, OperationName, PublicKey, PublicKeyHash};

/// `baker`, `consensus` or `companion`.
pub(super) fn role(text: &str) -> Result<Role, String> {
    word(text)
}

/// `after-commit` or `after-record`.
pub(super) fn release(text: &str) -> Result<ReleaseMode, String> {
    word(text)
}

/// A word of an enum as its serde form spells it, with `-` for `_`.
fn word<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    let spelt: StringDeserializer<WordError> = text.replace('-', "_").into_deserializer();
    T::deserialize(spelt).map_err(|error| error.to_string())
}

/// A key, by its public key or by the hash of one that this node has loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum KeyName {
    /// `edpk...`, `sppk...`, `p2pk...`, `BLpk...`.
    Public(PublicKey),
    /// `tz1...` to `tz4...`.
    Hash(PublicKeyHash),
}

impl FromStr for KeyName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("tz") {
            return text
                .parse()
                .map(Self::Hash)
                .map_err(|error| format!("{error}"));
        }
        text.parse()
            .map(Self::Public)
            .map_err(|error| format!("{error}"))
    }
}

/// `NetX...=LEVEL`: a chain and the first level that may be signed on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ChainFloor {
    pub(super) chain: ChainId,
    pub(super) floor: Level,
}

impl FromStr for ChainFloor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (chain, floor) = text
            .split_once('=')
            .ok_or_else(|| "expected CHAIN=LEVEL, the first level that may be signed".to_owned())?;
        Ok(Self {
            chain: chain.parse().map_err(|error| format!("{error}"))?,
            floor: floor.parse().map_err(|error| format!("{error}"))?,
        })
    }
}

/// The policy of a key, as options: what is not said stays, or takes the default when enrolling.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Policy {
    /// What the key is to the baker: baker, consensus or companion.
    #[arg(long, value_parser = role)]
    pub(super) role: Option<Role>,
    /// When a signature may leave: after-record always holds; after-commit is faster, and only for
    /// keys whose every backend is deterministic (files).
    #[arg(long, value_parser = release)]
    pub(super) release: Option<ReleaseMode>,
    /// What it may sign: block, preattestation, attestation.
    #[arg(long = "kind", value_delimiter = ',', value_name = "KIND")]
    pub(super) kinds: Vec<Kind>,
    /// Generic operations that it may sign, by name; `none` for none.
    #[arg(long = "operation", value_delimiter = ',', value_name = "NAME", value_parser = named::<OperationName>)]
    pub(super) operations: Vec<Named<OperationName>>,
    /// Ballots that it may cast: yay, nay, pass; `none` for none.
    #[arg(long = "vote", value_delimiter = ',', value_name = "VOTE", value_parser = named::<BallotVote>)]
    pub(super) votes: Vec<Named<BallotVote>>,
    /// A chain it may sign for and the first level there, NetX...=LEVEL; may be repeated.
    #[arg(
        long = "chain",
        value_name = "CHAIN=LEVEL",
        conflicts_with = "any_chain_from"
    )]
    pub(super) chains: Vec<ChainFloor>,
    /// Any chain, from this level on: for development.
    #[arg(long, value_name = "LEVEL")]
    pub(super) any_chain_from: Option<Level>,
    /// A client key that may ask; may be repeated; `none` for anyone who reaches the socket.
    #[arg(long = "authorized", value_name = "PUBLIC_KEY", value_parser = named::<PublicKey>)]
    pub(super) authorized: Vec<Named<PublicKey>>,
}

impl Policy {
    /// The chains, if any were said.
    pub(super) fn chains(&self) -> Option<Chains> {
        match (self.any_chain_from, self.chains.is_empty()) {
            (Some(floor), _) => Some(Chains::Any { floor }),
            (None, true) => None,
            (None, false) => {
                let floors = self.chains.iter().map(|said| (said.chain, said.floor));
                Some(Chains::Listed(floors.collect()))
            }
        }
    }
}

/// A word, or the word `none`, which says that a list is to be empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Named<T> {
    /// The empty list.
    None,
    /// One of the list.
    One(T),
}

fn named<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<Named<T>, String> {
    match text {
        "none" => Ok(Named::None),
        other => other
            .parse()
            .map(Named::One)
            .map_err(|error| format!("{error}")),
    }
}

/// What a list option says: nothing if it was not given, else its words.
pub(super) fn said<T: Clone, C: FromIterator<T>>(list: &[Named<T>]) -> Option<C> {
    let words = list.iter().filter_map(|word| match word {
        Named::None => None,
        Named::One(word) => Some(word.clone()),
    });
    (!list.is_empty()).then(|| words.collect())
}
