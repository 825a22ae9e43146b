//! The bytes of a proposal never change: they are in the logs of every running cluster.

use std::collections::BTreeSet;

use raft_store::codec;
use raft_store::command::{
    Act, Command, Edit, Enrolment, PermitAsked, Permitted, Proposal, Record,
};
use raft_store::state::{Chains, ReleaseMode, Role};
use tezos::{BallotVote, Kind, Level, OperationName};

use crate::asked::{CHAIN, block, enrolment, hash, import, key, level, message, signature, slot};

fn one_of_each() -> Vec<(&'static str, Act)> {
    let (key_hash, generation) = (hash(), 300);
    let permit = |what| PermitAsked {
        key: key_hash,
        digest: message(4),
        what,
    };
    let edit = Box::new(Edit {
        role: Some(Role::Consensus),
        release: Some(ReleaseMode::AfterCommit),
        kinds: Some([Kind::Block].into()),
        operations: Some([OperationName::Ballot].into()),
        votes: Some([BallotVote::Pass].into()),
        chains: Some(Chains::Any { floor: Level::MAX }),
        authorized: Some(vec![key()]),
    });
    let enrol = Enrolment {
        imports: vec![import(7, Some(2)), import(9, None)],
        ..enrolment()
    };
    let advance = block(slot(1_000_000, 2), message(3));
    vec![
        ("advance", Act::Advance(advance.clone())),
        (
            "record",
            Act::Record(Record {
                advance,
                signature: signature(5),
            }),
        ),
        (
            "permit operation",
            Act::Permit(permit(Permitted::Operation {
                names: BTreeSet::from([OperationName::Reveal, OperationName::Ballot]),
                votes: BTreeSet::from([BallotVote::Yay]),
            })),
        ),
        (
            "permit possession",
            Act::Permit(permit(Permitted::Possession)),
        ),
        ("enrol", Act::Command(Command::Enrol(Box::new(enrol)))),
        (
            "edit",
            Act::Command(Command::Edit {
                key: key_hash,
                generation,
                edit,
            }),
        ),
        (
            "disable",
            Act::Command(Command::Disable {
                key: key_hash,
                generation,
            }),
        ),
        (
            "enable",
            Act::Command(Command::Enable {
                key: key_hash,
                generation,
            }),
        ),
        (
            "raise",
            Act::Command(Command::Raise {
                key: key_hash,
                generation,
                chain: CHAIN,
                kind: Some(Kind::Attestation),
                level: level(8),
            }),
        ),
        ("format", Act::Command(Command::Format { format: 2 })),
    ]
}

/// R34: bytes that another version wrote are read as what was meant. When a line here has to
/// change, the format has changed: raise `command::FORMAT` and keep reading the old one.
#[test]
fn proposals_have_the_bytes_they_always_had() {
    let golden = include_str!("golden.txt");
    let mut found = String::new();
    for (name, act) in one_of_each() {
        let bytes = codec::encode(&Proposal {
            at_s: 1_700_000_000,
            act: act.clone(),
        })
        .unwrap();
        found.push_str(&format!("{name}: {}\n", hex::encode(&bytes)));
        let read: Proposal = codec::decode(&bytes).unwrap();
        assert_eq!(
            read,
            Proposal {
                at_s: 1_700_000_000,
                act
            }
        );
    }
    assert_eq!(found, golden);
}

#[test]
fn r36_a_proposal_of_a_later_format_is_refused_by_its_number() {
    let act = Act::Command(Command::Format { format: 1 });
    let tomorrow = codec::encode(&(2u16, 1_700_000_000u64, act)).unwrap();
    let error = codec::decode::<Proposal>(&tomorrow)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a proposal of format 2: this version reads up to 1"),
        "{error}"
    );
}

#[test]
fn commands_answers_and_refusals_are_readable_text_for_the_admin_socket() {
    use raft_store::command::{Answer, Refusal};
    for (_, act) in one_of_each() {
        let text = serde_json::to_string(&act).unwrap();
        assert_eq!(serde_json::from_str::<Act>(&text).unwrap(), act, "{text}");
    }
    let answer = Answer::Refused(Refusal::Below {
        asked: slot(1, 2),
        mark: slot(3, 4),
    });
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(
        serde_json::from_str::<Answer>(&text).unwrap(),
        answer,
        "{text}"
    );
}
