//! The bytes of one file, sparse, in pages that the live and the durable image share until one of
//! them changes.

use std::{
    collections::BTreeMap,
    iter,
    ops::Range,
    sync::{Arc, LazyLock},
};

use crate::width::{index, wide};

/// Bytes in a page: the unit in which space is counted.
pub(crate) const PAGE: u64 = 4096;

/// The largest file: far above what memory holds, far below where offsets could overflow.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 44;

type Page = [u8; 4096];

static ZEROS: LazyLock<Arc<Page>> = LazyLock::new(|| Arc::new([0; 4096]));

/// The content of a file. What was never written reads as zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pages: BTreeMap<u64, Arc<Page>>,
    size: u64,
}

impl Content {
    /// The length of the file in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// How many pages are allocated, those beyond the end of the file included.
    pub(crate) fn pages(&self) -> u64 {
        wide(self.pages.len())
    }

    /// At most `length` bytes from `offset`, fewer at the end of the file.
    pub(crate) fn read(&self, offset: u64, length: u64) -> Vec<u8> {
        let end = offset.saturating_add(length).min(self.size);
        let mut bytes = Vec::with_capacity(index(end.saturating_sub(offset)));
        for piece in pieces(offset, end) {
            let page = self.pages.get(&piece.page).unwrap_or(&ZEROS);
            bytes.extend_from_slice(page.get(piece.within).unwrap_or_default());
        }
        bytes
    }

    /// Puts bytes at an offset; the file grows if they end beyond it.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset + wide(bytes.len());
        for piece in pieces(offset, end) {
            let from = bytes.get(piece.source).unwrap_or_default();
            self.page(piece.page, piece.within).copy_from_slice(from);
        }
        self.size = self.size.max(end);
    }

    /// Makes the file this long. Pages behind the new end are freed, those of a reservation too.
    pub(crate) fn truncate(&mut self, size: u64) {
        let kept = size.div_ceil(PAGE);
        self.pages.split_off(&kept);
        if size < self.size {
            self.blank(size, kept * PAGE);
        }
        self.size = size;
    }

    /// Allocates pages without a change to what is read (`fallocate`).
    pub(crate) fn reserve(&mut self, offset: u64, length: u64) {
        for piece in pieces(offset, offset + length) {
            self.pages
                .entry(piece.page)
                .or_insert_with(|| Arc::clone(&ZEROS));
        }
    }

    /// Zeroes a range and frees the pages that lie wholly in it (`FALLOC_FL_PUNCH_HOLE`).
    pub(crate) fn punch(&mut self, offset: u64, length: u64) {
        let end = offset + length;
        self.blank(offset, end.min(offset.next_multiple_of(PAGE)));
        self.blank(offset.max(end / PAGE * PAGE), end);
        let whole = offset.div_ceil(PAGE)..end / PAGE;
        if whole.start < whole.end {
            let mut tail = self.pages.split_off(&whole.start);
            self.pages.append(&mut tail.split_off(&whole.end));
        }
    }

    /// How many pages a write to this range would have to allocate.
    pub(crate) fn missing(&self, offset: u64, length: u64) -> u64 {
        if length == 0 {
            return 0;
        }
        let pages = offset / PAGE..(offset + length).div_ceil(PAGE);
        let present = wide(self.pages.range(pages.clone()).count());
        pages.end - pages.start - present
    }

    /// Zeroes a range in the pages that exist.
    fn blank(&mut self, from: u64, to: u64) {
        for piece in pieces(from, to) {
            if self.pages.contains_key(&piece.page) {
                self.page(piece.page, piece.within).fill(0);
            }
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a piece lies within its page by construction"
    )]
    fn page(&mut self, number: u64, within: Range<usize>) -> &mut [u8] {
        let page = self
            .pages
            .entry(number)
            .or_insert_with(|| Arc::clone(&ZEROS));
        &mut Arc::make_mut(page)[within]
    }
}

/// The part of a range that lies in one page.
struct Piece {
    page: u64,
    within: Range<usize>,
    source: Range<usize>,
}

fn pieces(offset: u64, end: u64) -> impl Iterator<Item = Piece> {
    let mut at = offset;
    iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let page = at / PAGE;
        let stop = end.min((page + 1) * PAGE);
        let piece = Piece {
            page,
            within: index(at % PAGE)..index(stop - page * PAGE),
            source: index(at - offset)..index(stop - offset),
        };
        at = stop;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same steps on a flat array, as the obvious implementation.
    fn flat(steps: &[(&str, u64, u64)]) -> (Vec<u8>, Content) {
        let (mut array, mut content) = (Vec::new(), Content::default());
        for (number, (step, offset, length)) in steps.iter().copied().enumerate() {
            let end = index(offset + length);
            match step {
                "write" => {
                    let bytes = vec![u8::try_from(number + 1).unwrap(); index(length)];
                    content.write(offset, &bytes);
                    array.resize(array.len().max(end), 0);
                    array[index(offset)..end].copy_from_slice(&bytes);
                }
                "truncate" => {
                    content.truncate(offset);
                    array.resize(index(offset), 0);
                }
                "punch" => {
                    content.punch(offset, length);
                    let stop = end.min(array.len());
                    array[index(offset).min(stop)..stop].fill(0);
                }
                "reserve" => content.reserve(offset, length),
                _ => panic!("no such step: {step}"),
            }
        }
        (array, content)
    }

    #[test]
    fn pages_read_as_a_flat_array_would() {
        let (array, content) = flat(&[
            ("write", 4000, 9000),
            ("reserve", 20_000, 8192),
            ("punch", 4096, 4096),
            ("write", 100, 5),
            ("punch", 5000, 6000),
            ("truncate", 9001, 0),
            ("truncate", 30_000, 0),
            ("write", 12_288, 4096),
            ("punch", 12_000, 100),
        ]);
        assert_eq!(content.size(), 30_000);
        assert_eq!(content.read(0, 40_000), array);
        assert_eq!(content.read(8000, 3000), array[8000..11_000]);
        assert!(content.read(50_000, 10).is_empty());
    }

    #[test]
    fn space_is_counted_in_pages_and_freed_by_truncate_and_punch() {
        let (_, mut content) = flat(&[("write", 0, 10_000), ("reserve", 12_288, 8192)]);
        assert_eq!(content.pages(), 5);
        assert_eq!(content.missing(0, 30_000), 3);
        content.punch(0, 8192);
        assert_eq!(content.pages(), 3);
        content.truncate(1);
        assert_eq!(content.pages(), 0);
    }
}
