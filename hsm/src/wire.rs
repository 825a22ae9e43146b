//! What crosses the socket between a node and the process that holds its module.
//!
//! A frame is: the length of the words, the length of the bytes, the words in JSON, the bytes. PINs
//! and secrets travel as the bytes, so that they are never in a string that a parser copies, and
//! are cleared on both sides.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tezos::PublicKey;
use zeroize::Zeroizing;

use crate::ceremony::{Outcome, Step};
use crate::{KeyName, TokenName, Trouble};

/// No frame is longer, in words or in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 1 << 20;

/// How many signatures a module is asked for at once, for so many sessions.
pub(crate) const fn at_once(sessions: usize) -> usize {
    match sessions {
        0 => 1,
        1..AT_ONCE_MAX => sessions,
        _ => AT_ONCE_MAX,
    }
}

/// No module is asked for more at once.
pub(crate) const AT_ONCE_MAX: usize = 16;

/// A question, with the number that its answer bears.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Question {
    pub(crate) number: u64,
    pub(crate) ask: Ask,
}

/// What a node asks.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Ask {
    /// Load the module and find the token; asked again, close every session and find it again.
    Open { module: PathBuf, token: TokenName },
    /// Log in; the PIN is the bytes.
    Login,
    /// Find these keys, have each prove itself, and keep this many sessions.
    Keys {
        wanted: Vec<KeyName>,
        sessions: usize,
    },
    /// Sign a digest, the bytes, with the key of this number in the last answer to `Keys`.
    Sign { key: usize },
    /// Is the session there, and are the keys?
    Check,
    /// Make, copy or use what only people ask for. Boxed: a package is longer than a signature.
    Ceremony(Box<Step>),
}

/// An answer.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Answer {
    pub(crate) number: u64,
    pub(crate) said: Result<Said, Trouble>,
}

/// What a question is answered with.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Said {
    /// To `Open`.
    Opened(Token),
    /// To `Login`, `Check`.
    Well,
    /// To `Keys`: one for each that was found or named.
    Keys(Vec<Found>),
    /// To `Sign`: the bytes are what `C_Sign` gave.
    Signed,
    /// To `Ceremony`.
    Ceremony(Box<Outcome>),
}

/// The token that was found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Token {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Its manufacturer.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// The number of its slot, in this process.
    pub slot: u64,
    /// What it says of its user PIN.
    pub pin: PinState,
}

/// What a token says of its user PIN (`CK_TOKEN_INFO.flags`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum PinState {
    /// Nothing worrying. A wrong one may have been tried since the last right one.
    Fine,
    /// One more wrong one locks it (`CKF_USER_PIN_FINAL_TRY`).
    FinalTry,
    /// It is locked (`CKF_USER_PIN_LOCKED`).
    Locked,
    /// It was never set (`CKF_USER_PIN_INITIALIZED` is not).
    Missing,
}

/// A key that was looked for.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Found {
    /// How it was named, or what it is called in the token.
    pub name: KeyName,
    /// The key, or why it is of no use.
    pub key: Result<Key, Trouble>,
}

/// A key that proved itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Key {
    /// Its number in `Ask::Sign`.
    pub number: usize,
    /// Its public key, as the token has it.
    pub public_key: PublicKey,
}

/// Writes one frame.
pub(crate) fn write(out: &mut impl Write, words: &impl Serialize, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&encode(words, bytes)?)
}

/// One frame as bytes.
pub(crate) fn encode(words: &impl Serialize, bytes: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let words = serde_json::to_vec(words)?;
    let length = |part: &[u8]| {
        u32::try_from(part.len())
            .ok()
            .filter(|_| part.len() <= FRAME_BYTES_MAX)
            .map(u32::to_le_bytes)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"))
    };
    let lengths = [length(&words)?, length(bytes)?].concat();
    // Reserved whole, so that a secret is not left behind where the buffer was before it grew.
    let whole = [lengths.len(), words.len(), bytes.len()];
    let mut frame = Zeroizing::new(Vec::with_capacity(whole.iter().sum()));
    frame.extend_from_slice(&lengths);
    frame.extend_from_slice(&words);
    frame.extend_from_slice(bytes);
    Ok(frame)
}

/// The two lengths at the head of a frame.
pub(crate) fn lengths(head: [u8; 8]) -> io::Result<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = head;
    let length = |part| usize::try_from(u32::from_le_bytes(part)).unwrap_or(usize::MAX);
    let (words, bytes) = (length([a, b, c, d]), length([e, f, g, h]));
    match words.max(bytes) > FRAME_BYTES_MAX {
        true => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame is too long",
        )),
        false => Ok((words, bytes)),
    }
}

/// Reads one frame; `None` at the end.
pub(crate) fn read<T: DeserializeOwned>(
    from: &mut impl Read,
) -> io::Result<Option<(T, Zeroizing<Vec<u8>>)>> {
    let mut head = [0; 8];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let (words, bytes) = lengths(head)?;
    let mut text = vec![0; words];
    from.read_exact(&mut text)?;
    let mut hidden = Zeroizing::new(vec![0; bytes]);
    from.read_exact(&mut hidden)?;
    Ok(Some((serde_json::from_slice(&text)?, hidden)))
}
