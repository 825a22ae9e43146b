//! Levels up to which nothing may be signed, each from a line on.

/// The highest so far, by line.
#[derive(Default)]
pub(super) struct Levels(Vec<(usize, i64)>);

impl Levels {
    /// From `line`, which is the last so far, nothing up to `level`.
    pub(super) fn add(&mut self, line: usize, level: i64) {
        let highest = self
            .0
            .last()
            .map_or(level, |(_, highest)| level.max(*highest));
        self.0.push((line, highest));
    }

    /// The level that bars `level` before `line`, and since when it does.
    pub(super) fn at_or_above(&self, level: i64, line: usize) -> Option<(usize, i64)> {
        let barring = self.0.partition_point(|(_, highest)| *highest < level);
        self.0
            .get(barring)
            .copied()
            .filter(|(since, _)| *since < line)
    }
}
