//! Numbers of variable length, as Octez writes them: seven bits a byte, least significant first, the
//! top bit set on every byte but the last (`data-encoding`, `N` and `Z`).
//!
//! Each number has exactly one form here: a last byte of zero after others is refused, as Octez
//! refuses it, since a second spelling of one message would be a second digest.

use super::DecodeError;
use super::reader::Reader;

const MORE: u8 = 0x80;
const SIGN: u8 = 0x40;

/// Reads an `N` of at most 63 bits: amounts, fees, counters, gas and storage limits.
pub(super) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<u64, DecodeError> {
    let at = reader.at();
    let mut value = 0_u64;
    for shift in (0_u32..).step_by(7) {
        let byte = reader.u8(field)?;
        let bits = u64::from(byte & !MORE);
        if shift > 56 {
            return Err(DecodeError::TooLarge { field, at });
        }
        value |= bits << shift;
        if byte & MORE == 0 {
            if byte == 0 && shift > 0 {
                return Err(DecodeError::Natural { field, at });
            }
            break;
        }
    }
    Ok(value)
}

/// Writes an `N`.
pub(super) fn write(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & !MORE);
            return;
        }
        out.push(low | MORE);
    }
}

/// A set of small numbers, which Octez writes as the `Z` whose bits they are. Kept as the bits,
/// least significant byte first, without zero bytes at the end.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Bits(Vec<u8>);

impl Bits {
    /// Reads a `Z` that is not negative. It is as long as its own bytes say.
    pub(super) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let at = reader.at();
        let not_natural = DecodeError::Natural { field, at };
        let mut bits = Packer::default();
        let first = reader.u8(field)?;
        if first & SIGN != 0 {
            return Err(not_natural);
        }
        bits.push(first & !(MORE | SIGN), 6);
        let mut byte = first;
        while byte & MORE != 0 {
            byte = reader.u8(field)?;
            if byte == 0 {
                return Err(not_natural);
            }
            bits.push(byte & !MORE, 7);
        }
        Ok(Self(bits.finish()))
    }

    /// Writes the `Z`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut groups = vec![self.bits(0, 6)];
        let total = self.0.len().saturating_mul(8);
        groups.extend((6..total).step_by(7).map(|from| self.bits(from, 7)));
        while groups.len() > 1 && groups.last() == Some(&0) {
            groups.pop();
        }
        let last = groups.len().saturating_sub(1);
        out.extend(groups.iter().enumerate().map(
            |(index, group)| {
                if index < last { group | MORE } else { *group }
            },
        ));
    }

    /// Whether `number` is in the set.
    pub(super) fn contains(&self, number: usize) -> bool {
        self.0
            .get(number / 8)
            .is_some_and(|byte| byte & (1 << (number % 8)) != 0)
    }

    /// The `count` bits (at most 7) from bit `from` on.
    fn bits(&self, from: usize, count: usize) -> u8 {
        (0..count)
            .filter(|offset| self.contains(from.saturating_add(*offset)))
            .fold(0, |group, offset| group | (1 << offset))
    }
}

/// Puts groups of six or seven bits into bytes.
#[derive(Default)]
struct Packer {
    bytes: Vec<u8>,
    pending: u16,
    held: u32,
}

impl Packer {
    fn push(&mut self, group: u8, width: u32) {
        self.pending |= u16::from(group) << self.held;
        self.held = self.held.saturating_add(width);
        if self.held >= 8 {
            let [low, high] = self.pending.to_le_bytes();
            self.bytes.push(low);
            self.pending = u16::from(high);
            self.held = self.held.saturating_sub(8);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let [low, _empty] = self.pending.to_le_bytes();
        self.bytes.push(low);
        while self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        self.bytes
    }
}
