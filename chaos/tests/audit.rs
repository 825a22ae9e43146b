//! The audit file of a node is a history: the judge reads what the node wrote, and shares no code
//! with it (R46).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Debug;

use judge::history::{Entry, Event, Kind, Mark};
use node::audit::Audit;
use raft_store::command::Advance;
use raft_store::state::{self, Stamp};
use raft_store::types::EntryId;
use raft_store::witness::{Seen, Witness as _};
use tezos::{ChainId, Curve, Digest, Level, PublicKeyHash, Round, SecretKey, Signature, Slot};

const NODE: u64 = 3;
const CHAIN: ChainId = ChainId([0x7a, 0x06, 0xa7, 0x70]);
const MESSAGE: &[u8] = &[0x13, 0xab];

/// Something that was seen, and what the judge must read of it.
struct Told<'a> {
    seen: Seen<'a>,
    read: Event,
}

/// Everything that the lines are about.
struct Facts {
    key: PublicKeyHash,
    signature: Signature,
    advance: Advance,
    granted: state::Mark,
    burnt: state::Mark,
}

fn facts() -> Facts {
    let secret = SecretKey::generate(Curve::Ed25519).unwrap();
    let key = secret.public_key().hash();
    let slot = Slot::new(Level::new(70).unwrap(), Round::ZERO);
    let digest = Digest::of(MESSAGE);
    let mark = |stamp| state::Mark {
        slot,
        stamp,
        moved_at_s: 0,
    };
    Facts {
        key,
        signature: secret.sign(MESSAGE),
        advance: Advance {
            key,
            chain: CHAIN,
            kind: tezos::Kind::Attestation,
            slot,
            digest,
        },
        granted: mark(Stamp::Signed {
            digest,
            signature: None,
        }),
        burnt: mark(Stamp::Burnt),
    }
}

const SEEN_ENTRY: EntryId = EntryId { term: 2, index: 9 };
const READ_ENTRY: Entry = Entry { term: 2, index: 9 };

#[expect(clippy::too_many_lines, reason = "one row for each thing that is seen")]
fn told(facts: &Facts) -> Vec<Told<'_>> {
    let node = NODE;
    let (key, bytes) = (facts.key.to_string(), hex::encode(MESSAGE));
    let text = facts.signature.to_string();
    let mark = |digest: String| Mark {
        key: key.clone(),
        chain: CHAIN.to_string(),
        kind: Kind::Attestation,
        level: 70,
        round: 0,
        digest,
    };
    let digest = Digest::of(MESSAGE).to_string();
    let applied = |mark| Seen::Applied {
        entry: SEEN_ENTRY,
        key: facts.key,
        chain: CHAIN,
        kind: tezos::Kind::Attestation,
        mark,
    };
    let released = |replayed, possession| Seen::Released {
        entry: SEEN_ENTRY,
        replayed,
        key: facts.key,
        message: MESSAGE,
        possession,
        signature: &facts.signature,
        forwarded_by: None,
    };
    let read_released = |entry| Event::Released {
        node,
        entry,
        key: key.clone(),
        bytes: bytes.clone(),
        signature: text.clone(),
    };
    let (term, candidate, counter, entry) = (4, 1, 12, READ_ENTRY);
    let rows = [
        (Seen::Boot { counter }, Event::Boot { node, counter }),
        (
            Seen::Vote { term, candidate },
            Event::Vote {
                node,
                term,
                candidate,
            },
        ),
        (Seen::Leads { term }, Event::Leads { node, term }),
        (
            Seen::Durable {
                entry: SEEN_ENTRY,
                advance: Some(&facts.advance),
            },
            Event::Durable {
                node,
                entry,
                mark: Some(mark(digest.clone())),
            },
        ),
        (
            Seen::Durable {
                entry: SEEN_ENTRY,
                advance: None,
            },
            Event::Durable {
                node,
                entry,
                mark: None,
            },
        ),
        (Seen::Undone { from: 5 }, Event::Undone { node, from: 5 }),
        (
            applied(&facts.granted),
            Event::Applied {
                node,
                entry,
                mark: mark(digest),
            },
        ),
        (
            applied(&facts.burnt),
            Event::Applied {
                node,
                entry,
                mark: mark(String::new()),
            },
        ),
        (
            Seen::Signed {
                key: facts.key,
                message: MESSAGE,
                possession: false,
                signature: &facts.signature,
            },
            Event::Signed {
                node,
                key: key.clone(),
                bytes: bytes.clone(),
                signature: text.clone(),
            },
        ),
        (released(false, false), read_released(Some(entry))),
        (released(true, false), read_released(None)),
        (
            released(false, true),
            Event::Proved {
                node,
                key: key.clone(),
                entry,
            },
        ),
        (
            Seen::Refused {
                entry: None,
                key: facts.key,
                message: MESSAGE,
                place: None,
                digest: None,
                reason: "disabled",
                forwarded_by: Some(1),
            },
            Event::Refused {
                node,
                entry: None,
                key: key.clone(),
                bytes: bytes.clone(),
                reason: "disabled".to_owned(),
            },
        ),
    ];
    rows.map(|(seen, read)| Told { seen, read }).into()
}

fn same<T: Debug + PartialEq>(found: &[T], expected: &[T]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn r46_the_judge_reads_every_line_of_an_audit_file_as_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let facts = facts();
    let audit = Audit::open(&path).unwrap();
    for told in told(&facts) {
        audit.saw(NODE, told.seen);
    }
    let lines = judge::read_file(&path).unwrap();
    let events: Vec<Event> = lines.iter().map(|line| line.event.clone()).collect();
    let expected: Vec<Event> = told(&facts).into_iter().map(|told| told.read).collect();
    same(&events, &expected);
    assert!(lines.is_sorted_by_key(|line| line.at_us), "in their order");
}
