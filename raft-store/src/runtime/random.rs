//! Random numbers of openraft: the system's, or in a simulation those of its seed.

use std::cell::Cell;
use std::convert::Infallible;

use openraft::AsyncRuntime as _;
use openraft_rt_tokio::TokioRuntime;
use rand::{Rng as _, SeedableRng as _, TryRng};
use rand_chacha::ChaCha8Rng;

thread_local! {
    /// The seed of the next generator, while a simulation runs in this thread.
    static NEXT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// While this lives, the random numbers of openraft in this thread follow from the seed.
#[derive(Debug)]
#[must_use = "the seed is in force until this is dropped"]
pub struct Seeded {
    before: Option<u64>,
    // Not `Send`: it ends the seed of the thread that set it.
    _thread: std::marker::PhantomData<*const ()>,
}

/// Derives the random numbers of openraft in this thread from `seed`.
///
/// They only spread election timeouts, so that a seed known to all is no danger; nothing secret is
/// drawn from them.
pub fn seed(seed: u64) -> Seeded {
    let before = NEXT.replace(Some(seed));
    Seeded {
        before,
        _thread: std::marker::PhantomData,
    }
}

impl Drop for Seeded {
    fn drop(&mut self) {
        NEXT.set(self.before);
    }
}

/// A generator as openraft asks for one at each draw.
#[derive(Debug)]
pub enum Random {
    /// The system's.
    System(<TokioRuntime as openraft::AsyncRuntime>::ThreadLocalRng),
    /// A simulation's. Boxed: it is much larger, and only simulations have it.
    Seeded(Box<ChaCha8Rng>),
}

impl Random {
    /// The next generator of this thread.
    #[must_use]
    pub fn of_this_thread() -> Self {
        match NEXT.get() {
            None => Self::System(TokioRuntime::thread_rng()),
            Some(seed) => {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                NEXT.set(Some(random.next_u64()));
                Self::Seeded(Box::new(random))
            }
        }
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        match self {
            Self::System(random) => random.try_next_u32(),
            Self::Seeded(random) => random.try_next_u32(),
        }
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        match self {
            Self::System(random) => random.try_next_u64(),
            Self::Seeded(random) => random.try_next_u64(),
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match self {
            Self::System(random) => random.try_fill_bytes(bytes),
            Self::Seeded(random) => random.try_fill_bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws() -> [u64; 3] {
        [(); 3].map(|()| Random::of_this_thread().next_u64())
    }

    #[test]
    fn one_seed_gives_one_sequence_and_another_seed_another() {
        let (first, again, other) = {
            let first = {
                let _seeded = seed(7);
                draws()
            };
            let again = {
                let _seeded = seed(7);
                draws()
            };
            let other = {
                let _seeded = seed(8);
                draws()
            };
            (first, again, other)
        };
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_ne!(first[0], first[1], "a sequence, not one number");
    }

    #[test]
    fn without_a_seed_the_numbers_are_the_systems() {
        let seeded = seed(7);
        drop(seeded);
        assert!(matches!(Random::of_this_thread(), Random::System(_)));
        assert_ne!(draws(), draws());
    }
}
