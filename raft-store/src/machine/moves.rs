//! Which marks an entry or a snapshot moved, for whoever witnesses the node.

use std::collections::BTreeMap;

use tezos::{ChainId, Kind, PublicKeyHash};

use super::Applied;
use crate::command::{Act, Advance, Command};
use crate::state::{Mark, State};
use crate::types::LogId;
use crate::witness::{Seen, Witnessed};

type Place = (ChainId, Kind);

/// The marks that an entry may move, as they stood before it. Nothing if nobody wants to know.
#[derive(Debug)]
pub(super) struct Before(Option<(Moving, BTreeMap<Place, Mark>)>);

/// What an entry may move: the marks of a key, or one of them.
#[derive(Clone, Copy, Debug)]
struct Moving {
    key: PublicKeyHash,
    place: Option<Place>,
}

impl Before {
    /// Looks at what `act` may move.
    pub(super) fn look(witness: &Witnessed, state: &State, act: &Act) -> Self {
        let moving = if witness.is_seen() {
            Moving::of(act)
        } else {
            None
        };
        Self(moving.map(|moving| {
            let marks = moving.marks(state);
            (moving, marks.map(|(at, mark)| (at, mark.clone())).collect())
        }))
    }

    /// Every mark that stands differently now.
    pub(super) fn moved(self, state: &State) -> Moved {
        let Self(Some((moving, before))) = self else {
            return Moved::default();
        };
        let now = moving.marks(state);
        let moved = now.filter(|(place, mark)| before.get(place) != Some(mark));
        Moved(
            moved
                .map(|(place, mark)| (moving.key, place, mark.clone()))
                .collect(),
        )
    }
}

/// Marks that moved: told once nobody holds the state, since a witness may look at it.
#[derive(Debug, Default)]
pub(super) struct Moved(Vec<(PublicKeyHash, Place, Mark)>);

impl Moved {
    /// Tells each, after the entry at `at` was applied.
    pub(super) fn tell(&self, witness: &Witnessed, at: LogId) {
        for (key, place, mark) in &self.0 {
            tell(witness, at, *key, *place, mark);
        }
    }
}

impl Moving {
    fn of(act: &Act) -> Option<Self> {
        let one = |advance: &Advance| Self {
            key: advance.key,
            place: Some((advance.chain, advance.kind)),
        };
        let all = |key| Self { key, place: None };
        match act {
            Act::Advance(advance) => Some(one(advance)),
            Act::Record(record) => Some(one(&record.advance)),
            Act::Command(Command::Enrol(enrolment)) => Some(all(enrolment.public_key.hash())),
            Act::Command(
                Command::Edit { key, .. }
                | Command::Disable { key, .. }
                | Command::Enable { key, .. }
                | Command::Raise { key, .. },
            ) => Some(all(*key)),
            Act::Permit(_) | Act::Command(Command::Format { .. }) => None,
        }
    }

    fn marks(self, state: &State) -> impl Iterator<Item = (Place, &Mark)> {
        let key = state.keys.get(&self.key);
        let marks = key.into_iter().flat_map(|key| &key.marks);
        marks
            .map(|(at, mark)| (*at, mark))
            .filter(move |(at, _)| self.place.is_none_or(|place| place == *at))
    }
}

/// Tells every mark that an installed snapshot moves.
pub(super) fn of_a_snapshot(witness: &Witnessed, before: &State, after: &Applied) {
    let Some(at) = after.last.filter(|_| witness.is_seen()) else {
        return;
    };
    for (hash, key) in &after.state.keys {
        let known = before.keys.get(hash).map(|key| &key.marks);
        for (place, mark) in &key.marks {
            if known.and_then(|marks| marks.get(place)) != Some(mark) {
                tell(witness, at, *hash, *place, mark);
            }
        }
    }
}

fn tell(witness: &Witnessed, at: LogId, key: PublicKeyHash, (chain, kind): Place, mark: &Mark) {
    witness.saw(|| Seen::Applied {
        entry: at.into(),
        key,
        chain,
        kind,
        mark,
    });
}
