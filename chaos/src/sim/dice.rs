//! Where every random number of a run comes from: one stream a concern, so that one more draw for
//! the network does not change what the bakers do.

use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// What numbers are drawn for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Concern {
    /// What kind of schedule this is, and its parameters.
    Plan,
    /// Which fault comes when, and whom it hits.
    Nemesis,
    /// Delays, losses and duplicates of one direction between two nodes.
    Network,
    /// How long a disk takes, and what a power cut leaves of it.
    Disk,
    /// What a baker asks, and where.
    Baker,
    /// What the operator orders.
    Operator,
    /// How long a signer takes, how it fails, and its nonces.
    Signer,
    /// What the product itself draws: election timeouts, boot nonces, keys.
    Product,
}

/// One stream of numbers.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of `seed` for the `index`-th of those that share a concern.
    #[must_use]
    pub fn new(seed: u64, concern: Concern, index: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(
            concern
                .number()
                .saturating_mul(STREAMS)
                .saturating_add(index),
        );
        Self(rng)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..=high.max(low))
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.between(1, 1000) <= per_mille
    }

    /// A time from `low` to `high` microseconds.
    pub fn micros(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.between(low, high))
    }

    /// A time from `low` to `high` milliseconds.
    pub fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    /// One of several; none of none.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let last = u64::try_from(all.len()).ok()?.checked_sub(1)?;
        all.get(usize::try_from(self.between(0, last)).ok()?)
    }

    /// One of several, each as often as its weight says; none if all weights are zero.
    pub fn weighted<'a, T>(&mut self, all: &'a [(u64, T)]) -> Option<&'a T> {
        let total = all.iter().map(|(weight, _)| *weight).sum::<u64>();
        let mut left = self.between(0, total.checked_sub(1)?);
        for (weight, one) in all {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return Some(one),
            }
        }
        None
    }

    /// Bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        self.0.random()
    }

    /// The generator itself, for whoever takes one.
    pub fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }
}

impl Concern {
    const fn number(self) -> u64 {
        match self {
            Self::Plan => 1,
            Self::Nemesis => 2,
            Self::Network => 3,
            Self::Disk => 4,
            Self::Baker => 5,
            Self::Operator => 6,
            Self::Signer => 7,
            Self::Product => 8,
        }
    }
}

/// Streams of one concern; no concern has as many users.
const STREAMS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_for_one_concern_does_not_change_the_next_draw_for_another() {
        let mut network = Dice::new(7, Concern::Network, 12);
        let mut baker = Dice::new(7, Concern::Baker, 1);
        let undisturbed: Vec<u64> = (0..8).map(|_| baker.between(0, 1000)).collect();
        let mut baker = Dice::new(7, Concern::Baker, 1);
        let disturbed = (0..8).map(|_| {
            network.between(0, 9);
            baker.between(0, 1000)
        });
        assert_eq!(disturbed.collect::<Vec<_>>(), undisturbed);
        let mut other = Dice::new(7, Concern::Baker, 2);
        let other: Vec<u64> = (0..8).map(|_| other.between(0, 1000)).collect();
        assert_ne!(other, undisturbed);
    }

    #[test]
    fn weights_are_kept_and_nothing_is_drawn_of_nothing() {
        let mut dice = Dice::new(1, Concern::Plan, 0);
        let drawn = (0..3000).filter(|_| dice.weighted(&[(1, 'a'), (2, 'b')]) == Some(&'b'));
        assert!((1800..2200).contains(&drawn.count()));
        assert_eq!(dice.weighted(&[(0, 'a')]), None);
        assert_eq!(dice.one_of::<u8>(&[]), None);
    }
}
