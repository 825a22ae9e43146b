//! Reads fields one after the other and says where each one was.
//!
//! **Invariant:** nothing is read past the end, nothing is skipped, and no length is believed before
//! that many bytes are there.

use super::DecodeError;
use crate::{Curve, PublicKey, PublicKeyHash};

#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    /// Where the next field starts.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    pub(super) fn slice(
        &mut self,
        field: &'static str,
        count: usize,
    ) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            let missing = count.saturating_sub(self.rest.len());
            return Err(DecodeError::Truncated {
                field,
                at: self.at,
                missing,
            });
        };
        self.rest = rest;
        self.at = self.at.saturating_add(count);
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(field, N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// A level, a round or a voting period: 32 bits with a sign that must not be there.
    pub(super) fn height<T: TryFrom<u32>>(
        &mut self,
        field: &'static str,
    ) -> Result<T, DecodeError> {
        let at = self.at;
        T::try_from(self.u32(field)?).map_err(|_above_i32_max| DecodeError::Negative { field, at })
    }

    /// An optional field: 0x00 if it is absent, 0xff and then the field if it is there.
    pub(super) fn optional<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        let at = self.at;
        match self.u8(field)? {
            0x00 => Ok(None),
            0xff => read(self).map(Some),
            found => Err(DecodeError::Presence { field, at, found }),
        }
    }

    /// As many bytes as the 32-bit length before them says.
    pub(super) fn sized(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let at = self.at;
        let length = self.u32(field)?;
        // A length that this machine cannot address is longer than any message.
        let Ok(count) = usize::try_from(length) else {
            return Err(DecodeError::Truncated {
                field,
                at,
                missing: usize::MAX,
            });
        };
        self.slice(field, count)
    }

    /// The 21 bytes of a public key hash.
    pub(super) fn public_key_hash(
        &mut self,
        field: &'static str,
    ) -> Result<PublicKeyHash, DecodeError> {
        let at = self.at;
        let bytes: [u8; PublicKeyHash::LEN] = self.array(field)?;
        PublicKeyHash::from_bytes(&bytes).map_err(|_unknown_curve| {
            let [found, ..] = bytes;
            DecodeError::Unknown {
                field,
                at,
                found,
                known: "the curves 0 (tz1) to 3 (tz4)",
            }
        })
    }

    /// A public key after the tag of its curve.
    pub(super) fn public_key(&mut self) -> Result<PublicKey, DecodeError> {
        let (field, at) = ("public key", self.at);
        let found = self.u8(field)?;
        let curve = Curve::from_code(found).map_err(|_unknown| DecodeError::Unknown {
            field,
            at,
            found,
            known: "the curves 0 (tz1) to 3 (tz4)",
        })?;
        PublicKey::from_raw(curve, self.slice(field, curve.public_key_len())?)
            .map_err(|_not_a_point| DecodeError::Point { field, at, curve })
    }

    /// Checks that nothing is left.
    pub(super) const fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing {
                at: self.at,
                count: self.rest.len(),
            })
        }
    }
}

/// Writes 0x00 for an absent field, 0xff and the field for one that is there.
pub(super) fn write_optional<T>(
    out: &mut Vec<u8>,
    field: Option<&T>,
    write: impl FnOnce(&mut Vec<u8>, &T),
) {
    match field {
        None => out.push(0x00),
        Some(field) => {
            out.push(0xff);
            write(out, field);
        }
    }
}

/// Writes the 32-bit length of `bytes`, then `bytes`: they were read after such a length, so the
/// upper half of a 64-bit length is zero.
pub(super) fn write_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    let [.., a, b, c, d] = bytes.len().to_be_bytes();
    out.extend([a, b, c, d]);
    out.extend(bytes);
}
