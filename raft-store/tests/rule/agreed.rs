//! The state machine: what a restart, a power cut or a snapshot brings back is what the rule made,
//! and what cannot be read stops the node.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use futures_util::stream;
use openraft::storage::RaftStateMachine;
use openraft::{EntryPayload, RaftSnapshotBuilder};
use proptest::prelude::*;
use raft_store::command::{Act, Advance, Command, Enrolment, FORMAT, Proposal};
use raft_store::machine::{Changes, Loaded, Machine, Row, StateDisk};
use raft_store::memory::{MemoryDisk, MemoryState};
use raft_store::rule;
use raft_store::state::State;
use raft_store::types::{Entry, LogId, Member, Membership, SnapshotMeta};
use tezos::{Curve, SecretKey};

use crate::asked::{block, enrolment, hash, import, message, signature, slot};
use crate::history::{self, Step};

/// Log ids of term 1.
fn at(index: u64) -> LogId {
    LogId::new_term_index(1, index)
}

fn entry(index: u64, act: Act) -> Entry {
    let payload = EntryPayload::Normal(Proposal {
        at_s: 1_700_000_000 + index,
        act,
    });
    Entry {
        log_id: at(index),
        payload,
    }
}

fn enrol(enrolment: Enrolment) -> Act {
    Act::Command(Command::Enrol(Box::new(enrolment)))
}

fn apply<D: StateDisk>(machine: &mut Machine<D>, entries: &[Entry]) -> io::Result<()> {
    let entries = entries.iter().cloned().map(|entry| Ok((entry, None)));
    futures_util::FutureExt::now_or_never(machine.apply(stream::iter(entries.collect::<Vec<_>>())))
        .expect("applying waits for nothing")
}

/// A machine on a new disk that has applied `acts` from index 1 on.
fn with(acts: Vec<Act>) -> (MemoryDisk, Machine<MemoryState>) {
    let disk = MemoryDisk::new();
    let mut machine = Machine::open(disk.open().1).unwrap();
    let entries: Vec<_> = (1..)
        .zip(acts)
        .map(|(index, act)| entry(index, act))
        .collect();
    apply(&mut machine, &entries).unwrap();
    (disk, machine)
}

fn snapshot<D: StateDisk>(machine: &mut Machine<D>) -> (SnapshotMeta, Vec<u8>) {
    let built = async { machine.get_snapshot_builder().await.build_snapshot().await };
    let snapshot = futures_util::FutureExt::now_or_never(built)
        .unwrap()
        .unwrap();
    (snapshot.meta, snapshot.snapshot)
}

fn install<D: StateDisk>(
    machine: &mut Machine<D>,
    meta: &SnapshotMeta,
    bytes: &[u8],
) -> io::Result<()> {
    futures_util::FutureExt::now_or_never(machine.install_snapshot(meta, bytes.to_vec())).unwrap()
}

fn applied<D: StateDisk>(machine: &Machine<D>) -> u64 {
    machine.reader().state().applied().map_or(0, |id| id.index)
}

/// What happens to a replica between two batches of entries.
#[derive(Clone, Copy, Debug)]
enum Turn {
    None,
    Killed,
    PowerCut,
    Snapshot,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        3 => Just(Turn::None),
        1 => Just(Turn::Killed),
        1 => Just(Turn::PowerCut),
        1 => Just(Turn::Snapshot),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// R2, R34: whatever is killed, cut off or sent as a snapshot, every replica has the state that
    /// the rule makes of the log.
    #[test]
    fn every_replica_has_what_the_rule_makes_of_the_log(
        steps in prop::collection::vec((history::step(), turn()), 1..60),
    ) {
        let mut log = vec![entry(1, enrol(enrolment()))];
        let mut shadow = State::default();
        rule::apply(&mut shadow, proposal(&log[0]));
        let disk = MemoryDisk::new();
        let mut replica = Machine::open(disk.open().1).unwrap();
        let mut late = Machine::open(MemoryDisk::new().open().1).unwrap();
        for (step, turn) in steps {
            let generation = shadow.keys.get(&hash()).map_or(0, |key| key.generation);
            if let Some(act) = act_of(&step, generation, &log) {
                log.push(entry(u64::try_from(log.len()).unwrap() + 1, act));
                rule::apply(&mut shadow, proposal(log.last().unwrap()));
            }
            match turn {
                Turn::None => {}
                Turn::Killed => {
                    disk.crash();
                    replica = Machine::open(disk.open().1).unwrap();
                }
                Turn::PowerCut => {
                    disk.power_cut();
                    replica = Machine::open(disk.open().1).unwrap();
                }
                Turn::Snapshot => {
                    let (meta, bytes) = snapshot(&mut replica);
                    if applied(&late) <= applied(&replica) {
                        install(&mut late, &meta, &bytes).unwrap();
                        assert_eq!(*late.reader().state(), *replica.reader().state());
                    }
                }
            }
            let done = usize::try_from(applied(&replica)).unwrap();
            apply(&mut replica, &log[done..]).unwrap();
            assert_eq!(*replica.reader().state(), shadow);
        }
    }
}

fn proposal(entry: &Entry) -> &Proposal {
    match &entry.payload {
        EntryPayload::Normal(proposal) => proposal,
        EntryPayload::Blank | EntryPayload::Membership(_) => panic!("not a proposal: {entry:?}"),
    }
}

fn act_of(step: &Step, generation: u64, log: &[Entry]) -> Option<Act> {
    match step {
        Step::Ask(advance) => Some(Act::Advance(advance.clone())),
        Step::Finish { skip, noise } => {
            let advances = log.iter().filter_map(|entry| match &proposal(entry).act {
                Act::Advance(advance) => Some(advance.clone()),
                Act::Record(_) | Act::Permit(_) | Act::Command(_) => None,
            });
            let advances: Vec<Advance> = advances.collect();
            let advance = advances
                .len()
                .checked_sub(1 + skip)
                .map(|at| advances[at].clone())?;
            let signature = signature(*noise);
            Some(Act::Record(raft_store::command::Record {
                advance,
                signature,
            }))
        }
        Step::Command { stale, what } => Some(Act::Command(
            what.at(generation.saturating_sub(u64::from(*stale))),
        )),
        Step::Pass { .. } => None,
    }
}

#[test]
fn an_advance_writes_one_small_row_however_many_keys_there_are() {
    let cost = |keys: usize| {
        let written = Counting::over(MemoryDisk::new());
        let mut machine = Machine::open(written.clone()).unwrap();
        let fresh = || {
            SecretKey::generate(Curve::Ed25519)
                .unwrap()
                .public_key()
                .clone()
        };
        let mut acts = vec![enrol(enrolment())];
        acts.extend((1..keys).map(|_| {
            enrol(Enrolment {
                public_key: fresh(),
                ..enrolment()
            })
        }));
        let entries: Vec<_> = (1..)
            .zip(acts)
            .map(|(index, act)| entry(index, act))
            .collect();
        apply(&mut machine, &entries).unwrap();
        let index = u64::try_from(keys).unwrap() + 1;
        apply(
            &mut machine,
            &[entry(index, Act::Advance(block(slot(5, 0), message(1))))],
        )
        .unwrap();
        let rows = written.last();
        (
            rows.len(),
            rows.iter()
                .map(|row| row.value.as_ref().unwrap().len())
                .sum::<usize>(),
        )
    };
    let (rows, bytes) = cost(1);
    assert_eq!(rows, 1);
    assert!(bytes < 64, "{bytes} bytes");
    assert_eq!(cost(500), (rows, bytes));
}

#[test]
fn one_batch_of_entries_is_one_write() {
    let written = Counting::over(MemoryDisk::new());
    let mut machine = Machine::open(written.clone()).unwrap();
    let voters = Membership::new(
        vec![BTreeSet::from([1])],
        std::collections::BTreeMap::from([(1, Member::default())]),
    )
    .unwrap();
    let mut entries = vec![
        Entry {
            log_id: at(1),
            payload: EntryPayload::Membership(voters.clone()),
        },
        Entry {
            log_id: at(2),
            payload: EntryPayload::Blank,
        },
        entry(3, enrol(enrolment())),
    ];
    entries.extend((4..40).map(|index| {
        let level = u32::try_from(index).unwrap();
        entry(index, Act::Advance(block(slot(level, 0), message(1))))
    }));
    apply(&mut machine, &entries).unwrap();
    let writes = written.writes.lock().unwrap();
    let [
        Changes {
            rows,
            applied,
            membership: Some(membership),
        },
    ] = writes.as_slice()
    else {
        panic!("{} writes", writes.len());
    };
    assert_eq!(applied.index, 39);
    assert_eq!(rows.len(), 3, "the cluster, the key, and one mark");
    assert_eq!(
        (membership.log_id(), membership.membership()),
        (&Some(at(1)), &voters)
    );
}

#[test]
fn r36_an_entry_of_a_later_format_stops_the_node_and_is_not_skipped() {
    let (disk, mut machine) = with(vec![enrol(enrolment())]);
    let format = FORMAT + 1;
    let later = entry(2, Act::Command(Command::Format { format }));
    let after = entry(3, Act::Advance(block(slot(5, 0), message(1))));
    let error = apply(&mut machine, &[later, after])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("moves the cluster to format 2, and this version reads up to 1"),
        "{error}"
    );
    assert_eq!(applied(&machine), 1);
    assert_eq!(disk.open().1.load().unwrap().applied, Some(at(1)));
}

#[test]
fn r8_a_snapshot_with_any_byte_changed_or_cut_is_refused() {
    let (_, mut machine) = with(vec![enrol(Enrolment {
        imports: vec![import(7, None)],
        ..enrolment()
    })]);
    let (meta, bytes) = snapshot(&mut machine);
    let fresh = || Machine::open(MemoryDisk::new().open().1).unwrap();
    install(&mut fresh(), &meta, &bytes).unwrap();
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        assert!(
            install(&mut fresh(), &meta, &flipped).is_err(),
            "byte {place} flipped"
        );
        assert!(
            install(&mut fresh(), &meta, &bytes[..place]).is_err(),
            "cut at {place}"
        );
    }
    let announced = SnapshotMeta {
        last_log_id: Some(at(2)),
        ..meta
    };
    let error = install(&mut fresh(), &announced, &bytes)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("does not reach the entry that it was announced with"),
        "{error}"
    );
}

#[test]
fn r2_a_snapshot_that_lowers_a_mark_is_refused_by_name_and_changes_nothing() {
    let ask = |level, of| Act::Advance(block(slot(level, 0), message(of)));
    let record = |of, by| {
        let advance = block(slot(9, 0), message(of));
        Act::Record(raft_store::command::Record {
            advance,
            signature: signature(by),
        })
    };
    let cases: [(&str, Vec<Act>, Vec<Act>, &str); 5] = [
        (
            "a lower slot",
            vec![ask(9, 1)],
            vec![ask(8, 1)],
            "from level 9 round 0 to level 8 round 0",
        ),
        (
            "no mark",
            vec![ask(9, 1)],
            vec![],
            "from level 9 round 0 to nothing",
        ),
        (
            "another message",
            vec![ask(9, 1)],
            vec![ask(9, 2)],
            "lowers or changes the mark",
        ),
        (
            "no signature",
            vec![ask(9, 1), record(1, 5)],
            vec![ask(9, 1)],
            "lowers or changes the mark",
        ),
        (
            "another signature",
            vec![ask(9, 1), record(1, 5)],
            vec![ask(9, 1), record(1, 6)],
            "lowers or changes the mark",
        ),
    ];
    for (name, ours, theirs, text) in cases {
        let began = |acts: Vec<Act>| with([vec![enrol(enrolment())], acts].concat());
        let (_, mut sender) = began(theirs);
        let (meta, bytes) = snapshot(&mut sender);
        let (disk, mut receiver) = began(ours);
        let before = receiver.reader().state().clone();
        let error = install(&mut receiver, &meta, &bytes)
            .unwrap_err()
            .to_string();
        assert!(error.contains(text), "{name}: {error}");
        for named in [
            hash().to_string(),
            crate::asked::CHAIN.to_string(),
            "block".to_owned(),
        ] {
            assert!(error.contains(&named), "{name}: {error}");
        }
        assert_eq!(*receiver.reader().state(), before, "{name}");
        let kept = Machine::open(disk.open().1).unwrap();
        assert_eq!(*kept.reader().state(), before, "{name}");
    }
}

#[test]
fn r2_a_snapshot_without_a_key_or_from_an_older_generation_is_refused_by_name() {
    let (_, mut empty) = with(vec![]);
    let (meta, bytes) = snapshot(&mut empty);
    let (_, mut receiver) = with(vec![enrol(enrolment())]);
    let error = install(&mut receiver, &meta, &bytes)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("without key {}", hash())),
        "{error}"
    );
    let disable = Act::Command(Command::Disable {
        key: hash(),
        generation: 1,
    });
    let (_, mut receiver) = with(vec![enrol(enrolment()), disable]);
    let (_, mut sender) = with(vec![enrol(enrolment())]);
    let (meta, bytes) = snapshot(&mut sender);
    let error = install(&mut receiver, &meta, &bytes)
        .unwrap_err()
        .to_string();
    let text = format!("moves key {} from generation 2 back to 1", hash());
    assert!(error.contains(&text), "{error}");
}

#[test]
fn r8_a_row_that_is_lost_damaged_or_foreign_is_named_and_never_read_as_a_default() {
    let acts = vec![
        enrol(enrolment()),
        Act::Advance(block(slot(5, 0), message(1))),
    ];
    let (disk, _) = with(acts);
    let rows = disk.open().1.load().unwrap().rows;
    let [cluster, key, mark] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    let with_rows = |rows: Vec<(Vec<u8>, Vec<u8>)>| {
        let (_, state) = MemoryDisk::new().open();
        let loaded = Loaded {
            rows,
            applied: Some(at(2)),
            ..Loaded::default()
        };
        state.replace(loaded).unwrap();
        Machine::open(state)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(with_rows(rows.clone()), Ok(()));
    let flipped = |(name, value): &(Vec<u8>, Vec<u8>)| {
        let mut value = value.clone();
        *value.last_mut().unwrap() ^= 1;
        (name.clone(), value)
    };
    let renamed = |(name, value): &(Vec<u8>, Vec<u8>), name_of: u8| {
        let mut name = name.clone();
        *name.last_mut().unwrap() = name_of;
        (name, value.clone())
    };
    for (case, rows, text) in [
        (
            "no cluster",
            vec![key.clone(), mark.clone()],
            "the row of the cluster is missing",
        ),
        (
            "no key",
            vec![cluster.clone(), mark.clone()],
            "which has no row of its own",
        ),
        (
            "key damaged",
            vec![cluster.clone(), flipped(key), mark.clone()],
            "checksum mismatch",
        ),
        (
            "mark damaged",
            vec![cluster.clone(), key.clone(), flipped(mark)],
            "checksum mismatch",
        ),
        (
            "another key",
            vec![cluster.clone(), renamed(key, 0)],
            "holds another key",
        ),
        (
            "no such kind",
            vec![cluster.clone(), key.clone(), renamed(mark, 9)],
            "unknown name",
        ),
        (
            "unknown",
            vec![cluster.clone(), (b"zebra".to_vec(), vec![])],
            "unknown name",
        ),
    ] {
        let error = with_rows(rows).expect_err(case);
        assert!(error.contains(text), "{case}: {error}");
    }
}

/// R34: rows that another version wrote are read as what was meant.
#[test]
fn rows_have_the_bytes_they_always_had() {
    let with_signature = Act::Record(raft_store::command::Record {
        advance: block(slot(5, 0), message(1)),
        signature: signature(5),
    });
    let (disk, _) = with(vec![
        enrol(Enrolment {
            imports: vec![import(2, Some(1))],
            ..enrolment()
        }),
        Act::Advance(block(slot(5, 0), message(1))),
        with_signature,
    ]);
    let mut found = String::new();
    for (name, value) in disk.open().1.load().unwrap().rows {
        found.push_str(&format!("{}: {}\n", hex::encode(name), hex::encode(value)));
    }
    assert_eq!(found, include_str!("golden_rows.txt"));
}

/// A disk that remembers what was written to it.
#[derive(Clone)]
struct Counting {
    disk: MemoryState,
    writes: Arc<Mutex<Vec<Changes>>>,
}

impl Counting {
    fn over(disk: MemoryDisk) -> Self {
        Self {
            disk: disk.open().1,
            writes: Arc::default(),
        }
    }

    fn last(&self) -> Vec<Row> {
        self.writes.lock().unwrap().last().unwrap().rows.clone()
    }
}

impl StateDisk for Counting {
    fn load(&self) -> io::Result<Loaded> {
        self.disk.load()
    }

    fn write(&self, changes: Changes) -> io::Result<()> {
        self.writes.lock().unwrap().push(changes.clone());
        self.disk.write(changes)
    }

    fn replace(&self, loaded: Loaded) -> io::Result<()> {
        self.disk.replace(loaded)
    }

    fn publish_snapshot(&self, meta: &SnapshotMeta, bytes: &[u8]) -> io::Result<()> {
        self.disk.publish_snapshot(meta, bytes)
    }

    fn snapshot(&self) -> io::Result<Option<(SnapshotMeta, Vec<u8>)>> {
        self.disk.snapshot()
    }
}
