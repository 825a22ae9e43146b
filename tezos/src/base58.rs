//! Base58check: how Tezos spells keys, hashes and signatures.
//!
//! A word is base58(prefix, payload, first four bytes of SHA-256(SHA-256(prefix, payload))). The
//! prefixes are those of Octez (`src/lib_crypto/base58.ml`, `Prefix`).

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::ParseError;

/// The longest word has 142 characters (a BLS signature). Decoding takes time that grows with the
/// square of the length, so longer text is refused unread.
const LONGEST_TEXT: usize = 160;

const CHECKSUM: usize = 4;

/// The bytes that make a word start with its letters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefix(pub(crate) &'static [u8]);

impl Prefix {
    pub(crate) const CHAIN_ID: Self = Self(&[0x57, 0x52, 0x00]);

    pub(crate) const TZ1: Self = Self(&[0x06, 0xa1, 0x9f]);
    pub(crate) const TZ2: Self = Self(&[0x06, 0xa1, 0xa1]);
    pub(crate) const TZ3: Self = Self(&[0x06, 0xa1, 0xa4]);
    pub(crate) const TZ4: Self = Self(&[0x06, 0xa1, 0xa6]);

    pub(crate) const EDPK: Self = Self(&[0x0d, 0x0f, 0x25, 0xd9]);
    pub(crate) const SPPK: Self = Self(&[0x03, 0xfe, 0xe2, 0x56]);
    pub(crate) const P2PK: Self = Self(&[0x03, 0xb2, 0x8b, 0x7f]);
    pub(crate) const BLPK: Self = Self(&[0x06, 0x95, 0x87, 0xcc]);

    pub(crate) const EDSK_SEED: Self = Self(&[0x0d, 0x0f, 0x3a, 0x07]);
    pub(crate) const EDSK_PAIR: Self = Self(&[0x2b, 0xf6, 0x4e, 0x07]);
    pub(crate) const SPSK: Self = Self(&[0x11, 0xa2, 0xe0, 0xc9]);
    pub(crate) const P2SK: Self = Self(&[0x10, 0x51, 0xee, 0xbd]);
    pub(crate) const BLSK: Self = Self(&[0x03, 0x96, 0xc0, 0x28]);

    pub(crate) const EDESK: Self = Self(&[0x07, 0x5a, 0x3c, 0xb3, 0x29]);
    pub(crate) const SPESK: Self = Self(&[0x09, 0xed, 0xf1, 0xae, 0x96]);
    pub(crate) const P2ESK: Self = Self(&[0x09, 0x30, 0x39, 0x73, 0xab]);
    pub(crate) const BLESK: Self = Self(&[0x02, 0x05, 0x1e, 0x35, 0x19]);

    pub(crate) const EDSIG: Self = Self(&[0x09, 0xf5, 0xcd, 0x86, 0x12]);
    pub(crate) const SPSIG: Self = Self(&[0x0d, 0x73, 0x65, 0x13, 0x3f]);
    pub(crate) const P2SIG: Self = Self(&[0x36, 0xf0, 0x2c, 0x34]);
    pub(crate) const BLSIG: Self = Self(&[0x28, 0xab, 0x40, 0xcf]);
    pub(crate) const GENERIC_SIG: Self = Self(&[0x04, 0x82, 0x2b]);
}

/// The prefix and payload of a word whose checksum is right. Wiped when dropped, since the payload
/// may be a secret.
#[derive(Debug)]
pub(crate) struct Word {
    bytes: Zeroizing<[u8; LONGEST_TEXT]>,
    len: usize,
    what: &'static str,
}

impl Word {
    /// Decodes `text` and checks its checksum.
    pub(crate) fn decode(what: &'static str, text: &str) -> Result<Self, ParseError> {
        if text.len() > LONGEST_TEXT {
            return Err(ParseError::NotBase58 { what });
        }
        let mut bytes = Zeroizing::new([0; LONGEST_TEXT]);
        let total = bs58::decode(text)
            .onto(bytes.as_mut_slice())
            .map_err(|_not_in_the_alphabet| ParseError::NotBase58 { what })?;
        let len = total
            .checked_sub(CHECKSUM)
            .ok_or(ParseError::Checksum { what })?;
        let (body, rest) = bytes
            .split_at_checked(len)
            .ok_or(ParseError::Checksum { what })?;
        if rest.get(..CHECKSUM) != Some(checksum(body).as_slice()) {
            return Err(ParseError::Checksum { what });
        }
        Ok(Self { bytes, len, what })
    }

    /// The `N` bytes after `prefix`, if the word starts with it and has that length.
    pub(crate) fn payload<const N: usize>(&self, prefix: Prefix) -> Option<&[u8; N]> {
        self.bytes
            .get(..self.len)?
            .strip_prefix(prefix.0)?
            .try_into()
            .ok()
    }

    /// The error of a word that starts with none of the `expected` prefixes.
    pub(crate) fn unexpected(&self, expected: &'static str) -> ParseError {
        ParseError::Prefix {
            what: self.what,
            expected,
        }
    }
}

/// Spells `payload` as a word.
pub(crate) fn encode(prefix: Prefix, payload: &[u8]) -> String {
    let body = [prefix.0, payload].concat();
    bs58::encode([body.as_slice(), &checksum(&body)].concat()).into_string()
}

/// Spells a secret `payload`, and wipes every copy made on the way.
pub(crate) fn encode_secret(prefix: Prefix, payload: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new([prefix.0, payload].concat());
    let word = Zeroizing::new([body.as_slice(), &checksum(&body)].concat());
    // Text that never outgrows its buffer leaves no copy of itself behind.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_TEXT));
    #[expect(
        clippy::expect_used,
        reason = "a String grows as needed: there is no other error"
    )]
    bs58::encode(word.as_slice())
        .onto(&mut *text)
        .expect("a String has room");
    text
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let [first, second, third, fourth, ..] = <[u8; 32]>::from(Sha256::digest(Sha256::digest(body)));
    [first, second, third, fourth]
}
