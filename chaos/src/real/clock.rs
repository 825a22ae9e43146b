//! The clock that every process of this machine shares.

use rustix::time::{ClockId, clock_gettime};

/// Microseconds of `CLOCK_MONOTONIC`: it never steps back, and it is the one that the nodes' audit
/// files tell.
pub(crate) fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let micros = u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000;
    seconds.saturating_mul(1_000_000).saturating_add(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_microseconds_and_never_back() {
        let before = std::time::Instant::now();
        let first = now_us();
        while before.elapsed().as_millis() < 2 {}
        let passed = now_us() - first;
        assert!((1_900..2_000_000).contains(&passed), "{passed}");
    }
}
