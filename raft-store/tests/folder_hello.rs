//! What peers remember of each other (R10, R11): which change of mind is a restored or copied disk,
//! and which is not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking, and writes what a test must damage"
)]

use std::collections::BTreeMap;

use raft_store::{
    hello::{Boot, Disk, Hello, PeerMemory, Power, Suspect},
    types::{Fingerprint, LogId, Vote},
};

fn id(term: u64, index: u64) -> LogId {
    LogId {
        leader_id: term.into(),
        index,
    }
}

fn hello() -> Hello {
    Hello {
        cluster: [1; 16],
        incarnation: Fingerprint([2; 32]),
        boot: Boot {
            counter: 5,
            nonce: [3; 16],
        },
        committed: Some(id(2, 100)),
        durable: Some(id(2, 105)),
        applied: Some(100),
        outstanding: None,
        vote: Some(Vote::new_committed(2, 1)),
        formats: vec![1],
        can_sign: BTreeMap::new(),
        power: Power::Mains,
        disk: Disk::Healthy,
        draining: false,
    }
}

/// What a memory of [`hello`] says to a changed one.
fn judged(change: impl FnOnce(&mut Hello)) -> Result<(), Suspect> {
    let mut memory = PeerMemory::default();
    memory.judge(&hello()).unwrap();
    let mut changed = hello();
    change(&mut changed);
    let verdict = memory.judge(&changed);
    if verdict.is_err() {
        memory
            .judge(&changed)
            .expect_err("a suspect does not become credible by repetition");
        memory.judge(&hello()).expect("what was remembered stays");
    }
    verdict
}

#[test]
fn a_restarted_peer_that_goes_on_is_believed() {
    judged(|hello| {
        hello.boot = Boot {
            counter: 6,
            nonce: [4; 16],
        };
        hello.durable = Some(id(3, 130));
        hello.committed = Some(id(3, 120));
        hello.vote = Some(Vote::new_committed(3, 2));
    })
    .unwrap();
}

#[test]
fn a_truncated_uncommitted_tail_is_not_suspect_r11() {
    judged(|hello| hello.durable = Some(id(2, 100))).unwrap();
}

#[test]
fn a_lower_committed_id_is_not_suspect_since_it_is_not_fsynced_r11() {
    judged(|hello| hello.committed = Some(id(2, 90))).unwrap();
    judged(|hello| hello.committed = None).unwrap();
}

#[test]
fn a_wiped_peer_has_another_key_r10() {
    let verdict = judged(|hello| hello.incarnation = Fingerprint([9; 32]));
    assert!(
        matches!(verdict, Err(Suspect::Incarnation { .. })),
        "{verdict:?}"
    );
}

#[test]
fn an_older_boot_is_a_restored_folder_r11() {
    let verdict = judged(|hello| hello.boot.counter = 4);
    assert_eq!(verdict, Err(Suspect::Counter { before: 5, now: 4 }));
}

#[test]
fn one_boot_with_two_nonces_is_a_clone_r11() {
    let verdict = judged(|hello| hello.boot.nonce = [8; 16]);
    assert_eq!(verdict, Err(Suspect::Clone { counter: 5 }));
}

#[test]
fn a_lower_vote_is_a_restored_disk_r11() {
    for vote in [
        None,
        Some(Vote::new_committed(1, 1)),
        Some(Vote::new(2, 1)),
        Some(Vote::new(2, 3)),
    ] {
        let verdict = judged(|hello| hello.vote = vote);
        assert!(
            matches!(verdict, Err(Suspect::Vote { .. })),
            "{vote:?}: {verdict:?}"
        );
    }
}

#[test]
fn a_log_that_no_longer_reaches_what_was_committed_is_a_restored_disk_r11() {
    // The last one went on under a later term after it was restored: a higher id, a shorter log.
    for durable in [None, Some(id(2, 99)), Some(id(1, 200)), Some(id(7, 60))] {
        let verdict = judged(|hello| hello.durable = durable);
        assert!(
            matches!(verdict, Err(Suspect::Log { .. })),
            "{durable:?}: {verdict:?}"
        );
    }
}

#[test]
fn what_was_once_committed_is_remembered_through_lower_claims() {
    let mut memory = PeerMemory::default();
    memory.judge(&hello()).unwrap();
    memory
        .judge(&Hello {
            committed: None,
            ..hello()
        })
        .unwrap();
    memory
        .judge(&Hello {
            durable: Some(id(2, 99)),
            ..hello()
        })
        .unwrap_err();
}
