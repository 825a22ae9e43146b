//! Numbers between the kernel's 64 bits and this machine's own width.

/// An offset or length as an index. More than an index can hold is more than any file may hold.
pub(crate) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// An index or length as 64 bits.
#[expect(
    clippy::expect_used,
    reason = "Rust has no target whose usize is wider than 64 bits"
)]
pub(crate) fn wide(number: usize) -> u64 {
    u64::try_from(number).expect("a usize has at most 64 bits")
}
