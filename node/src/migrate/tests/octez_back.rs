//! The way back: octez-signer's files from the agreed state.

use std::collections::BTreeMap;

use raft_store::command::{Act, Advance, Answer, Command, Enrolment, Proposal, Record};
use raft_store::rule;
use raft_store::state::{Chains, ReleaseMode, Role, State};
use tezos::{Curve, Digest, PublicKey, Signature, Slot};

use super::*;
use crate::admin::{MarkedKey, Marks};

const PUBLIC: &str = "edpkuBknW28nW72KG6RoHtYW7p12T6GKc7nAbwYX5m8Wd9sDVC9yav";
const NOW: u64 = 1_700_000_000;

fn apply(state: &mut State, act: Act) -> Answer {
    rule::apply(state, &Proposal { at_s: NOW, act })
}

fn enrol(imports: Vec<Import>, chains: Chains) -> State {
    let public_key: PublicKey = PUBLIC.parse().unwrap();
    let enrolment = Enrolment {
        generation: 0,
        public_key,
        role: Role::Baker,
        release: ReleaseMode::AfterRecord,
        kinds: Kind::ALL.iter().copied().collect(),
        operations: std::collections::BTreeSet::default(),
        votes: std::collections::BTreeSet::default(),
        chains,
        authorized: Vec::new(),
        imports,
    };
    let mut state = State::default();
    let act = Act::Command(Command::Enrol(Box::new(enrolment)));
    assert_eq!(apply(&mut state, act), Answer::Applied { generation: 1 });
    state
}

fn slot(level: u32, round: u32) -> Slot {
    Slot::new(Level::new(level).unwrap(), Round::new(round).unwrap())
}

/// A key with one mark of each sort: a block that is signed, a preattestation that is granted, and an
/// attestation that is burnt.
fn key() -> MarkedKey {
    let imports = Kind::ALL.iter().map(|kind| import(*kind, 100, Some(2)));
    let imports: Vec<Import> = imports.collect();
    let chains = floors(&imports).unwrap();
    let mut state = enrol(imports, chains);
    let advance = |kind, slot| Advance {
        key: hash(TZ1),
        chain: ChainId::MAINNET,
        kind,
        slot,
        digest: Digest([7; 32]),
    };
    let block = advance(Kind::Block, slot(101, 0));
    apply(&mut state, Act::Advance(block.clone()));
    let signature = Signature::from_raw(Curve::Ed25519, &[9; 64]).unwrap();
    let record = Record {
        advance: block,
        signature,
    };
    apply(&mut state, Act::Record(record));
    apply(
        &mut state,
        Act::Advance(advance(Kind::Preattestation, slot(102, 1))),
    );
    only_key(&state)
}

fn only_key(state: &State) -> MarkedKey {
    let marks = Marks::of(state, 7, "c".to_owned(), true);
    marks.keys.into_iter().next().unwrap()
}

fn written(key: &MarkedKey, present: &[(&'static str, String)]) -> BTreeMap<&'static str, String> {
    let present = present.iter().cloned().collect();
    let files = files(std::slice::from_ref(key), &present).unwrap();
    files
        .into_iter()
        .map(|file| (file.name, file.text))
        .collect()
}

fn mark_in(text: &str, key: &str) -> serde_json::Value {
    let file: serde_json::Value = serde_json::from_str(text).unwrap();
    file[MAINNET][key].clone()
}

/// What octez-signer does with a stored mark: `check_mark` of `handler.ml`, in our words. `None` is
/// that it signs.
fn octez_signer(mark: &serde_json::Value, asked: (i64, i64), hash: &str) -> Option<&'static str> {
    let stored = (
        mark["level"].as_i64().unwrap(),
        mark["round"].as_i64().unwrap(),
    );
    // It decodes the hash of every mark, and a file without one not at all.
    assert_eq!(mark["hash"].as_str().unwrap().len(), 64);
    match (asked.cmp(&stored), mark.get("signature")) {
        (std::cmp::Ordering::Greater, _) => None,
        (std::cmp::Ordering::Equal, Some(_)) if mark["hash"] == hash => Some("replayed"),
        _ => Some("refused"),
    }
}

/// R42. Out and in again: the same slots, all of them burnt.
#[test]
fn what_is_exported_is_imported_at_the_same_slots() {
    let key = key();
    let files = written(&key, &[]);
    assert_eq!(files.len(), 5, "the older names too: {files:?}");
    let entries = files
        .iter()
        .flat_map(|(name, text)| octez::marks(name, octez::kind_of(name).unwrap(), text).unwrap());
    let imports = gathered(TZ1, entries.collect()).unwrap();
    assert_eq!(
        imports,
        [
            import(Kind::Block, 101, Some(0)),
            import(Kind::Preattestation, 102, Some(1)),
            import(Kind::Attestation, 100, Some(2)),
        ]
    );
    let again = enrol(imports.clone(), floors(&imports).unwrap());
    let slots = |key: &MarkedKey| {
        let slots = key
            .marks
            .iter()
            .map(|mark| (mark.kind, mark.level, mark.round));
        slots.collect::<Vec<_>>()
    };
    assert_eq!(slots(&only_key(&again)), slots(&key));
    assert!(only_key(&again).marks.iter().all(|mark| mark.burnt));
}

#[test]
fn octez_signer_refuses_a_burnt_slot_to_every_message_and_signs_the_next() {
    let files = written(&key(), &[]);
    let burnt = mark_in(&files["attestation_high_watermarks"], TZ1);
    for asked in ["00".repeat(32), "07".repeat(32)] {
        assert_eq!(octez_signer(&burnt, (100, 2), &asked), Some("refused"));
        assert_eq!(octez_signer(&burnt, (100, 3), &asked), None);
    }
}

#[test]
fn octez_signer_repeats_a_signature_that_is_recorded_and_refuses_what_was_only_granted() {
    let files = written(&key(), &[]);
    let (same, other) = ("07".repeat(32), "08".repeat(32));
    let signed = mark_in(&files["block_high_watermarks"], TZ1);
    assert_eq!(octez_signer(&signed, (101, 0), &same), Some("replayed"));
    assert_eq!(octez_signer(&signed, (101, 0), &other), Some("refused"));
    assert!(signed["signature"].as_str().unwrap().starts_with("edsig"));
    // It may have left, and signing again could give another signature.
    let granted = mark_in(&files["preattestation_high_watermarks"], TZ1);
    assert_eq!(octez_signer(&granted, (102, 1), &same), Some("refused"));
}

#[test]
fn a_floor_above_the_marks_is_exported_as_a_mark_of_the_level_below() {
    let chains = floors(&[import(Kind::Block, 499, None)]).unwrap();
    let state = enrol(vec![import(Kind::Block, 700, Some(0))], chains);
    let files = written(&only_key(&state), &[]);
    let vote = mark_in(&files["attestation_high_watermarks"], TZ1);
    assert_eq!(
        octez_signer(&vote, (499, i64::from(i32::MAX)), ""),
        Some("refused")
    );
    assert_eq!(octez_signer(&vote, (500, 0), ""), None);
    let block = mark_in(&files["block_high_watermarks"], TZ1);
    assert_eq!(block["level"], 700);
}

#[test]
fn what_other_keys_have_in_the_folder_stays_and_a_lower_mark_of_ours_is_replaced() {
    let there = octez_file(&[(TZ1, 99, 5), (TZ1_OTHER, 4_000, 1)]);
    let files = written(&key(), &[("block_high_watermarks", there)]);
    let text = &files["block_high_watermarks"];
    assert_eq!(mark_in(text, TZ1)["level"], 101);
    assert_eq!(mark_in(text, TZ1_OTHER)["level"], 4_000);
}

/// The old signer may repeat its own signature there; we only know that the slot is taken.
#[test]
fn a_mark_at_the_same_slot_stays_as_it_is_and_nothing_is_written_then() {
    let first = written(&key(), &[]);
    let mut present: Vec<_> = first.into_iter().collect();
    assert_eq!(written(&key(), &present), BTreeMap::new());
    let theirs = octez_file(&[(TZ1, 100, 2)]);
    for (name, text) in &mut present {
        if octez::kind_of(name) == Some(Kind::Attestation) {
            text.clone_from(&theirs);
        }
    }
    assert_eq!(written(&key(), &present), BTreeMap::new());
}

/// Whoever wrote it signed after we took over, or misread a level: an operator must look.
#[test]
fn a_higher_mark_in_the_folder_is_refused_and_so_is_a_file_that_is_not_understood() {
    let higher = octez_file(&[(TZ1, 101, 1)]);
    let broken = "{".to_owned();
    let present = BTreeMap::from([
        ("block_high_watermarks", higher),
        ("attestation_high_watermarks", broken),
    ]);
    let faults = files(&[key()], &present).unwrap_err();
    assert_eq!(faults.0.len(), 2, "{faults}");
    assert!(faults.to_string().contains("level 101"), "{faults}");
}
