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

    /// Whether an optional field is there: 0x00 for no, 0xff for yes.
    pub(super) fn presence(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        let at = self.at;
        match self.u8(field)? {
            0x00 => Ok(false),
            0xff => Ok(true),
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

/// Writes the 32-bit length of `bytes`, then `bytes`.
pub(super) fn write_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    // What was read had a 32-bit length, so what is written has one too.
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(bytes);
}
