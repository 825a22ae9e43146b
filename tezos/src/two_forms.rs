//! One word, two forms: text in the formats people read (JSON, TOML), raw bytes in the binary ones.
//!
//! Every value is rebuilt through its own checks on the way in, so that an invariant holds for what
//! was read from a disk as it does for what was made here.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserializer, Serializer};

use crate::ParseError;

/// A word that has a text form (`Display`, `FromStr`) and a binary form.
pub(crate) trait TwoForms: Display + FromStr<Err = ParseError> + Sized {
    /// What it is called in an error.
    const WHAT: &'static str;

    /// The stored bytes.
    fn to_binary(&self) -> Vec<u8>;

    /// The word that these bytes are, after every check that its constructors make.
    fn from_binary(bytes: &[u8]) -> Result<Self, ParseError>;
}

pub(crate) fn serialize<T: TwoForms, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.collect_str(value)
    } else {
        serializer.serialize_bytes(&value.to_binary())
    }
}

pub(crate) fn deserialize<'de, T: TwoForms, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_str(Text(PhantomData))
    } else {
        deserializer.deserialize_byte_buf(Binary(PhantomData))
    }
}

struct Text<T>(PhantomData<T>);

impl<T: TwoForms> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a {} as text", T::WHAT)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

struct Binary<T>(PhantomData<T>);

impl<T: TwoForms> Visitor<'_> for Binary<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the bytes of a {}", T::WHAT)
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        T::from_binary(bytes).map_err(E::custom)
    }
}

/// Implements both serde traits for a [`TwoForms`] type.
macro_rules! serde_in_two_forms {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::two_forms::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::two_forms::deserialize(deserializer)
            }
        }
    };
}

pub(crate) use serde_in_two_forms;

/// `bytes` as an array of exactly `N`.
pub(crate) fn exactly<const N: usize>(
    what: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], ParseError> {
    <[u8; N]>::try_from(bytes).map_err(|_too_few_or_many| ParseError::Length {
        what,
        expected: N,
        found: bytes.len(),
    })
}
