//! The state as rows: one for each key record and one for each mark, so that an advance writes one
//! small row however many keys and chains there are.

use std::collections::BTreeSet;
use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tezos::{ChainId, Kind, PublicKeyHash};

use super::Row;
use crate::codec;
use crate::command::{Act, Advance, Command, FORMAT};
use crate::state::{Key, Mark, State};

/// The name of a row. Its bytes start with a letter for the kind of row.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum RowName {
    /// `c`: what belongs to no key.
    Cluster,
    /// `k`, then the 21 bytes of the key hash.
    Key(PublicKeyHash),
    /// `m`, the key hash, the 4 bytes of the chain, the code of the kind.
    Mark(PublicKeyHash, ChainId, Kind),
}

/// What belongs to no key.
#[derive(Deserialize, Serialize)]
struct Cluster {
    format: u16,
    locked: bool,
}

/// The rows that applying `act` may have changed. More than it did change is harmless.
pub(super) fn touched(state: &State, act: &Act) -> Vec<RowName> {
    match act {
        Act::Advance(advance) => mark_of(state, advance),
        Act::Record(record) => mark_of(state, &record.advance),
        Act::Permit(_) => Vec::new(),
        Act::Command(Command::Format { .. }) => vec![RowName::Cluster],
        Act::Command(Command::Enrol(enrolment)) => all_of(state, enrolment.public_key.hash()),
        Act::Command(
            Command::Edit { key, .. }
            | Command::Disable { key, .. }
            | Command::Enable { key, .. }
            | Command::Raise { key, .. },
        ) => all_of(state, *key),
    }
}

fn mark_of(state: &State, advance: &Advance) -> Vec<RowName> {
    let Advance {
        key, chain, kind, ..
    } = *advance;
    let stands = state
        .keys
        .get(&key)
        .is_some_and(|k| k.marks.contains_key(&(chain, kind)));
    if stands {
        vec![RowName::Mark(key, chain, kind)]
    } else {
        Vec::new()
    }
}

fn all_of(state: &State, hash: PublicKeyHash) -> Vec<RowName> {
    let Some(key) = state.keys.get(&hash) else {
        return Vec::new();
    };
    let marks = key
        .marks
        .keys()
        .map(|(chain, kind)| RowName::Mark(hash, *chain, *kind));
    marks
        .chain([RowName::Key(hash), RowName::Cluster])
        .collect()
}

/// The rows of these names, as they stand in `state`.
pub(super) fn write(state: &State, names: BTreeSet<RowName>) -> io::Result<Vec<Row>> {
    names
        .into_iter()
        .filter_map(|name| value_of(state, name).transpose().map(|value| (name, value)))
        .map(|(name, value)| {
            Ok(Row {
                key: name.to_bytes(),
                value: Some(value?),
            })
        })
        .collect()
}

/// Every row of `state`, in the order of their keys.
pub(super) fn write_all(state: &State) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let names = state.keys.keys().flat_map(|hash| all_of(state, *hash));
    let rows = write(state, names.chain([RowName::Cluster]).collect())?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((row.key, row.value?)))
        .collect())
}

fn value_of(state: &State, name: RowName) -> io::Result<Option<Vec<u8>>> {
    match name {
        RowName::Cluster => frame(&Cluster {
            format: state.format,
            locked: state.locked,
        })
        .map(Some),
        RowName::Key(hash) => state.keys.get(&hash).map(frame).transpose(),
        RowName::Mark(hash, chain, kind) => {
            let mark = state
                .keys
                .get(&hash)
                .and_then(|key| key.marks.get(&(chain, kind)));
            mark.map(frame).transpose()
        }
    }
}

/// The state that `rows` are, or what is wrong with which row.
pub(super) fn read(rows: &[(Vec<u8>, Vec<u8>)]) -> io::Result<State> {
    let mut state = State::default();
    // The first command that writes any row writes this one, so without it rows were lost.
    if !rows.is_empty() && !rows.iter().any(|(key, _)| key == b"c") {
        return Err(damaged(format_args!("the row of the cluster is missing")));
    }
    // Names sort cluster, keys, marks, so that a key is there when its marks come.
    for (key, value) in rows {
        match RowName::from_bytes(key)? {
            name @ RowName::Cluster => {
                let Cluster { format, locked } = open(name, value)?;
                if format > FORMAT {
                    return Err(io::Error::other(format!(
                        "the agreed state is of format {format}, and this version reads up to \
                         {FORMAT}: install the version of Quorate that wrote it"
                    )));
                }
                (state.format, state.locked) = (format, locked);
            }
            name @ RowName::Key(hash) => {
                let record: Key = open(name, value)?;
                if record.public_key.hash() != hash {
                    return Err(damaged(format_args!(
                        "the row of key {hash} holds another key"
                    )));
                }
                state.keys.insert(hash, record);
            }
            name @ RowName::Mark(hash, chain, kind) => {
                let mark: Mark = open(name, value)?;
                let owner = state.keys.get_mut(&hash);
                let owner = owner.ok_or_else(|| {
                    damaged(format_args!(
                        "a mark of key {hash}, which has no row of its own"
                    ))
                })?;
                owner.marks.insert((chain, kind), mark);
            }
        }
    }
    Ok(state)
}

impl RowName {
    fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Cluster => b"c".to_vec(),
            Self::Key(hash) => [b"k".as_slice(), &hash.to_bytes()].concat(),
            Self::Mark(hash, chain, kind) => [
                b"m".as_slice(),
                &hash.to_bytes(),
                chain.as_bytes(),
                &[kind.code()],
            ]
            .concat(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        let unknown = || {
            damaged(format_args!(
                "a row of an unknown name, {}",
                hex::encode(bytes)
            ))
        };
        match bytes {
            b"c" => Ok(Self::Cluster),
            [b'k', hash @ ..] => read_hash(hash).map(Self::Key).ok_or_else(unknown),
            [b'm', rest @ .., kind] => {
                let (hash, chain) = rest
                    .split_at_checked(PublicKeyHash::LEN)
                    .ok_or_else(unknown)?;
                let hash = read_hash(hash).ok_or_else(unknown)?;
                let chain = ChainId(chain.try_into().map_err(|_not_4_bytes| unknown())?);
                let kind = Kind::from_code(*kind).map_err(|_no_such_kind| unknown())?;
                Ok(Self::Mark(hash, chain, kind))
            }
            _ => Err(unknown()),
        }
    }
}

fn read_hash(bytes: &[u8]) -> Option<PublicKeyHash> {
    PublicKeyHash::from_bytes(bytes.try_into().ok()?).ok()
}

fn frame<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    codec::encode(value).map_err(io::Error::other)
}

fn open<T: DeserializeOwned>(name: RowName, value: &[u8]) -> io::Result<T> {
    codec::decode(value).map_err(|cause| damaged(format_args!("row {name:?}: {cause}")))
}

pub(super) fn damaged(what: std::fmt::Arguments<'_>) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the agreed state is damaged: {what}"),
    )
}
