//! The bytes on disk and between nodes, held: a change of one of them needs a new format.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and writes what a test must damage"
)]

mod entries;

use std::collections::{BTreeMap, BTreeSet};

use entries::{entry, id, vote};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderError,
    TransferLeaderRequest, VoteRequest, VoteResponse,
};
use proptest::prelude::*;
use raft_store::{
    codec::{self, CodecError, MAX_FRAME, Request, Response, Wire},
    guard::Guard,
    types::{
        Entry, EntryPayload, Fingerprint, LogId, Member, Membership, SnapshotMeta,
        StoredMembership, Vote,
    },
};

fn member(number: u8) -> Member {
    Member {
        address: format!("n{number}:7101"),
        fingerprint: Fingerprint([number; 32]),
    }
}

fn membership() -> Membership {
    let configs = vec![BTreeSet::from([1, 2]), BTreeSet::from([2, 3])];
    let nodes: BTreeMap<u64, Member> = [
        (1, member(1)),
        (2, member(2)),
        (3, member(3)),
        (4, member(4)),
    ]
    .into();
    Membership::new(configs, nodes).unwrap()
}

fn meta() -> SnapshotMeta {
    SnapshotMeta {
        last_log_id: Some(id(3, 300)),
        last_membership: StoredMembership::new(Some(id(2, 4)), membership()),
    }
}

fn blank(term: u64, index: u64) -> Entry {
    Entry {
        log_id: id(term, index),
        payload: EntryPayload::Blank,
    }
}

fn requests() -> Vec<Request> {
    let ask = VoteRequest {
        vote: Vote::new(5, 2),
        last_log_id: Some(id(4, 40)),
        leadership_transfer: true,
    };
    vec![
        Request::Append(AppendEntriesRequest {
            vote: vote(3, 1),
            prev_log_id: Some(id(2, 6)),
            entries: vec![blank(3, 7), entry(3, 8)],
            leader_commit: Some(id(3, 7)),
        }),
        Request::Vote(ask.clone()),
        Request::PreVote(ask),
        Request::Snapshot {
            vote: vote(3, 1),
            meta: meta(),
            data: b"state".to_vec(),
        },
        Request::TransferLeader(TransferLeaderRequest::new(vote(3, 1), 2, Some(id(3, 8)))),
    ]
}

fn responses() -> Vec<Response> {
    let changed = TransferLeaderError::VoteChanged {
        expected: vote(3, 1),
        actual: vote(4, 2),
    };
    let lagging = TransferLeaderError::LogNotFlushed {
        expected: Some(id(3, 8)),
        actual: None,
    };
    vec![
        Response::Append(AppendEntriesResponse::Success),
        Response::Append(AppendEntriesResponse::PartialSuccess(Some(id(3, 7)))),
        Response::Append(AppendEntriesResponse::Conflict),
        Response::Append(AppendEntriesResponse::HigherVote(vote(9, 3))),
        Response::Vote(VoteResponse::new(vote(5, 2), Some(id(4, 40)), true)),
        Response::Snapshot(SnapshotResponse::new(vote(3, 1))),
        Response::TransferLeader(Ok(())),
        Response::TransferLeader(Err(changed)),
        Response::TransferLeader(Err(lagging)),
    ]
}

/// Value to bytes, bytes to the same value and the same bytes.
fn golden<T: Wire + std::fmt::Debug>(name: &str, value: &T) -> String {
    let frame = codec::encode_wire(value).unwrap();
    let back: T = codec::decode_wire(&frame).unwrap();
    assert_eq!(format!("{back:?}"), format!("{value:?}"));
    assert_eq!(codec::encode_wire(&back).unwrap(), frame);
    format!("{name} {}\n", hex::encode(frame))
}

fn guard() -> Guard {
    Guard {
        incarnation: Fingerprint([7; 32]),
        boot: 3,
        vote: Some(vote(3, 1)),
        reached: Some(id(2, 300)),
        mirrored: true,
        synced: Some(70_000),
    }
}

#[test]
fn the_bytes_are_the_golden_bytes() {
    let mut text = golden("vote", &vote(3, 1));
    text += &golden("vote asked", &Vote::new(3, 1));
    text += &golden("log id", &id(300, 70_000));
    text += &golden("membership", &membership());
    text += &golden("no membership", &StoredMembership::default());
    text += &golden("entry blank", &blank(1, 0));
    text += &golden("entry command", &entry(2, 9));
    let change = Entry {
        log_id: id(2, 4),
        payload: EntryPayload::Membership(membership()),
    };
    text += &golden("entry membership", &change);
    text += &golden("snapshot meta", &meta());
    for (number, request) in requests().iter().enumerate() {
        text += &golden(&format!("request {number}"), request);
    }
    for (number, response) in responses().iter().enumerate() {
        text += &golden(&format!("response {number}"), response);
    }
    let frame = codec::encode(&guard()).unwrap();
    assert_eq!(codec::decode::<Guard>(&frame), Ok(guard()));
    text += &format!("guard {}\n", hex::encode(frame));
    let held = include_str!("store_codec.golden");
    assert!(
        text == held,
        "the bytes changed; if that is meant, change FORMAT too\n{text}"
    );
}

#[test]
fn vote_and_pre_vote_differ_and_name_their_sender() {
    let requests = requests();
    let senders: Vec<u64> = requests.iter().map(Request::sender).collect();
    assert_eq!(senders, [1, 2, 2, 1, 1]);
    let [_, ask, pre, ..] = &requests[..] else {
        panic!("five requests")
    };
    assert_ne!(
        codec::encode_wire(ask).unwrap(),
        codec::encode_wire(pre).unwrap()
    );
}

#[test]
fn every_cut_extension_and_flip_of_a_frame_is_refused_r8() {
    let frame = codec::encode_wire(&entry(2, 9)).unwrap();
    for cut in 0..frame.len() {
        codec::decode_wire::<Entry>(&frame[..cut]).unwrap_err();
    }
    codec::decode_wire::<Entry>(&[&frame[..], &[0]].concat()).unwrap_err();
    for bit in 0..frame.len() * 8 {
        let mut flipped = frame.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        codec::decode_wire::<Entry>(&flipped).unwrap_err();
    }
}

#[test]
fn a_value_with_something_behind_it_is_refused() {
    let frame = codec::encode(&(7u8, 8u8)).unwrap();
    assert_eq!(codec::decode::<u8>(&frame), Err(CodecError::Trailing(1)));
}

#[test]
fn sizes_are_limited_in_both_directions() {
    let large = serde_bytes::ByteBuf::from(vec![0; MAX_FRAME]);
    assert!(matches!(
        codec::encode(&large),
        Err(CodecError::TooLarge(_))
    ));
    let frame = vec![codec::FORMAT; MAX_FRAME + 1];
    assert_eq!(
        codec::decode::<u8>(&frame),
        Err(CodecError::TooLarge(MAX_FRAME + 1))
    );
}

#[test]
fn a_length_that_lies_allocates_nothing() {
    // A vector of 2^60 elements, with a correct checksum.
    let body = [&[253][..], &(1u64 << 60).to_le_bytes()].concat();
    let sum = crc32c::crc32c_append(crc32c::crc32c(&[codec::FORMAT]), &body).to_le_bytes();
    let frame = [&[codec::FORMAT][..], &sum, &body].concat();
    assert!(matches!(
        codec::decode::<Vec<u64>>(&frame),
        Err(CodecError::Body(_))
    ));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        // Behind a correct header, so that the decoder itself is reached.
        let sum = crc32c::crc32c_append(crc32c::crc32c(&[codec::FORMAT]), &bytes).to_le_bytes();
        let frame = [&[codec::FORMAT][..], &sum, &bytes].concat();
        drop(codec::decode_wire::<Request>(&frame));
        drop(codec::decode_wire::<Response>(&frame));
        drop(codec::decode_wire::<Entry>(&frame));
        drop(codec::decode_wire::<SnapshotMeta>(&frame));
    }

    #[test]
    fn ids_and_votes_come_back(term: u64, index: u64, node: u64, committed: bool) {
        let at = id(term, index);
        prop_assert_eq!(codec::decode_wire::<LogId>(&codec::encode_wire(&at).unwrap()).unwrap(), at);
        let vote = if committed { Vote::new_committed(term, node) } else { Vote::new(term, node) };
        let frame = codec::encode_wire(&vote).unwrap();
        prop_assert_eq!(codec::decode_wire::<Vote>(&frame).unwrap(), vote);
    }
}
