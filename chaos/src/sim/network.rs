//! The network between the nodes: every message has a delay, may be lost, come twice or overtake
//! another, and every direction between two machines can be cut by itself.
//!
//! What crosses it are the product's own requests, to the product's own router. TLS is not in it:
//! what TLS decides, whether each side has the key that the other one pins, is decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use node::peers::pins::PinSet;
use raft_store::types::Fingerprint;

use super::dice::{Concern, Dice};
use super::gate::Life;

/// A machine on the network. One that runs a copy of another's disk is a machine of its own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Machine(pub u64);

/// How messages fare.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Weather {
    /// The shortest and the longest delay of one way, in microseconds.
    pub delay_us: (u64, u64),
    /// How many of a thousand messages are lost.
    pub lost: u64,
    /// How many of a thousand requests come twice.
    pub twice: u64,
}

/// What becomes of one message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fate {
    /// When it comes, and once more when; never if it is lost.
    pub comes: Option<(Duration, Option<Duration>)>,
}

/// Where a process listens for its peers.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The machine.
    pub machine: Machine,
    /// The key of the process.
    pub key: Fingerprint,
    /// The process.
    pub life: Arc<Life>,
    /// Whose keys it lets in.
    pub pins: PinSet,
    /// What answers.
    pub app: Router,
}

/// The network.
#[derive(Debug)]
pub struct Network(Mutex<State>);

#[derive(Debug)]
struct State {
    seed: u64,
    weather: Weather,
    /// Directions that have a weather of their own.
    local: BTreeMap<(Machine, Machine), Weather>,
    cut: BTreeSet<(Machine, Machine)>,
    dice: BTreeMap<(Machine, Machine), Dice>,
    seats: BTreeMap<String, (u64, Seat)>,
    seated: u64,
}

impl Network {
    /// A network with this weather everywhere.
    #[must_use]
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self(Mutex::new(State {
            seed,
            weather,
            local: BTreeMap::new(),
            cut: BTreeSet::new(),
            dice: BTreeMap::new(),
            seats: BTreeMap::new(),
            seated: 0,
        }))
    }

    /// Draws what becomes of a message. The same numbers are drawn whether the way is cut or not, so
    /// that a cut does not change what happens to later messages.
    pub fn fate(&self, from: Machine, to: Machine) -> Fate {
        let mut state = self.lock();
        let weather = *state.local.get(&(from, to)).unwrap_or(&state.weather);
        let cut = state.cut.contains(&(from, to));
        let index = from.0.saturating_mul(1000).saturating_add(to.0);
        let seed = state.seed;
        let dice = state
            .dice
            .entry((from, to))
            .or_insert_with(|| Dice::new(seed, Concern::Network, index));
        let (low, high) = weather.delay_us;
        let (first, second) = (dice.micros(low, high), dice.micros(low, high));
        let (lost, twice) = (dice.chance(weather.lost), dice.chance(weather.twice));
        let comes = (!cut && !lost).then(|| (first, twice.then_some(second)));
        Fate { comes }
    }

    /// Cuts one direction.
    pub fn cut(&self, from: Machine, to: Machine) {
        self.lock().cut.insert((from, to));
    }

    /// Cuts both directions between a machine and all `others`.
    pub fn isolate(&self, machine: Machine, others: &[Machine]) {
        let mut state = self.lock();
        for other in others.iter().filter(|other| **other != machine) {
            state.cut.insert((machine, *other));
            state.cut.insert((*other, machine));
        }
    }

    /// Mends one direction.
    pub fn mend(&self, from: Machine, to: Machine) {
        self.lock().cut.remove(&(from, to));
    }

    /// Gives one direction a weather of its own, or takes it away.
    pub fn local(&self, from: Machine, to: Machine, weather: Option<Weather>) {
        let mut state = self.lock();
        match weather {
            Some(weather) => state.local.insert((from, to), weather),
            None => state.local.remove(&(from, to)),
        };
    }

    /// Sets the weather everywhere.
    pub fn weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// Mends every direction; the weather is what it is.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.cut.clear();
        state.local.clear();
    }

    /// A process listens at `address` from now on. Gives the ticket with which it leaves.
    pub fn sit(&self, address: &str, seat: Seat) -> u64 {
        let mut state = self.lock();
        state.seated = state.seated.saturating_add(1);
        let ticket = state.seated;
        state.seats.insert(address.to_owned(), (ticket, seat));
        ticket
    }

    /// A process listens no more, unless another one took its place already.
    pub fn leave(&self, address: &str, ticket: u64) {
        let mut state = self.lock();
        if state
            .seats
            .get(address)
            .is_some_and(|(now, _)| *now == ticket)
        {
            state.seats.remove(address);
        }
    }

    /// Who listens at `address`.
    #[must_use]
    pub fn at(&self, address: &str) -> Option<Seat> {
        let state = self.lock();
        let seat = state.seats.get(address).map(|(_, seat)| seat.clone());
        seat.filter(|seat| seat.life.alive())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Weather = Weather {
        delay_us: (100, 900),
        lost: 0,
        twice: 500,
    };
    const ONE: Machine = Machine(1);
    const TWO: Machine = Machine(2);

    #[test]
    fn a_cut_holds_in_its_direction_and_changes_nothing_of_what_comes_after_it() {
        let fates =
            |network: &Network| -> Vec<Fate> { (0..8).map(|_| network.fate(ONE, TWO)).collect() };
        let whole = fates(&Network::new(3, WELL));
        assert!(whole.iter().all(|fate| fate.comes.is_some()));
        let network = Network::new(3, WELL);
        network.cut(ONE, TWO);
        assert_eq!(network.fate(ONE, TWO).comes, None);
        assert!(network.fate(TWO, ONE).comes.is_some());
        network.heal();
        assert_eq!(fates(&network)[..7], whole[1..]);
    }

    #[test]
    fn some_messages_are_lost_and_some_come_twice() {
        let network = Network::new(3, Weather { lost: 300, ..WELL });
        let fates: Vec<Fate> = (0..1000).map(|_| network.fate(ONE, TWO)).collect();
        let lost = fates.iter().filter(|fate| fate.comes.is_none()).count();
        assert!((200..400).contains(&lost), "{lost}");
        let comes = fates.iter().filter_map(|fate| fate.comes);
        assert!(comes.clone().any(|(_, again)| again.is_some()));
        assert!(comes.clone().any(|(_, again)| again.is_none()));
    }
}
