//! The load: two bakers that share every key and want another message at every slot.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use node::dev::deadline::wait_for;
use node::dev::message::consensus;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tezos::{Kind, Level, PublicKey, Round, Slot};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::baker::{Baker, Decision};
use super::failed::Failed;
use super::kit::{CHAIN, FLOOR};

/// A level of one key takes at least so long: 25 levels a second, a hundred times mainnet's pace.
const PACE: Duration = Duration::from_millis(40);

/// How many old messages a race remembers, to ask for one of them again much later.
const REMEMBERED: usize = 40;

/// How long a baker that is asked to stop may go on with what it has in its hands.
const STOP: Duration = Duration::from_secs(30);

/// The running bakers. Dropping it stops them at once.
#[derive(Debug)]
pub(crate) struct Load {
    bakers: [Baker; 2],
    seed: u64,
    stop: Arc<AtomicBool>,
    races: Vec<(PublicKey, Arc<Score>)>,
    tasks: JoinSet<()>,
}

/// What came of the slots of one key.
#[derive(Debug, Default)]
struct Score {
    /// Slots of which one message was signed.
    won: AtomicUsize,
    /// Slots of which both messages were refused, though nothing later was asked yet.
    denied: AtomicUsize,
    /// Messages that nobody decided for as long as the baker asked.
    undecided: AtomicUsize,
}

/// One key's slots, one after the other.
struct Race {
    key: PublicKey,
    bakers: [Baker; 2],
    random: ChaCha8Rng,
    old: VecDeque<Vec<u8>>,
    score: Arc<Score>,
}

impl Load {
    /// Bakers without a key yet.
    pub(crate) fn new(bakers: [Baker; 2], seed: u64) -> Self {
        Self {
            bakers,
            seed,
            stop: Arc::default(),
            races: Vec::new(),
            tasks: JoinSet::new(),
        }
    }

    /// They bake with this key too from now on.
    pub(crate) fn bake_with(&mut self, key: &PublicKey) {
        let number = u64::try_from(self.races.len()).unwrap_or_default();
        let score = Arc::<Score>::default();
        let race = Race {
            key: key.clone(),
            bakers: self.bakers.clone(),
            random: ChaCha8Rng::seed_from_u64(self.seed ^ number.rotate_left(32)),
            old: VecDeque::new(),
            score: Arc::clone(&score),
        };
        self.races.push((key.clone(), score));
        self.tasks.spawn(race.run(Arc::clone(&self.stop)));
    }

    /// How many slots have a winner.
    pub(crate) fn won(&self) -> usize {
        let won = self
            .races
            .iter()
            .map(|(_, score)| score.won.load(Ordering::Relaxed));
        won.sum()
    }

    /// Waits until so many more slots of every key have a winner.
    ///
    /// # Errors
    /// If they have not within `limit`.
    pub(crate) async fn each_wins(&self, more: usize, limit: Duration) -> Result<(), Failed> {
        let wanted: Vec<_> = self
            .races
            .iter()
            .map(|(key, score)| {
                let now = score.won.load(Ordering::Relaxed);
                (key, score, now.saturating_add(more))
            })
            .collect();
        let what = format!("{more} more slots signed with every key");
        let look = || async {
            let late = wanted
                .iter()
                .find(|(_, score, wanted)| score.won.load(Ordering::Relaxed) < *wanted);
            match late {
                None => Ok(()),
                Some((key, score, wanted)) => Err(format!(
                    "{} of {wanted} with {}",
                    score.won.load(Ordering::Relaxed),
                    key.hash()
                )),
            }
        };
        Ok(wait_for(&what, limit, look).await?)
    }

    /// Lets every baker finish the slot that it is at.
    ///
    /// # Errors
    /// If one does not, or a slot was denied to both bakers.
    pub(crate) async fn stop(&mut self) -> Result<(), Failed> {
        self.stop.store(true, Ordering::Relaxed);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP, all).await.is_err() {
            return Err(Failed::step("a baker did not come to an end"));
        }
        for (key, score) in &self.races {
            let denied = score.denied.load(Ordering::Relaxed);
            if denied > 0 {
                let words = format!(
                    "{denied} slots of {} were refused to both bakers, though nothing later had \
                     been asked",
                    key.hash()
                );
                return Err(Failed::step(words));
            }
        }
        Ok(())
    }
}

impl Race {
    async fn run(mut self, stop: Arc<AtomicBool>) {
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut level = Level::new(FLOOR);
        let kinds = Kind::ALL.iter().cycle();
        for kind in kinds {
            let Some(here) = level.filter(|_| !stop.load(Ordering::Relaxed)) else {
                return;
            };
            pace.tick().await;
            self.slot(Slot::new(here, Round::default()), *kind).await;
            level = here.next();
        }
    }

    /// Both bakers want the slot at once; then one of the messages is asked for again, and now and
    /// then one of long ago.
    async fn slot(&mut self, slot: Slot, kind: Kind) {
        let curve = self.key.curve();
        let [mine, theirs] = [0, 1].map(|flavour| consensus(curve, kind, CHAIN, slot, flavour));
        let [first, second, third] = [0; 3].map(|_| self.random.random_range(0..3));
        let [one, other] = &self.bakers;
        let decided = tokio::join!(
            one.insist(first, &self.key, &mine),
            other.insist(second, &self.key, &theirs)
        );
        self.score.count(decided);
        let again = if self.random.random_bool(0.5) {
            &mine
        } else {
            &theirs
        };
        one.insist(third, &self.key, again).await;
        if self.random.random_bool(0.1)
            && let Some(old) = self.old.front()
        {
            other.insist(first, &self.key, old).await;
        }
        self.old.push_back(mine);
        self.old.push_back(theirs);
        while self.old.len() > REMEMBERED {
            self.old.pop_front();
        }
    }
}

impl Score {
    fn count(&self, decided: (Decision, Decision)) {
        let counter = match decided {
            (Decision::Signed, _) | (_, Decision::Signed) => &self.won,
            (Decision::Refused, Decision::Refused) => &self.denied,
            (Decision::Undecided, _) | (_, Decision::Undecided) => &self.undecided,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
