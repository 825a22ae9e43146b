//! The table of the rule, row by row, and the limits of its numbers.

use std::collections::BTreeSet;

use raft_store::command::{Advance, Answer, Edit, Permitted, Refusal};
use raft_store::state::{CHAINS_MAX, Chains, ReleaseMode};
use tezos::{BallotVote, ChainId, Kind, Level, OperationName};

use crate::asked::{
    Agreed, MOST, OTHER_CHAIN, block, bls_key, enrolment, granted, hash, level, message, recorded,
    refused, replayed, slot,
};

#[test]
fn a_key_that_is_not_enrolled_is_refused() {
    assert_eq!(Agreed::empty().ask((10, 0), 1), refused(Refusal::Unknown));
    assert_eq!(
        Agreed::empty().record((10, 0), 1, 1),
        refused(Refusal::Unknown)
    );
}

#[test]
fn r1_the_first_message_of_a_slot_is_granted_and_every_other_is_refused() {
    let mut agreed = Agreed::with(enrolment());
    assert_eq!(agreed.ask((10, 0), 1), granted(1));
    assert_eq!(
        agreed.ask((10, 0), 2),
        refused(Refusal::Conflict { slot: slot(10, 0) })
    );
    assert_eq!(
        agreed.ask((10, 0), 1),
        granted(1),
        "the same message is granted again"
    );
}

#[test]
fn r2_a_slot_below_the_mark_is_refused_whatever_its_message() {
    let mut agreed = Agreed::with(enrolment());
    for at in [(10, 0), (10, 1), (11, 0)] {
        assert_eq!(agreed.ask(at, 1), granted(1), "{at:?} is above the mark");
    }
    let mark = slot(11, 0);
    for (level, round) in [(10, 0), (10, 1), (10, 7), (0, 0), (10, MOST)] {
        let asked = slot(level, round);
        assert_eq!(
            agreed.ask((level, round), 1),
            refused(Refusal::Below { asked, mark })
        );
    }
}

#[test]
fn kinds_and_chains_have_a_mark_each() {
    let mut agreed = Agreed::with(enrolment());
    agreed.edit(Edit {
        chains: Some(Chains::Any { floor: Level::ZERO }),
        ..Edit::default()
    });
    assert_eq!(agreed.ask((10, 0), 1), granted(1));
    for kind in [Kind::Preattestation, Kind::Attestation] {
        let low = Advance {
            kind,
            ..block(slot(5, 0), message(2))
        };
        assert_eq!(
            agreed.advance(low),
            granted(2),
            "{kind} starts from its own mark"
        );
    }
    let elsewhere = Advance {
        chain: OTHER_CHAIN,
        ..block(slot(5, 0), message(3))
    };
    assert_eq!(agreed.advance(elsewhere), granted(3));
}

#[test]
fn r14_the_first_recorded_signature_wins_and_is_replayed_from_then_on() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((10, 0), 1);
    assert_eq!(agreed.record((10, 0), 1, 7), recorded(1, 7));
    assert_eq!(
        agreed.record((10, 0), 1, 8),
        recorded(1, 7),
        "the second one is told the first"
    );
    assert_eq!(agreed.ask((10, 0), 1), replayed(1, 7));
    assert_eq!(
        agreed.ask((10, 0), 2),
        refused(Refusal::Conflict { slot: slot(10, 0) })
    );
}

#[test]
fn r14_a_signature_is_not_recorded_once_the_mark_moved_on() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((10, 0), 1);
    agreed.ask((10, 1), 2);
    let (asked, mark) = (slot(10, 0), slot(10, 1));
    assert_eq!(
        agreed.record((10, 0), 1, 7),
        refused(Refusal::MovedOn { asked, mark })
    );
    assert_eq!(agreed.record((10, 1), 2, 8), recorded(2, 8));
}

#[test]
fn a_signature_is_not_recorded_for_what_was_never_granted() {
    let mut agreed = Agreed::with(enrolment());
    let never = refused(Refusal::NeverGranted { slot: slot(10, 0) });
    assert_eq!(agreed.record((10, 0), 1, 7), never, "there is no mark");
    agreed.ask((9, 0), 1);
    assert_eq!(agreed.record((10, 0), 1, 7), never, "the mark is below");
    agreed.ask((10, 0), 1);
    let conflict = refused(Refusal::Conflict { slot: slot(10, 0) });
    assert_eq!(
        agreed.record((10, 0), 2, 7),
        conflict,
        "the mark is another message's"
    );
}

#[test]
fn r25_a_disabled_key_gets_nothing_but_what_was_recorded_before() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((10, 0), 1);
    agreed.record((10, 0), 1, 7);
    agreed.ask((11, 0), 2);
    assert_eq!(agreed.disable(), Answer::Applied { generation: 2 });
    let disabled = refused(Refusal::Disabled);
    assert_eq!(agreed.ask((11, 0), 2), disabled);
    assert_eq!(agreed.ask((12, 0), 3), disabled);
    assert_eq!(
        agreed.record((11, 0), 2, 8),
        disabled,
        "a signature on its way stays inside"
    );
    assert_eq!(agreed.enable(), Answer::Applied { generation: 3 });
    assert_eq!(agreed.record((11, 0), 2, 8), recorded(2, 8));
    agreed.disable();
    assert_eq!(
        agreed.ask((11, 0), 2),
        replayed(2, 8),
        "that signature is out already"
    );
}

#[test]
fn r12_a_locked_cluster_signs_nothing() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((10, 0), 1);
    agreed.state.locked = true;
    let locked = refused(Refusal::Locked);
    assert_eq!(agreed.ask((11, 0), 1), locked);
    assert_eq!(agreed.record((10, 0), 1, 7), locked);
    assert_eq!(agreed.permit(hash(), Permitted::Possession), locked);
}

#[test]
fn r27_a_chain_or_a_kind_that_is_not_enrolled_is_refused() {
    let mut agreed = Agreed::with(enrolment());
    let elsewhere = Advance {
        chain: OTHER_CHAIN,
        ..block(slot(10, 0), message(1))
    };
    let not_allowed = refused(Refusal::ChainNotAllowed { chain: OTHER_CHAIN });
    assert_eq!(agreed.advance(elsewhere), not_allowed);
    agreed.edit(Edit {
        kinds: Some([Kind::Block].into()),
        ..Edit::default()
    });
    let kind = Kind::Attestation;
    let vote = Advance {
        kind,
        ..block(slot(10, 0), message(1))
    };
    assert_eq!(
        agreed.advance(vote),
        refused(Refusal::KindNotAllowed { kind })
    );
}

#[test]
fn r35_the_lowest_and_the_highest_slots_are_slots_like_any_other() {
    let mut agreed = Agreed::with(enrolment());
    assert_eq!(agreed.ask((0, 0), 1), granted(1));
    assert_eq!(
        agreed.ask((0, 0), 2),
        refused(Refusal::Conflict { slot: slot(0, 0) })
    );
    assert_eq!(agreed.ask((0, MOST), 2), granted(2));
    agreed.now += u64::from(MOST);
    assert_eq!(agreed.ask((MOST, 0), 3), granted(3));
    assert_eq!(agreed.ask((MOST, MOST), 4), granted(4));
    let top = slot(MOST, MOST);
    assert_eq!(
        agreed.ask((MOST, MOST), 5),
        refused(Refusal::Conflict { slot: top })
    );
    let below = Refusal::Below {
        asked: slot(0, 0),
        mark: top,
    };
    assert_eq!(agreed.ask((0, 0), 1), refused(below));
}

#[test]
fn a_jump_is_limited_by_the_time_since_the_mark_moved_and_by_a_thousand_levels_at_least() {
    let mut agreed = Agreed::with(enrolment());
    assert_eq!(
        agreed.ask((5_000_000, 0), 1),
        granted(1),
        "a floor of zero takes what comes first"
    );
    let jump = |to, limit| {
        refused(Refusal::Jump {
            asked: slot(to, 0),
            mark: level(5_000_000),
            limit,
        })
    };
    assert_eq!(agreed.ask((5_001_001, 0), 2), jump(5_001_001, 1000));
    agreed.now += 2_000;
    assert_eq!(agreed.ask((5_002_001, 0), 2), jump(5_002_001, 2000));
    assert_eq!(agreed.ask((5_002_000, 0), 2), granted(2));
}

#[test]
fn r16_a_clock_that_goes_back_refuses_jumps_and_never_allows_a_low_slot() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((100, 0), 1);
    agreed.now = 0;
    let limit = 1000;
    let jump = Refusal::Jump {
        asked: slot(1_101, 0),
        mark: level(100),
        limit,
    };
    assert_eq!(agreed.ask((1_101, 0), 2), refused(jump));
    assert_eq!(agreed.ask((1_100, 0), 2), granted(2));
    agreed.now = u64::MAX;
    let below = Refusal::Below {
        asked: slot(99, 0),
        mark: slot(1_100, 0),
    };
    assert_eq!(agreed.ask((99, 0), 3), refused(below));
}

#[test]
fn granting_again_does_not_reset_the_clock_of_the_mark() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((100, 0), 1);
    agreed.now += 5_000;
    assert_eq!(agreed.ask((100, 0), 1), granted(1));
    assert_eq!(agreed.ask((5_100, 0), 2), granted(2));
}

#[test]
fn the_wildcard_chain_holds_marks_on_a_limited_number_of_chains() {
    let mut agreed = Agreed::with(enrolment());
    agreed.edit(Edit {
        chains: Some(Chains::Any { floor: Level::ZERO }),
        ..Edit::default()
    });
    let on = |number: u32, of| Advance {
        chain: ChainId(number.to_be_bytes()),
        ..block(slot(10, 0), message(of))
    };
    let limit = CHAINS_MAX;
    for number in 0..u32::try_from(limit).unwrap() {
        assert_eq!(agreed.advance(on(number, 1)), granted(1));
    }
    assert_eq!(
        agreed.advance(on(u32::MAX, 1)),
        refused(Refusal::TooManyChains { limit })
    );
    let known = Advance {
        kind: Kind::Attestation,
        ..on(7, 2)
    };
    assert_eq!(
        agreed.advance(known),
        granted(2),
        "a chain that has a mark goes on"
    );
}

#[test]
fn a_message_without_a_slot_is_permitted_by_the_name_of_everything_in_it() {
    let mut agreed = Agreed::with(enrolment());
    let asked = |names: &[OperationName], votes: &[BallotVote]| Permitted::Operation {
        names: names.iter().copied().collect(),
        votes: votes.iter().copied().collect(),
    };
    let (reveal, ballot) = (OperationName::Reveal, OperationName::Ballot);
    let not_allowed = refused(Refusal::OperationNotAllowed { name: reveal });
    assert_eq!(agreed.permit(hash(), asked(&[reveal], &[])), not_allowed);
    agreed.edit(Edit {
        operations: Some([reveal, ballot].into()),
        votes: Some([BallotVote::Yay].into()),
        ..Edit::default()
    });
    let permitted = Answer::Permitted { digest: message(1) };
    assert_eq!(
        agreed.permit(hash(), asked(&[reveal, ballot], &[BallotVote::Yay])),
        permitted
    );
    let no = refused(Refusal::VoteNotAllowed {
        vote: BallotVote::Nay,
    });
    assert_eq!(
        agreed.permit(hash(), asked(&[ballot], &[BallotVote::Nay])),
        no
    );
    let name = OperationName::Transaction;
    let both = agreed.permit(hash(), asked(&[reveal, name], &[]));
    assert_eq!(both, refused(Refusal::OperationNotAllowed { name }));
    agreed.disable();
    assert_eq!(
        agreed.permit(hash(), asked(&[reveal], &[])),
        refused(Refusal::Disabled)
    );
}

#[test]
fn only_a_bls_key_proves_its_possession() {
    let mut agreed = Agreed::with(enrolment());
    let no = refused(Refusal::NoPossession);
    assert_eq!(agreed.permit(hash(), Permitted::Possession), no);
    let bls = bls_key();
    let mut agreed = Agreed::with(raft_store::command::Enrolment {
        public_key: bls.clone(),
        release: ReleaseMode::AfterCommit,
        ..enrolment()
    });
    let yes = Answer::Permitted { digest: message(1) };
    assert_eq!(agreed.permit(bls.hash(), Permitted::Possession), yes);
}

#[test]
fn a_permit_moves_no_mark() {
    let mut agreed = Agreed::with(enrolment());
    agreed.edit(Edit {
        operations: Some([OperationName::Reveal].into()),
        ..Edit::default()
    });
    let before = agreed.state.clone();
    let names = BTreeSet::from([OperationName::Reveal]);
    agreed.permit(
        hash(),
        Permitted::Operation {
            names,
            votes: BTreeSet::new(),
        },
    );
    assert_eq!(agreed.state, before);
    assert_eq!(agreed.mark(Kind::Block), None);
}
