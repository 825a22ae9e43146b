//! What a witness is told, when, and in which order: over real folders and the real state machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod entries;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use entries::id;
use futures_util::FutureExt as _;
use openraft::RaftSnapshotBuilder as _;
use openraft::entry::RaftEntry as _;
use openraft::storage::{RaftLogStorage as _, RaftLogStorageExt as _, RaftStateMachine as _};
use raft_store::command::{Act, Advance, Command, Enrolment, Proposal, Record};
use raft_store::folder::Folder;
use raft_store::machine::Machine;
use raft_store::memory::{MemoryDisk, MemoryState};
use raft_store::state::{Chains, ReleaseMode, Role, Stamp};
use raft_store::types::{Entry, EntryPayload, Vote};
use raft_store::witness::{Seen, Witness, Witnessed};
use tezos::{ChainId, Curve, Digest, Kind, Level, PublicKey, Round, SecretKey, Slot};

const CHAIN: ChainId = ChainId([1, 2, 3, 4]);

/// Writes down what it is told, a line each.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Witness for Notes {
    fn saw(&self, node: u64, seen: Seen<'_>) {
        let words = match seen {
            Seen::Boot { counter } => format!("boot {counter}"),
            Seen::Vote { term, candidate } => format!("vote {term} for {candidate}"),
            Seen::Leads { term } => format!("leads {term}"),
            Seen::Durable { entry, advance } => {
                let slot = advance.map_or_else(String::new, |it| format!(" {}", it.slot));
                format!("durable {entry}{slot}")
            }
            Seen::Undone { from } => format!("undone from {from}"),
            Seen::Applied { entry, mark, .. } => {
                let stamp = match &mark.stamp {
                    Stamp::Burnt => "burnt",
                    Stamp::Signed { signature, .. } if signature.is_some() => "recorded",
                    Stamp::Signed { .. } => "granted",
                };
                format!("applied {entry} {} {stamp}", mark.slot)
            }
            Seen::Signed { .. } | Seen::Released { .. } | Seen::Refused { .. } => {
                "a request".to_owned()
            }
        };
        self.0.lock().unwrap().push(format!("{node}: {words}"));
    }
}

fn watched() -> (Arc<Notes>, Witnessed) {
    let notes = Arc::new(Notes::default());
    let witness: Arc<dyn Witness> = Arc::<Notes>::clone(&notes);
    (notes, Witnessed::new(2, Some(witness)))
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let keep = tempfile::tempdir().unwrap();
    let path = keep.path().join("data");
    Folder::create(&path).unwrap();
    (keep, path)
}

fn open(path: &Path) -> Folder {
    Folder::open(path, None).unwrap()
}

fn vote(term: u64, node: u64) -> Vote {
    Vote::new(term, node)
}

fn slot(level: u32) -> Slot {
    Slot::new(Level::new(level).unwrap(), Round::ZERO)
}

fn advance(key: &PublicKey, level: u32) -> Advance {
    Advance {
        key: key.hash(),
        chain: CHAIN,
        kind: Kind::Attestation,
        slot: slot(level),
        digest: Digest::of(&level.to_be_bytes()),
    }
}

fn entry(index: u64, act: Act) -> Entry {
    let proposal = Proposal { at_s: 0, act };
    Entry::new(id(1, index), EntryPayload::Normal(proposal))
}

fn enrol(key: &PublicKey) -> Act {
    Act::Command(Command::Enrol(Box::new(Enrolment {
        generation: 0,
        public_key: key.clone(),
        role: Role::Baker,
        release: ReleaseMode::AfterRecord,
        kinds: Kind::ALL.iter().copied().collect(),
        operations: BTreeSet::new(),
        votes: BTreeSet::new(),
        chains: Chains::Listed(BTreeMap::from([(CHAIN, Level::ZERO)])),
        authorized: Vec::new(),
        imports: Vec::new(),
    })))
}

#[tokio::test]
async fn a_nodes_own_vote_is_seen_once_it_is_durable_and_its_lead_before_it_is_written() {
    let (_keep, path) = folder();
    let (notes, witness) = watched();
    let (mut log, _state) = open(&path).store(&witness).unwrap();
    notes.take();
    log.save_vote(&vote(3, 1)).await.unwrap();
    assert!(
        notes.take().is_empty(),
        "a vote for another is seen when its reply leaves"
    );
    log.save_vote(&vote(4, 2)).await.unwrap();
    assert_eq!(notes.take(), ["2: vote 4 for 2"]);
    let lead = Vote::new_committed(4, 2);
    let mut saving = Box::pin(log.save_vote(&lead));
    let first = saving.as_mut().now_or_never();
    assert_eq!(notes.take(), ["2: leads 4"], "{first:?}");
}

#[tokio::test]
async fn entries_are_seen_in_the_order_in_which_they_become_durable_and_are_undone() {
    let (_keep, path) = folder();
    let (notes, witness) = watched();
    let key = SecretKey::generate(Curve::Ed25519).unwrap();
    let (mut log, _state) = open(&path).store(&witness).unwrap();
    notes.take();
    let asked = Act::Advance(advance(key.public_key(), 7));
    log.blocking_append([entries::entry(1, 0), entry(1, asked)])
        .await
        .unwrap();
    let slot = slot(7);
    assert_eq!(
        notes.take(),
        [
            "2: durable 1/0".to_owned(),
            format!("2: durable 1/1 {slot}")
        ],
        "before the append is acknowledged"
    );
    log.truncate_after(Some(id(1, 0))).await.unwrap();
    assert_eq!(notes.take(), ["2: undone from 1"]);
}

/// R3: a killed process may have died between its write and its sync. What the next one finds and
/// syncs is durable from then on, and that is seen too.
#[tokio::test]
async fn what_a_start_finds_and_syncs_is_seen_and_what_the_guard_knows_is_not_told_again() {
    let (_keep, path) = folder();
    let nobody = Witnessed::default();
    {
        let folder = open(&path);
        let (mut log, _state) = folder.store(&nobody).unwrap();
        log.save_vote(&entries::vote(1, 1)).await.unwrap();
        entries::append(&mut log, 1, 0, 4).await;
        log.save_committed(Some(id(1, 1))).await.unwrap();
    }
    let (notes, witness) = watched();
    let folder = open(&path);
    let _store = folder.store(&witness).unwrap();
    assert_eq!(
        notes.take(),
        [
            format!("2: boot {}", folder.boot().counter),
            "2: undone from 4".to_owned(),
            "2: durable 1/2".to_owned(),
            "2: durable 1/3".to_owned(),
        ]
    );
}

fn machine(witness: &Witnessed) -> Machine<MemoryState> {
    let (_log, state) = MemoryDisk::new().open();
    Machine::open(state).unwrap().witnessed(witness.clone())
}

fn apply(machine: &mut Machine<MemoryState>, entries: Vec<Entry>) {
    let entries = entries.into_iter().map(|entry| Ok((entry, None)));
    let applied = machine.apply(futures_util::stream::iter(entries));
    applied.now_or_never().unwrap().unwrap();
}

#[test]
fn every_mark_that_moves_gains_a_signature_or_is_burnt_is_seen_and_no_other() {
    let (notes, witness) = watched();
    let secret = SecretKey::generate(Curve::Ed25519).unwrap();
    let key = secret.public_key();
    let mut machine = machine(&witness);
    let record = Record {
        advance: advance(key, 5),
        signature: secret.sign(b"whatever"),
    };
    let raise = Command::Raise {
        key: key.hash(),
        generation: 1,
        chain: CHAIN,
        kind: Some(Kind::Attestation),
        level: Level::new(9).unwrap(),
    };
    let acts = [
        enrol(key),
        Act::Advance(advance(key, 5)),
        Act::Advance(advance(key, 5)),
        Act::Advance(advance(key, 4)),
        Act::Record(record.clone()),
        Act::Record(record),
        Act::Command(raise),
    ];
    let entries = (1..).zip(acts).map(|(index, act)| entry(index, act));
    apply(&mut machine, entries.collect());
    let (five, nine) = (slot(5), Slot::new(Level::new(9).unwrap(), Round::MAX));
    assert_eq!(
        notes.take(),
        [
            format!("2: applied 1/2 {five} granted"),
            format!("2: applied 1/5 {five} recorded"),
            format!("2: applied 1/7 {nine} burnt"),
        ]
    );
}

#[test]
fn the_marks_that_a_snapshot_brings_are_seen_with_its_last_entry() {
    let secret = SecretKey::generate(Curve::Ed25519).unwrap();
    let key = secret.public_key();
    let acts = [enrol(key), Act::Advance(advance(key, 5))];
    let entries: Vec<Entry> = (1..)
        .zip(acts)
        .map(|(index, act)| entry(index, act))
        .collect();
    let mut leader = machine(&Witnessed::default());
    apply(&mut leader, entries);
    let built = async { leader.get_snapshot_builder().await.build_snapshot().await };
    let snapshot = built.now_or_never().unwrap().unwrap();

    let (notes, witness) = watched();
    let mut late = machine(&witness);
    for _twice in 0..2 {
        let installed = late.install_snapshot(&snapshot.meta, snapshot.snapshot.clone());
        installed.now_or_never().unwrap().unwrap();
    }
    assert_eq!(
        notes.take(),
        [format!("2: applied 1/2 {} granted", slot(5))]
    );
}
