/// Turns a value between zero and a maximum into a place on a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    max: u64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Zero is at `from`, the maximum at `to`. A maximum of zero counts as one.
    pub(super) fn new(max: u64, from: f64, to: f64) -> Self {
        Self {
            max: max.max(1),
            from,
            to,
        }
    }

    /// The place of a value. What lies beyond the maximum is put there.
    pub(super) fn at(self, value: u64) -> f64 {
        let part = float(value.min(self.max)) / float(self.max);
        (self.to - self.from).mul_add(part, self.from)
    }

    /// The value that the scale ends with.
    pub(super) const fn max(self) -> u64 {
        self.max
    }

    /// At most about six values from zero on that one likes to read: steps of 1, 2 or 5 times a
    /// power of ten.
    pub(super) fn ticks(self) -> Vec<u64> {
        let step = step(self.max, 6);
        (0..=6)
            .map(|number: u64| number.saturating_mul(step))
            .take_while(|value| *value <= self.max)
            .collect()
    }
}

/// The smallest step of 1, 2 or 5 times a power of ten with which so many reach the maximum.
pub(super) fn step(max: u64, count: u64) -> u64 {
    let mut unit: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let step = unit.saturating_mul(factor);
            if step.saturating_mul(count) >= max {
                return step;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// A coordinate, to a tenth of a pixel.
pub(super) fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// Exact up to 2^32, far beyond what is drawn (49 days in milliseconds).
fn float(value: u64) -> f64 {
    f64::from(u32::try_from(value).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_reaches_from_zero_to_its_maximum() {
        let scale = Scale::new(200, 10.0, 110.0);
        assert_eq!(px(scale.at(0)), "10.0");
        assert_eq!(px(scale.at(50)), "35.0");
        assert_eq!(px(scale.at(200)), "110.0");
        assert_eq!(px(scale.at(9_999)), "110.0");
        assert_eq!(px(Scale::new(0, 0.0, 1.0).at(0)), "0.0");
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(Scale::new(12_340, 0.0, 1.0).ticks(), [0, 5_000, 10_000]);
        assert_eq!(Scale::new(6, 0.0, 1.0).ticks(), [0, 1, 2, 3, 4, 5, 6]);
        for max in [1, 7, 99, 100, 101, 3_600_000, u64::MAX] {
            let ticks = Scale::new(max, 0.0, 1.0).ticks();
            assert!((2..=7).contains(&ticks.len()), "{max}: {ticks:?}");
        }
    }
}
