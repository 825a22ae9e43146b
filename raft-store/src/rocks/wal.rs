//! RocksDB's write-ahead logs, read by ourselves: how far each can be read.
//!
//! RocksDB cannot be asked. It names neither file nor place of a damage, and it takes a header of
//! zeros (a sector that never reached the disk) for the end of a 32 KiB block: it goes on with the
//! next block and tells nobody that records are missing between them.
//!
//! A log is a row of 32 KiB blocks of fragments: `CRC32C (4, masked) of kind and payload | length
//! of the payload (2) | kind (1) | payload`, integers little-endian. A record is one fragment or
//! several; it begins with the number of its first write (8) and how many writes it holds (4).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::disk;

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;
const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// One file, and what of it can be read.
#[derive(Debug)]
pub(super) struct Wal {
    pub(super) path: PathBuf,
    /// Bytes of the file.
    pub(super) length: usize,
    pub(super) readable: Readable,
}

/// The records from the start of a log up to the first that is not there whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Readable {
    /// Bytes.
    pub(super) end: usize,
    /// The number of the first write.
    pub(super) first: Option<u64>,
    /// The number of the last write.
    pub(super) last: Option<u64>,
}

/// Reads every write-ahead log in a folder, the oldest first.
pub(super) fn read_all(folder: &Path) -> io::Result<Vec<Wal>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| disk::at(folder, error))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_suffix(".log").map(str::parse::<u64>);
        if let Some(Ok(number)) = number {
            logs.push((number, path));
        }
    }
    logs.sort();
    let read = |(_number, path): (u64, PathBuf)| {
        let bytes = fs::read(&path).map_err(|error| disk::at(&path, error))?;
        Ok(Wal {
            length: bytes.len(),
            readable: scan(&bytes),
            path,
        })
    };
    logs.into_iter().map(read).collect()
}

fn scan(bytes: &[u8]) -> Readable {
    let mut readable = Readable::default();
    let mut begun: Option<Vec<u8>> = None;
    let mut start = 0_usize;
    for block in bytes.chunks(BLOCK) {
        let mut rest = block;
        // Less than a header at the end of a block is padding.
        while rest.len() >= HEADER {
            let Some((kind, payload, behind)) = fragment(rest) else {
                return readable;
            };
            rest = behind;
            let whole = match (kind, begun.take()) {
                (FULL, None) => Some(payload.to_vec()),
                (FIRST, None) => {
                    begun = Some(payload.to_vec());
                    None
                }
                (MIDDLE, Some(mut record)) => {
                    record.extend_from_slice(payload);
                    begun = Some(record);
                    None
                }
                (LAST, Some(mut record)) => {
                    record.extend_from_slice(payload);
                    Some(record)
                }
                // What RocksDB may say of the log itself: no write is in it.
                (9.., None) => Some(Vec::new()),
                _ => return readable,
            };
            if let Some(record) = whole {
                if kind <= LAST && readable.takes(&record).is_none() {
                    return readable;
                }
                readable.end = start.saturating_add(block.len().saturating_sub(rest.len()));
            }
        }
        start = start.saturating_add(block.len());
    }
    readable
}

/// Kind, payload and what is behind, if the fragment is whole.
fn fragment(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (sum, covered) = bytes.split_first_chunk::<4>()?;
    let (length, covered) = covered.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_le_bytes(*length));
    // The checksum is of kind and payload. Of zeros it is not zero: an empty sector is no fragment.
    let (checked, behind) = covered.split_at_checked(length.checked_add(1)?)?;
    let (&kind, payload) = checked.split_first()?;
    let sum = u32::from_le_bytes(*sum)
        .wrapping_sub(0xa282_ead8)
        .rotate_left(15);
    (crc32c::crc32c(checked) == sum).then_some((kind, payload, behind))
}

impl Readable {
    /// Takes one more record, if it follows on those before: numbers have no gap.
    fn takes(&mut self, record: &[u8]) -> Option<()> {
        let (number, rest) = record.split_first_chunk::<8>()?;
        let (count, _writes) = rest.split_first_chunk::<4>()?;
        let number = u64::from_le_bytes(*number);
        let next = number.checked_add(u64::from(u32::from_le_bytes(*count)))?;
        if self
            .last
            .is_some_and(|last| last.checked_add(1) != Some(number))
        {
            return None;
        }
        self.first.get_or_insert(number);
        self.last = Some(next.checked_sub(1)?);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(log: &mut Vec<u8>, kind: u8, payload: &[u8]) {
        let sum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload);
        let sum = sum.rotate_right(15).wrapping_add(0xa282_ead8);
        log.extend(sum.to_le_bytes());
        log.extend(u16::try_from(payload.len()).unwrap().to_le_bytes());
        log.push(kind);
        log.extend(payload);
    }

    fn record(number: u64, count: u32, size: usize) -> Vec<u8> {
        let mut record = number.to_le_bytes().to_vec();
        record.extend(count.to_le_bytes());
        record.resize(size, 7);
        record
    }

    /// Three records, of which the second goes over the end of a block.
    fn log() -> Vec<u8> {
        let mut log = Vec::new();
        put(&mut log, FULL, &record(5, 1, 100));
        let long = record(6, 3, 40_000);
        let (start, end) = long.split_at(BLOCK - 107 - HEADER);
        put(&mut log, FIRST, start);
        put(&mut log, LAST, end);
        put(&mut log, FULL, &record(9, 1, 100));
        log
    }

    #[test]
    fn a_whole_log_is_read_to_its_end_and_a_torn_one_to_its_last_whole_record_r8() {
        let whole = log();
        let all = Readable {
            end: whole.len(),
            first: Some(5),
            last: Some(9),
        };
        assert_eq!(scan(&whole), all);
        let third = whole.len() - 107;
        for length in (0..whole.len()).step_by(53) {
            let found = scan(&whole[..length]);
            let expected = match length {
                0..107 => (0, None),
                _ if length < third => (107, Some(5)),
                _ => (third, Some(8)),
            };
            assert_eq!((found.end, found.last), expected, "{length} bytes");
        }
    }

    #[test]
    fn a_flipped_byte_and_an_empty_sector_end_what_is_readable_r8() {
        let whole = log();
        for at in (0..whole.len()).step_by(97) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(scan(&flipped).end <= at, "byte {at}");
        }
        // RocksDB takes this for the end of the first block, and reads the third record.
        let mut emptied = whole;
        emptied[107..BLOCK].fill(0);
        assert_eq!(scan(&emptied).last, Some(5));
    }

    #[test]
    fn a_gap_in_the_numbers_ends_what_is_readable_r8() {
        let mut log = Vec::new();
        put(&mut log, FULL, &record(5, 2, 50));
        put(&mut log, FULL, &record(7, 0, 50));
        put(&mut log, FULL, &record(7, 1, 50));
        put(&mut log, FULL, &record(9, 1, 50));
        assert_eq!((scan(&log).end, scan(&log).last), (3 * 57, Some(7)));
    }
}
