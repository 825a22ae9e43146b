//! The one place where bytes become values, on disk and between nodes.
//!
//! Frame: `FORMAT (1) | CRC32C (4, little-endian) of FORMAT and body | body`, the body in bincode 2
//! (standard configuration: variable-length integers, little-endian).
//!
//! bincode goes by position: a struct is changed, or a variant inserted, only together with
//! [`FORMAT`]; appending a variant to an enum is the one change that keeps old bytes readable.
//! `tests/store_codec.rs` holds the golden bytes.
//!
//! **Invariant:** no type of openraft's is ever serialised. openraft is built without its serde
//! feature and an alpha may reorder fields; what goes out is the form in [`wire`].

pub mod rpc;
pub mod wire;

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use self::{
    rpc::{Request, Response},
    wire::Wire,
};

/// The one format this version writes, the first byte of every frame.
pub const FORMAT: u8 = 1;

/// Size limit of a frame in bytes, in both directions: 4 MiB.
pub const MAX_FRAME: usize = 4 << 20;

const HEADER: usize = 5;

/// Why bytes were not understood, or a value not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Above [`MAX_FRAME`].
    #[error("frame of {0} bytes, the limit is {MAX_FRAME}")]
    TooLarge(usize),
    /// Not even a header.
    #[error("frame of {0} bytes is cut off")]
    Short(usize),
    /// Written by a version that this one does not know.
    #[error("format {0} is unknown, this version reads format {FORMAT}")]
    Format(u8),
    /// The bytes are not the ones that were written.
    #[error("checksum mismatch")]
    Checksum,
    /// Intact bytes that are no value of the expected type.
    #[error("undecodable body: {0}")]
    Body(String),
    /// Intact bytes, with something after the value.
    #[error("{0} bytes after the value")]
    Trailing(usize),
    /// A membership that openraft itself calls invalid.
    #[error("invalid membership: {0}")]
    Membership(String),
}

/// Encodes one of our own values as a frame.
///
/// # Errors
/// [`CodecError::TooLarge`] above 4 MiB, [`CodecError::Body`] if `T` cannot be expressed.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut frame = vec![0; HEADER];
    bincode::serde::encode_into_std_write(value, &mut frame, config())
        .map_err(|error| CodecError::Body(error.to_string()))?;
    let size = frame.len();
    let (header, body) = frame
        .split_at_mut_checked(HEADER)
        .ok_or(CodecError::Short(size))?;
    if size > MAX_FRAME {
        return Err(CodecError::TooLarge(size));
    }
    let [one, two, three, four] = checksum(body);
    header.copy_from_slice(&[FORMAT, one, two, three, four]);
    Ok(frame)
}

/// Decodes a frame that [`encode`] made.
///
/// # Errors
/// Any [`CodecError`]: every change of a byte, every cut and every extension is refused.
pub fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, CodecError> {
    let body = verify(frame)?;
    let (value, used) = bincode::serde::decode_from_slice(body, config())
        .map_err(|error| CodecError::Body(error.to_string()))?;
    match body.len().saturating_sub(used) {
        0 => Ok(value),
        rest => Err(CodecError::Trailing(rest)),
    }
}

/// Checks size, format and checksum of a frame, and gives its body.
///
/// # Errors
/// As [`decode`], without looking into the body.
pub fn verify(frame: &[u8]) -> Result<&[u8], CodecError> {
    if frame.len() > MAX_FRAME {
        return Err(CodecError::TooLarge(frame.len()));
    }
    let (header, body) = frame
        .split_at_checked(HEADER)
        .ok_or(CodecError::Short(frame.len()))?;
    match header {
        [FORMAT, sum @ ..] if *sum == checksum(body) => Ok(body),
        [FORMAT, ..] => Err(CodecError::Checksum),
        [other, ..] => Err(CodecError::Format(*other)),
        [] => Err(CodecError::Short(frame.len())),
    }
}

/// [`encode`] for a type of openraft's, by way of our own form of it.
///
/// # Errors
/// As [`encode`].
pub fn encode_wire<T: Wire>(value: &T) -> Result<Vec<u8>, CodecError> {
    encode(&value.to_wire())
}

/// [`decode`] for a type of openraft's.
///
/// # Errors
/// As [`decode`], and what the type itself refuses (an invalid membership).
pub fn decode_wire<T: Wire>(frame: &[u8]) -> Result<T, CodecError> {
    T::from_wire(decode(frame)?)
}

/// For `#[serde(with = "codec::as_wire")]` on a field of openraft's type in one of our structs.
pub mod as_wire {
    use super::{Deserialize, Serialize, Wire};
    use serde::{Deserializer, Serializer, de::Error as _};

    /// Serialises the wire form.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<T: Wire, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.to_wire().serialize(serializer)
    }

    /// Deserialises the wire form and checks it.
    ///
    /// # Errors
    /// Those of the deserializer, and what the type itself refuses.
    pub fn deserialize<'de, T: Wire, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        T::from_wire(T::Form::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// What is written with a checksum but may exceed a frame: the CRC32C of several pieces in order.
pub(crate) fn checksum_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    pieces.into_iter().fold(0, crc32c::crc32c_append)
}

fn checksum(body: &[u8]) -> [u8; 4] {
    checksum_of([&[FORMAT], body]).to_le_bytes()
}

/// bincode applies the limit when it decodes only; [`encode`] checks the size itself.
fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_FRAME>()
}

/// Bytes in a `Debug` line: their number, never themselves.
pub(crate) struct Length(pub(crate) usize);

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}
