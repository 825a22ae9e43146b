//! Any history of requests, signatures, operator commands and clocks, judged by an oracle that
//! knows nothing of marks: it remembers what was granted and released, and what was burnt.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use raft_store::command::{Act, Advance, Answer, Command, Edit, Enrolment, Import, Record};
use raft_store::state::{Chains, ReleaseMode, State};
use tezos::{ChainId, Digest, Kind, Signature, Slot};

use crate::asked::{
    Agreed, CHAIN, MOST, OTHER_CHAIN, enrolment, hash, level, listed, message, signature, slot,
};

/// One thing that happens. Requests and commands commit in the order of the history, so a repeated,
/// late or stale one is just a step that comes later.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Ask(Advance),
    /// The oldest grants but `skip` is signed, and released as its mode says. A signer that is not
    /// deterministic makes `noise` of it.
    Finish {
        skip: usize,
        noise: u8,
    },
    Command {
        stale: bool,
        what: Wish,
    },
    Pass {
        seconds: u32,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Wish {
    Enrol {
        chains: Chains,
        release: ReleaseMode,
        imports: Vec<Import>,
    },
    Edit {
        chains: Option<Chains>,
        release: Option<ReleaseMode>,
    },
    Disable,
    Enable,
    Raise {
        chain: ChainId,
        kind: Option<Kind>,
        level: u32,
    },
}

type Place = (ChainId, Kind);

/// What an outsider saw.
#[derive(Debug, Default)]
struct Seen {
    granted: BTreeMap<(Place, Slot), Digest>,
    highest: BTreeMap<Place, Slot>,
    burnt: BTreeMap<Place, Slot>,
    released: BTreeMap<(Place, Slot), BTreeSet<Vec<u8>>>,
    in_hand: Vec<(Advance, ReleaseMode)>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// R1, R2, R14, R25, R35, P1, P2.
    #[test]
    fn no_history_signs_two_messages_or_releases_two_signatures_for_a_slot(
        release in release(), chains in chains(), steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut agreed = Agreed::with(Enrolment { release, chains, ..enrolment() });
        let mut seen = Seen::default();
        for step in steps {
            let before = agreed.state.clone();
            match step {
                Step::Ask(advance) => seen.ask(&mut agreed, advance),
                Step::Finish { skip, noise } => seen.finish(&mut agreed, skip, noise),
                Step::Command { stale, what } => seen.command(&mut agreed, stale, &what),
                Step::Pass { seconds } => agreed.now += u64::from(seconds),
            }
            nothing_fell(&before, &agreed.state);
        }
    }
}

impl Seen {
    fn ask(&mut self, agreed: &mut Agreed, advance: Advance) {
        let (place, at) = ((advance.chain, advance.kind), advance.slot);
        let before = agreed.state.clone();
        match agreed.advance(advance.clone()) {
            Answer::Granted { digest, release } => {
                let key = &before.keys[&hash()];
                assert!(key.enabled, "granted with a disabled key");
                assert_eq!(digest, advance.digest, "granted another message");
                assert!(
                    Some(at.level) >= key.chains.floor(advance.chain),
                    "granted below the floor"
                );
                assert!(
                    self.highest.get(&place) <= Some(&at),
                    "granted below an earlier grant"
                );
                assert!(self.burnt.get(&place) < Some(&at), "granted a burnt slot");
                let first = *self.granted.entry((place, at)).or_insert(digest);
                assert_eq!(first, digest, "granted two messages for {at}");
                self.highest.insert(place, at);
                self.in_hand.push((advance, release));
            }
            Answer::Replayed { digest, signature } => {
                assert_eq!(
                    self.granted.get(&(place, at)),
                    Some(&digest),
                    "replayed what was never granted"
                );
                self.release(&advance, &signature);
                assert_eq!(agreed.state, before, "a replay changed the state");
            }
            Answer::Refused(_) => assert_eq!(agreed.state, before, "a refusal changed the state"),
            other => panic!("an advance was answered with {other:?}"),
        }
    }

    fn finish(&mut self, agreed: &mut Agreed, skip: usize, noise: u8) {
        if self.in_hand.is_empty() {
            return;
        }
        let (advance, release) = self.in_hand.remove(skip % self.in_hand.len());
        match release {
            ReleaseMode::AfterCommit => {
                let [byte, ..] = advance.digest.0;
                self.release(&advance, &signature(byte));
            }
            ReleaseMode::AfterRecord => self.record(agreed, advance, signature(100 + noise)),
        }
    }

    fn record(&mut self, agreed: &mut Agreed, advance: Advance, ours: Signature) {
        let before = agreed.state.clone();
        match agreed.act(Act::Record(Record {
            advance: advance.clone(),
            signature: ours,
        })) {
            Answer::Recorded { digest, signature } => {
                assert!(before.keys[&hash()].enabled, "recorded with a disabled key");
                assert_eq!(digest, advance.digest, "recorded for another message");
                self.release(&advance, &signature);
            }
            Answer::Refused(_) => assert_eq!(agreed.state, before, "a refusal changed the state"),
            other => panic!("a record was answered with {other:?}"),
        }
    }

    fn release(&mut self, advance: &Advance, signature: &Signature) {
        let place = (advance.chain, advance.kind);
        let released = self.released.entry((place, advance.slot)).or_default();
        released.insert(signature.as_raw().to_vec());
        assert_eq!(
            released.len(),
            1,
            "two signatures released for {}",
            advance.slot
        );
    }

    fn command(&mut self, agreed: &mut Agreed, stale: bool, wish: &Wish) {
        let before = agreed.state.clone();
        let generation = agreed.generation() - u64::from(stale);
        let answer = agreed.command(wish.at(generation));
        match answer {
            Answer::Applied { generation: now } => {
                assert!(!stale, "a stale command was applied");
                assert_eq!(now, generation + 1);
                self.burn(wish);
            }
            Answer::Refused(_) => assert_eq!(agreed.state, before, "a refusal changed the state"),
            other => panic!("a command was answered with {other:?}"),
        }
    }

    fn burn(&mut self, wish: &Wish) {
        let burnt: Vec<(ChainId, Option<Kind>, Slot)> = match wish {
            Wish::Enrol { imports, .. } => imports
                .iter()
                .map(|import| {
                    let round = import.round.map_or(MOST, |round| round.get());
                    (import.chain, import.kind, slot(import.level.get(), round))
                })
                .collect(),
            Wish::Raise { chain, kind, level } => vec![(*chain, *kind, slot(*level, MOST))],
            Wish::Edit { .. } | Wish::Disable | Wish::Enable => Vec::new(),
        };
        for (chain, one, at) in burnt {
            for kind in Kind::ALL
                .iter()
                .filter(|kind| one.is_none_or(|one| one == **kind))
            {
                let highest = self.burnt.entry((chain, *kind)).or_insert(at);
                *highest = at.max(*highest);
            }
        }
    }
}

/// R2: keys stay, generations and marks only rise, and at one slot a mark only learns.
fn nothing_fell(before: &State, after: &State) {
    for (hash, old) in &before.keys {
        let new = &after.keys[hash];
        assert!(new.generation >= old.generation);
        for (place, mark) in &old.marks {
            assert!(
                new.marks[place].slot >= mark.slot,
                "the mark of {place:?} fell"
            );
        }
    }
}

impl Wish {
    pub(crate) fn at(&self, generation: u64) -> Command {
        let key = hash();
        match self.clone() {
            Self::Enrol {
                chains,
                release,
                imports,
            } => Command::Enrol(Box::new(Enrolment {
                generation,
                chains,
                release,
                imports,
                ..enrolment()
            })),
            Self::Edit { chains, release } => {
                let edit = Box::new(Edit {
                    chains,
                    release,
                    ..Edit::default()
                });
                Command::Edit {
                    key,
                    generation,
                    edit,
                }
            }
            Self::Disable => Command::Disable { key, generation },
            Self::Enable => Command::Enable { key, generation },
            Self::Raise {
                chain,
                kind,
                level: to,
            } => Command::Raise {
                key,
                generation,
                chain,
                kind,
                level: level(to),
            },
        }
    }
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (chain(), kind(), height(), round(), 0..3u8).prop_map(|(chain, kind, l, r, of)| {
            Step::Ask(Advance { key: hash(), chain, kind, slot: slot(l, r), digest: message(of) })
        }),
        6 => (0..4usize, 0..3u8).prop_map(|(skip, noise)| Step::Finish { skip, noise }),
        4 => (prop::bool::weighted(0.2), wish()).prop_map(|(stale, what)| Step::Command { stale, what }),
        1 => prop_oneof![0..2000u32, Just(u32::MAX)].prop_map(|seconds| Step::Pass { seconds }),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    let import = (
        chain(),
        prop::option::of(kind()),
        height(),
        prop::option::of(round()),
    )
        .prop_map(|(chain, kind, l, r)| Import {
            chain,
            kind,
            level: level(l),
            round: r.map(|r| slot(0, r).round),
        });
    prop_oneof![
        3 => (chains(), release(), prop::collection::vec(import, 0..3))
            .prop_map(|(chains, release, imports)| Wish::Enrol { chains, release, imports }),
        3 => (prop::option::of(chains()), prop::option::of(release()))
            .prop_map(|(chains, release)| Wish::Edit { chains, release }),
        3 => Just(Wish::Disable),
        3 => Just(Wish::Enable),
        1 => (chain(), prop::option::of(kind()), height())
            .prop_map(|(chain, kind, level)| Wish::Raise { chain, kind, level }),
    ]
}

fn chain() -> impl Strategy<Value = ChainId> {
    prop_oneof![3 => Just(CHAIN), 1 => Just(OTHER_CHAIN)]
}

fn chains() -> impl Strategy<Value = Chains> {
    prop_oneof![
        3 => (0..3u32).prop_map(|floor| listed(&[(CHAIN, floor)])),
        1 => (0..3u32).prop_map(|floor| listed(&[(CHAIN, floor), (OTHER_CHAIN, 0)])),
        1 => (0..3u32).prop_map(|floor| Chains::Any { floor: level(floor) }),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![3 => Just(Kind::Block), 1 => Just(Kind::Attestation)]
}

fn release() -> impl Strategy<Value = ReleaseMode> {
    prop_oneof![
        Just(ReleaseMode::AfterCommit),
        Just(ReleaseMode::AfterRecord)
    ]
}

fn height() -> impl Strategy<Value = u32> {
    prop_oneof![12 => 0..4u32, 1 => Just(MOST - 1), 1 => Just(MOST)]
}

fn round() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 0..3u32, 1 => Just(MOST)]
}
