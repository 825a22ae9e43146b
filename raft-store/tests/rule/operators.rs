//! What operators may change, and what their commands guarantee.

use raft_store::command::{
    AUTHORIZED_MAX, Answer, Command, Edit, Enrolment, Excess, FORMAT, IMPORTS_MAX, Import, Refusal,
};
use raft_store::state::{KEYS_MAX, ReleaseMode, Role};
use tezos::{Curve, Kind, Round, SecretKey};

use crate::asked::{
    Agreed, MOST, OTHER_CHAIN, bls_key, burnt, enrolment, granted, hash, import, key, level,
    recorded, refused, slot,
};

#[test]
fn every_command_names_the_generation_it_was_decided_on() {
    let mut agreed = Agreed::with(enrolment());
    let late = Command::Enrol(Box::new(enrolment()));
    let generation = |expected, actual| refused(Refusal::Generation { expected, actual });
    assert_eq!(
        agreed.command(late.clone()),
        generation(0, 1),
        "a repeated enrolment"
    );
    assert_eq!(agreed.disable(), Answer::Applied { generation: 2 });
    assert_eq!(
        agreed.command(late),
        generation(0, 2),
        "a late enrolment undoes no disable"
    );
    let late = Command::Enable {
        key: hash(),
        generation: 1,
    };
    assert_eq!(agreed.command(late), generation(1, 2));
    assert_eq!(agreed.ask((1, 0), 1), refused(Refusal::Disabled));
}

#[test]
fn a_refused_command_changes_nothing() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((10, 0), 1);
    let before = agreed.state.clone();
    // The release mode alone could be changed; the companion role cannot, so neither is.
    let answer = agreed.edit(Edit {
        release: Some(ReleaseMode::AfterCommit),
        role: Some(Role::Companion),
        ..Edit::default()
    });
    assert_eq!(answer, refused(Refusal::CompanionPolicy));
    assert_eq!(agreed.state, before);
}

#[test]
fn a_known_key_is_enrolled_again_only_while_it_is_disabled() {
    let mut agreed = Agreed::with(enrolment());
    assert_eq!(
        agreed.enrol_again(enrolment()),
        refused(Refusal::AlreadyEnrolled)
    );
    let importing = Enrolment {
        imports: vec![import(10, None)],
        ..enrolment()
    };
    assert_eq!(
        agreed.enrol_again(importing.clone()),
        refused(Refusal::ImportIntoEnabled)
    );
    agreed.disable();
    assert_eq!(
        agreed.enrol_again(importing),
        Answer::Applied { generation: 3 }
    );
    assert_eq!(agreed.ask((11, 0), 1), granted(1), "it is in service again");
}

#[test]
fn a_disabled_key_keeps_its_marks_for_ever() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((10, 0), 1);
    agreed.record((10, 0), 1, 7);
    let mark = agreed.mark(Kind::Block).cloned();
    agreed.disable();
    agreed.enrol_again(enrolment());
    assert_eq!(agreed.mark(Kind::Block).cloned(), mark);
    let conflict = refused(Refusal::Conflict { slot: slot(10, 0) });
    assert_eq!(agreed.ask((10, 0), 2), conflict);
}

#[test]
fn an_imported_slot_is_refused_to_everybody_the_same_message_included() {
    let imports = vec![import(10, Some(3))];
    let mut agreed = Agreed::with(Enrolment {
        imports,
        ..enrolment()
    });
    let (asked, mark) = (slot(10, 2), slot(10, 3));
    assert_eq!(
        agreed.ask((10, 3), 1),
        refused(Refusal::Burnt { slot: mark })
    );
    assert_eq!(
        agreed.record((10, 3), 1, 7),
        refused(Refusal::Burnt { slot: mark })
    );
    assert_eq!(
        agreed.ask((10, 2), 1),
        refused(Refusal::Below { asked, mark })
    );
    assert_eq!(agreed.ask((10, 4), 1), granted(1));
}

#[test]
fn an_import_without_a_round_makes_the_next_level_the_first_one() {
    let mut agreed = Agreed::with(Enrolment {
        imports: vec![import(10, None)],
        ..enrolment()
    });
    let (asked, mark) = (slot(10, 9), slot(10, MOST));
    assert_eq!(
        agreed.ask((10, 9), 1),
        refused(Refusal::Below { asked, mark })
    );
    assert_eq!(
        agreed.ask((10, MOST), 1),
        refused(Refusal::Burnt { slot: mark })
    );
    assert_eq!(agreed.ask((11, 0), 1), granted(1));
}

#[test]
fn an_import_at_the_slot_of_a_grant_burns_it_and_a_lower_one_changes_nothing() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((10, 0), 1);
    agreed.record((10, 0), 1, 7);
    agreed.disable();
    let lower = Enrolment {
        imports: vec![import(9, None)],
        ..enrolment()
    };
    agreed.enrol_again(lower);
    assert_eq!(agreed.ask((10, 0), 1), crate::asked::replayed(1, 7));
    agreed.disable();
    let equal = Enrolment {
        imports: vec![import(10, Some(0))],
        ..enrolment()
    };
    agreed.enrol_again(equal);
    assert_eq!(
        agreed.ask((10, 0), 1),
        refused(Refusal::Burnt { slot: slot(10, 0) })
    );
}

#[test]
fn r42_importing_twice_is_importing_once() {
    let importing = Enrolment {
        imports: vec![import(10, Some(3)), import(12, None)],
        ..enrolment()
    };
    let mut agreed = Agreed::with(importing.clone());
    let marks = agreed.state.keys[&hash()].marks.clone();
    agreed.now += 100;
    agreed.disable();
    agreed.enrol_again(importing);
    assert_eq!(agreed.state.keys[&hash()].marks, marks);
}

#[test]
fn r42_an_import_for_another_chain_is_refused_whole() {
    let foreign = Import {
        chain: OTHER_CHAIN,
        ..import(10, None)
    };
    let importing = Enrolment {
        imports: vec![import(10, None), foreign],
        ..enrolment()
    };
    let mut agreed = Agreed::empty();
    let answer = agreed.command(Command::Enrol(Box::new(importing)));
    assert_eq!(
        answer,
        refused(Refusal::ChainNotAllowed { chain: OTHER_CHAIN })
    );
    assert!(agreed.state.keys.is_empty());
}

#[test]
fn a_new_release_mode_first_burns_one_level_above_every_mark() {
    let mut agreed = Agreed::with(Enrolment {
        release: ReleaseMode::AfterCommit,
        ..enrolment()
    });
    agreed.ask((10, 3), 1);
    let after_record = Some(ReleaseMode::AfterRecord);
    agreed.edit(Edit {
        release: after_record,
        ..Edit::default()
    });
    let (asked, mark) = (slot(10, 3), slot(11, 0));
    assert_eq!(agreed.mark(Kind::Block), Some(&burnt(mark, agreed.now)));
    assert_eq!(
        agreed.ask((10, 3), 1),
        refused(Refusal::Below { asked, mark }),
        "not granted again"
    );
    assert_eq!(
        agreed.record((10, 3), 1, 7),
        refused(Refusal::MovedOn { asked, mark })
    );
    assert_eq!(
        agreed.ask((11, 0), 1),
        refused(Refusal::Burnt { slot: mark })
    );
    assert_eq!(agreed.ask((11, 1), 1), granted(1));
    assert_eq!(agreed.record((11, 1), 1, 7), recorded(1, 7));
    let before = agreed.state.keys[&hash()].marks.clone();
    agreed.edit(Edit {
        release: after_record,
        ..Edit::default()
    });
    assert_eq!(
        agreed.state.keys[&hash()].marks,
        before,
        "the same mode burns nothing"
    );
}

#[test]
fn enrolling_again_in_another_release_mode_burns_too() {
    let mut agreed = Agreed::with(Enrolment {
        release: ReleaseMode::AfterCommit,
        ..enrolment()
    });
    agreed.ask((10, 0), 1);
    agreed.disable();
    agreed.enrol_again(enrolment());
    assert_eq!(
        agreed.ask((11, 0), 1),
        refused(Refusal::Burnt { slot: slot(11, 0) })
    );
}

#[test]
fn r35_a_release_mode_cannot_change_when_no_level_is_left() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((MOST, 0), 1);
    let edit = Edit {
        release: Some(ReleaseMode::AfterCommit),
        ..Edit::default()
    };
    assert_eq!(
        agreed.edit(edit),
        refused(Refusal::NoLevelAbove {
            mark: slot(MOST, 0)
        })
    );
}

#[test]
fn raising_burns_up_to_the_level_and_lets_a_far_jump_pass() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((10, 0), 1);
    let limit = 1000;
    let jump = Refusal::Jump {
        asked: slot(90_000, 0),
        mark: level(10),
        limit,
    };
    assert_eq!(agreed.ask((90_000, 0), 2), refused(jump));
    assert_eq!(
        agreed.raise(None, 89_999),
        Answer::Applied { generation: 2 }
    );
    assert_eq!(agreed.ask((90_000, 0), 2), granted(2));
    for kind in [Kind::Preattestation, Kind::Attestation] {
        assert_eq!(
            agreed.mark(kind),
            Some(&burnt(slot(89_999, MOST), agreed.now)),
            "{kind}"
        );
    }
}

#[test]
fn raising_one_kind_leaves_the_others_and_raising_below_a_mark_is_refused() {
    let mut agreed = Agreed::with(enrolment());
    agreed.ask((10, 0), 1);
    assert_eq!(
        agreed.raise(Some(Kind::Block), 9),
        refused(Refusal::NothingToRaise { mark: slot(10, 0) })
    );
    assert_eq!(
        agreed.raise(Some(Kind::Attestation), 50),
        Answer::Applied { generation: 2 }
    );
    assert_eq!(
        agreed.mark(Kind::Block).map(|mark| mark.slot),
        Some(slot(10, 0))
    );
    assert_eq!(agreed.mark(Kind::Preattestation), None);
    assert_eq!(
        agreed.raise(None, 9),
        Answer::Applied { generation: 3 },
        "one kind has no mark yet"
    );
    assert_eq!(
        agreed.mark(Kind::Block).map(|mark| mark.slot),
        Some(slot(10, 0)),
        "none falls"
    );
}

#[test]
fn a_companion_key_is_bls_and_signs_attestations_only() {
    let companion = |public_key, kinds: &[Kind]| {
        let enrolment = Enrolment {
            role: Role::Companion,
            public_key,
            kinds: kinds.iter().copied().collect(),
            ..enrolment()
        };
        Agreed::empty().command(Command::Enrol(Box::new(enrolment)))
    };
    let (vote, block) = (Kind::Attestation, Kind::Block);
    assert_eq!(
        companion(bls_key(), &[vote]),
        Answer::Applied { generation: 1 }
    );
    let no = refused(Refusal::CompanionPolicy);
    assert_eq!(companion(bls_key(), &[vote, block]), no);
    assert_eq!(companion(key(), &[vote]), no);
}

#[test]
fn what_one_command_carries_is_limited() {
    let too_many = |what, limit| {
        refused(Refusal::TooMany {
            what,
            count: limit + 1,
            limit,
        })
    };
    let enrol = |enrolment| Agreed::empty().command(Command::Enrol(Box::new(enrolment)));
    let authorized = vec![key(); AUTHORIZED_MAX + 1];
    let answer = enrol(Enrolment {
        authorized,
        ..enrolment()
    });
    assert_eq!(answer, too_many(Excess::Clients, AUTHORIZED_MAX));
    let imports = vec![import(1, None); IMPORTS_MAX + 1];
    let answer = enrol(Enrolment {
        imports,
        ..enrolment()
    });
    assert_eq!(answer, too_many(Excess::Imports, IMPORTS_MAX));
    let mut agreed = Agreed::empty();
    let one_more = || Enrolment {
        public_key: SecretKey::generate(Curve::Ed25519)
            .unwrap()
            .public_key()
            .clone(),
        ..enrolment()
    };
    for _ in 0..KEYS_MAX {
        agreed.command(Command::Enrol(Box::new(one_more())));
    }
    let answer = agreed.command(Command::Enrol(Box::new(one_more())));
    assert_eq!(answer, too_many(Excess::Keys, KEYS_MAX));
}

#[test]
fn the_agreed_format_only_rises() {
    let mut agreed = Agreed::empty();
    assert_eq!(
        agreed.command(Command::Format { format: FORMAT }),
        Answer::Applied { generation: 0 }
    );
    agreed.command(Command::Format { format: 0 });
    assert_eq!(agreed.state.format, FORMAT);
    assert_eq!(Round::MAX.get(), MOST);
}
