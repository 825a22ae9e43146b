//! The bytes of a snapshot: own layout, checksummed, and never one that lets anything fall.
//!
//! Layout: `QRSN`, format (u16 LE), SHA-256 of all that follows, then the last applied entry (one
//! frame) and every row (key and value, one frame), each frame with its length (u32 LE) before it.
//! Rows have a frame each, so that the codec's limit is one on a row, not on the state.

use std::io;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::rows::{self, damaged};
use crate::codec;
use crate::state::{Key, Mark, Stamp, State};
use crate::types::{LogId, SnapshotMeta};

const MAGIC: &[u8; 4] = b"QRSN";
const FORMAT: u16 = 1;
const CHECKSUM_LEN: usize = 32;

/// The last entry that the snapshot holds, as in its own metadata: they are compared.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Reach {
    last: Option<(u64, u64)>,
}

impl Reach {
    fn of(last: Option<LogId>) -> Self {
        Self {
            last: last.map(|id| (id.leader_id.term, id.index)),
        }
    }
}

/// The snapshot of `state`, which has applied everything up to `last`.
pub(super) fn write(last: Option<LogId>, state: &State) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    push(&mut body, &Reach::of(last))?;
    #[cfg(feature = "mutants")]
    let state = &stale(state);
    for (key, value) in rows::write_all(state)? {
        push(&mut body, &(ByteBuf::from(key), ByteBuf::from(value)))?;
    }
    let checksum = ring::digest::digest(&ring::digest::SHA256, &body);
    Ok([
        MAGIC.as_slice(),
        &FORMAT.to_le_bytes(),
        checksum.as_ref(),
        &body,
    ]
    .concat())
}

/// The state from a moment before, if the mutant is active.
#[cfg(feature = "mutants")]
fn stale(state: &State) -> State {
    use crate::mutant::{Mutant, active};
    let mut state = state.clone();
    if active(Mutant::SnapshotWithStaleMark) {
        let marks = state
            .keys
            .values_mut()
            .flat_map(|key| key.marks.values_mut());
        for mark in marks {
            let below = mark.slot.level.get().saturating_sub(1);
            mark.slot.level = tezos::Level::new(below).unwrap_or(mark.slot.level);
        }
    }
    state
}

/// The state in a snapshot that `meta` describes.
pub(super) fn read(meta: &SnapshotMeta, bytes: &[u8]) -> io::Result<State> {
    let body = check(bytes)?;
    let mut frames = Frames(body);
    let reach: Reach = frames.next()?.ok_or_else(|| broken("it is empty"))?;
    if reach != Reach::of(meta.last_log_id) {
        return Err(broken(
            "it does not reach the entry that it was announced with",
        ));
    }
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    while let Some((key, value)) = frames.next::<(ByteBuf, ByteBuf)>()? {
        rows.push((key.into_vec(), value.into_vec()));
    }
    rows::read(&rows)
}

/// The state only ever rises, so a snapshot that would lower anything comes from another history:
/// installing it would allow what was signed to be signed again (R2).
pub(super) fn refuse_if_anything_falls(ours: &State, theirs: &State) -> io::Result<()> {
    for (hash, key) in &ours.keys {
        let Some(incoming) = theirs.keys.get(hash) else {
            return Err(damaged(format_args!(
                "a snapshot without key {hash}, which is enrolled here"
            )));
        };
        if incoming.generation < key.generation {
            let (from, to) = (key.generation, incoming.generation);
            return Err(damaged(format_args!(
                "a snapshot that moves key {hash} from generation {from} back to {to}"
            )));
        }
        refuse_if_a_mark_falls(key, incoming)?;
    }
    if theirs.format < ours.format {
        return Err(damaged(format_args!(
            "a snapshot that moves the cluster from format {} back to {}",
            ours.format, theirs.format
        )));
    }
    Ok(())
}

fn refuse_if_a_mark_falls(ours: &Key, theirs: &Key) -> io::Result<()> {
    let hash = ours.public_key.hash();
    for ((chain, kind), mark) in &ours.marks {
        let incoming = theirs.marks.get(&(*chain, *kind));
        if !incoming.is_some_and(|incoming| holds_all_of(mark, incoming)) {
            let slot = incoming.map_or_else(|| "nothing".to_owned(), |m| m.slot.to_string());
            return Err(damaged(format_args!(
                "a snapshot that lowers or changes the mark of key {hash}, chain {chain}, kind {kind} from \
                 {} to {slot}: do not delete anything, the node that sent it has lost entries",
                mark.slot
            )));
        }
    }
    Ok(())
}

/// Whether `incoming` forbids everything that `mark` forbids, and still knows its signature.
fn holds_all_of(mark: &Mark, incoming: &Mark) -> bool {
    if mark.slot != incoming.slot {
        return mark.slot < incoming.slot;
    }
    match (&mark.stamp, &incoming.stamp) {
        (_, Stamp::Burnt) => true,
        (Stamp::Burnt, Stamp::Signed { .. }) => false,
        (
            Stamp::Signed { digest, signature },
            Stamp::Signed {
                digest: their_digest,
                signature: their_signature,
            },
        ) => digest == their_digest && (signature.is_none() || signature == their_signature),
    }
}

fn check(bytes: &[u8]) -> io::Result<&[u8]> {
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| broken("it does not start with QRSN"))?;
    let (format, rest) = rest
        .split_first_chunk::<2>()
        .ok_or_else(|| broken("it is cut off"))?;
    let format = u16::from_le_bytes(*format);
    if format != FORMAT {
        return Err(broken(&format!(
            "it is of format {format}, this version reads {FORMAT}"
        )));
    }
    let (checksum, body) = rest
        .split_first_chunk::<CHECKSUM_LEN>()
        .ok_or_else(|| broken("it is cut off"))?;
    if ring::digest::digest(&ring::digest::SHA256, body).as_ref() != checksum {
        return Err(broken("its checksum does not match"));
    }
    Ok(body)
}

fn push<T: Serialize>(body: &mut Vec<u8>, value: &T) -> io::Result<()> {
    let frame = codec::encode(value).map_err(io::Error::other)?;
    let len = u32::try_from(frame.len()).map_err(io::Error::other)?;
    body.extend_from_slice(&len.to_le_bytes());
    body.extend_from_slice(&frame);
    Ok(())
}

/// The frames that are left.
struct Frames<'a>(&'a [u8]);

impl Frames<'_> {
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let cut_off = || broken("it is cut off");
        let (len, rest) = self.0.split_first_chunk::<4>().ok_or_else(cut_off)?;
        let len = usize::try_from(u32::from_le_bytes(*len)).map_err(io::Error::other)?;
        let (frame, rest) = rest.split_at_checked(len).ok_or_else(cut_off)?;
        self.0 = rest;
        codec::decode(frame)
            .map(Some)
            .map_err(|cause| broken(&cause.to_string()))
    }
}

fn broken(why: &str) -> io::Error {
    damaged(format_args!("a snapshot cannot be read: {why}"))
}
