//! Floors: the first level that may be signed, and how it may move.

use raft_store::command::{Answer, Edit, Enrolment, Refusal};
use raft_store::state::Chains;
use tezos::{ChainId, Kind};

use crate::asked::{
    Agreed, CHAIN, MOST, OTHER_CHAIN, burnt, enrolment, granted, level, listed, refused, slot,
};

fn chains(floors: &[(ChainId, u32)]) -> Edit {
    Edit {
        chains: Some(listed(floors)),
        ..Edit::default()
    }
}

fn with_floor(floor: u32) -> Agreed {
    Agreed::with(Enrolment {
        chains: listed(&[(CHAIN, floor)]),
        ..enrolment()
    })
}

#[test]
fn the_floor_is_the_first_level_that_may_be_signed() {
    let mut agreed = with_floor(100);
    let below = Refusal::BelowFloor {
        asked: slot(99, MOST),
        floor: level(100),
    };
    assert_eq!(agreed.ask((99, MOST), 1), refused(below));
    assert_eq!(agreed.ask((100, 0), 1), granted(1));
}

#[test]
fn a_floor_above_zero_counts_as_a_mark_for_the_jump_rule() {
    let mut agreed = with_floor(100);
    let jump = |limit| Refusal::Jump {
        asked: slot(1_101, 0),
        mark: level(100),
        limit,
    };
    assert_eq!(agreed.ask((1_101, 0), 1), refused(jump(1000)));
    assert_eq!(agreed.ask((1_100, 0), 1), granted(1));
}

#[test]
fn a_signature_below_a_floor_that_rose_is_not_recorded() {
    let mut agreed = with_floor(0);
    agreed.ask((10, 0), 1);
    agreed.edit(chains(&[(CHAIN, 20)]));
    let below = Refusal::BelowFloor {
        asked: slot(10, 0),
        floor: level(20),
    };
    assert_eq!(agreed.record((10, 0), 1, 7), refused(below));
}

#[test]
fn a_floor_may_be_corrected_downward_but_never_to_or_below_a_mark() {
    let mut agreed = with_floor(100);
    assert_eq!(
        agreed.edit(chains(&[(CHAIN, 50)])),
        Answer::Applied { generation: 2 }
    );
    assert_eq!(agreed.ask((60, 0), 1), granted(1));
    agreed.edit(chains(&[(CHAIN, 200)]));
    for floor in [60, 10, 0] {
        let at_mark = Refusal::FloorAtMark {
            chain: CHAIN,
            floor: level(floor),
            mark: slot(60, 0),
        };
        assert_eq!(agreed.edit(chains(&[(CHAIN, floor)])), refused(at_mark));
    }
    assert_eq!(
        agreed.edit(chains(&[(CHAIN, 61)])),
        Answer::Applied { generation: 4 }
    );
}

#[test]
fn enrolling_again_takes_the_higher_floor_whichever_way_the_chains_are_written() {
    let any = |floor| Chains::Any {
        floor: level(floor),
    };
    let one = |floor| listed(&[(CHAIN, floor)]);
    for (first, second) in [
        (one(100), one(5)),
        (one(5), one(100)),
        (any(100), one(5)),
        (one(100), any(5)),
        (any(100), any(5)),
        (any(5), any(100)),
    ] {
        let enrolled = |chains: &Chains| Enrolment {
            chains: chains.clone(),
            ..enrolment()
        };
        let mut agreed = Agreed::with(enrolled(&first));
        agreed.disable();
        agreed.enrol_again(enrolled(&second));
        let below = Refusal::BelowFloor {
            asked: slot(99, 0),
            floor: level(100),
        };
        assert_eq!(
            agreed.ask((99, 0), 1),
            refused(below),
            "{first:?} then {second:?}"
        );
        assert_eq!(
            agreed.ask((100, 0), 1),
            granted(1),
            "{first:?} then {second:?}"
        );
    }
}

#[test]
fn taking_a_chain_out_and_putting_it_back_lowers_nothing() {
    let mut agreed = with_floor(100);
    agreed.edit(chains(&[(OTHER_CHAIN, 0)]));
    for kind in Kind::ALL {
        assert_eq!(
            agreed.mark(*kind),
            Some(&burnt(slot(99, MOST), agreed.now)),
            "{kind}"
        );
    }
    agreed.edit(chains(&[(CHAIN, 0)]));
    let mark = slot(99, MOST);
    let below = Refusal::Below {
        asked: slot(99, 0),
        mark,
    };
    assert_eq!(agreed.ask((99, 0), 1), refused(below));
    assert_eq!(agreed.ask((100, 0), 1), granted(1));
}

#[test]
fn r35_a_floor_at_the_highest_level_leaves_that_level() {
    let mut agreed = with_floor(MOST);
    assert_eq!(agreed.ask((MOST, 0), 1), granted(1));
}
