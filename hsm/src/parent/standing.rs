//! How a module stands.

use std::collections::BTreeMap;

use tezos::{PublicKey, PublicKeyHash};

use super::Wanted;
use crate::wire::{Found, Key, Token};
use crate::{KeyName, Trouble};

/// How a module stands: what health, leadership and people are told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The token, once it was found.
    pub token: Option<Token>,
    /// The keys that could sign now.
    pub keys: BTreeMap<PublicKeyHash, PublicKey>,
    /// The keys that are refused, each with why. The others go on.
    pub refused: Vec<Refused>,
    /// Why nothing can be signed now, if so.
    pub trouble: Option<Trouble>,
}

/// A key that is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// How it is named in the token.
    pub name: KeyName,
    /// Why.
    pub why: String,
}

/// What each name held when it was first found: after a token was exchanged, another key under the
/// same name is refused (R29).
#[derive(Debug, Default)]
pub(super) struct Remembered(Vec<(KeyName, PublicKeyHash)>);

impl Remembered {
    /// What the operator says that names hold.
    pub(super) fn of(wanted: &[Wanted]) -> Self {
        let said = wanted
            .iter()
            .filter_map(|key| Some((key.name.clone(), key.public_key_hash?)));
        Self(said.collect())
    }

    /// Sorts what was found into keys and refusals.
    pub(super) fn sort(
        &mut self,
        found: Vec<Found>,
    ) -> (BTreeMap<PublicKeyHash, Key>, Vec<Refused>) {
        let mut keys = BTreeMap::new();
        let mut refused = Vec::new();
        for Found { name, key } in found {
            match key
                .map_err(|trouble| trouble.what)
                .and_then(|key| self.same(&name, key))
            {
                Ok(key) => drop(keys.insert(key.public_key.hash(), key)),
                Err(why) => refused.push(Refused { name, why }),
            }
        }
        (keys, refused)
    }

    fn same(&mut self, name: &KeyName, key: Key) -> Result<Key, String> {
        let is = key.public_key.hash();
        let before = self.0.iter().find(|(known, _)| known == name);
        match before.map(|(_, hash)| *hash) {
            Some(was) if was != is => Err(format!(
                "the token holds {is} as the {name}, and it should be {was}: bring the right token \
                 back, or correct node.toml"
            )),
            Some(_) => Ok(key),
            None => {
                self.0.push((name.clone(), is));
                Ok(key)
            }
        }
    }
}
