//! octez-signer's files, and what holds for every source (R42).

use super::*;

#[test]
fn each_file_of_octez_signer_holds_the_marks_of_its_kind_under_its_older_name_too() {
    let imports = gathered(TZ1, octez_folder(TZ1, 8_000_001, 8_000_003, 8_000_002)).unwrap();
    assert_eq!(
        imports,
        [
            import(Kind::Block, 8_000_001, Some(0)),
            import(Kind::Preattestation, 8_000_003, Some(0)),
            import(Kind::Attestation, 8_000_002, Some(0)),
        ]
    );
    assert_eq!(
        octez::kind_of("preendorsement_high_watermarks"),
        Some(Kind::Preattestation)
    );
    assert_eq!(
        octez::kind_of("endorsement_high_watermarks"),
        Some(Kind::Attestation)
    );
    assert_eq!(octez::kind_of("secret_keys"), None);
}

/// Octez v23 began new files under new names; a signer that was updated has both.
#[test]
fn r42_of_the_older_and_the_newer_file_the_higher_mark_counts() {
    let mut entries = octez_folder(TZ1, 100, 100, 100);
    let older = octez_file(&[(TZ1, 150, 2)]);
    entries.extend(octez::marks("endorsement_high_watermarks", Kind::Attestation, &older).unwrap());
    let imports = gathered(TZ1, entries).unwrap();
    assert!(imports.contains(&import(Kind::Attestation, 150, Some(2))));
    assert_eq!(imports.len(), 3);
}

#[test]
fn r42_the_same_files_named_twice_are_the_same_import() {
    let once = octez_folder(TZ1, 100, 101, 102);
    let twice = [once.clone(), once.clone()].concat();
    assert_eq!(gathered(TZ1, twice), gathered(TZ1, once));
}

/// `check_mark` of an octez-signer from before rounds were kept refuses the whole level.
#[test]
fn a_mark_without_a_round_is_the_whole_level() {
    let text = format!(r#"{{ "{MAINNET}": {{ "{TZ1}": {{ "level": 7, "hash": "00" }} }} }}"#);
    let entries = octez::marks("block_high_watermarks", Kind::Block, &text).unwrap();
    let imports = gathered(TZ1, entries).unwrap();
    assert!(imports.contains(&import(Kind::Block, 7, None)));
}

/// A map would keep one of them, and not the higher one.
#[test]
fn a_key_that_stands_in_a_file_twice_keeps_its_higher_mark() {
    for levels in [[9, 8], [8, 9]] {
        let marks = levels.map(|level| (TZ1, level, 0));
        let entries = octez::marks("block_high_watermarks", Kind::Block, &octez_file(&marks));
        let imports = gathered(TZ1, entries.unwrap()).unwrap();
        assert!(imports.contains(&import(Kind::Block, 9, Some(0))));
    }
}

#[test]
fn a_tz4_vote_at_a_level_far_off_the_others_is_refused() {
    let entries = octez_folder(TZ4, 8_012_345, misread(8_012_346), 8_012_346);
    let said = gathered(TZ4, entries).unwrap_err();
    assert!(said.contains("preattestation_high_watermarks"), "{said}");
    assert!(
        said.contains("far off the others, which go up to level 8012345"),
        "{said}"
    );
    assert!(
        said.contains("--import preattestation:NetXdQprcVkpaWU=LEVEL"),
        "{said}"
    );
}

/// One level in five hundred is misread as a lower one: taken, it would allow what was signed.
#[test]
fn a_tz4_vote_that_was_misread_downward_is_refused() {
    let level = 0x7a_0005;
    assert_eq!(misread(level), 327_680);
    let entries = octez_folder(TZ4, level - 1, level, misread(level));
    assert!(gathered(TZ4, entries).unwrap_err().contains("far off"));
}

#[test]
fn a_tz4_vote_that_was_misread_as_a_negative_level_is_refused() {
    let level = 0x7a_9000;
    assert!(misread(level) < 0);
    let entries = octez_folder(TZ4, level - 1, level, misread(level));
    assert!(gathered(TZ4, entries).unwrap_err().contains("attestation"));
}

#[test]
fn a_misread_tz4_level_that_is_near_the_others_by_chance_is_refused() {
    let level = 8_060_928;
    assert_eq!(level % 65_536, 0);
    let entries = octez_folder(TZ4, level - 400_000, level, level + 1);
    let said = gathered(TZ4, entries).unwrap_err();
    assert!(said.contains("its lower half is zero"), "{said}");
    assert_eq!(
        said.lines().count(),
        1,
        "the other vote is well read: {said}"
    );
}

#[test]
fn a_tz4_vote_that_was_read_well_is_taken() {
    let entries = octez_folder(TZ4, 8_012_000, 8_012_345, 8_012_346);
    let imports = gathered(TZ4, entries).unwrap();
    assert!(imports.contains(&import(Kind::Attestation, 8_012_346, Some(0))));
}

#[test]
fn a_tz4_vote_with_nothing_to_hold_it_against_is_refused_until_a_mark_is_typed() {
    let file = octez_file(&[(TZ4, 8_012_346, 0)]);
    let entries = octez::marks("attestation_high_watermarks", Kind::Attestation, &file).unwrap();
    let said = gathered(TZ4, entries.clone()).unwrap_err();
    assert!(said.contains("no other mark on this chain"), "{said}");
    let typed = Import {
        kind: None,
        ..import(Kind::Attestation, 8_012_400, None)
    };
    let imports = with_typed(TZ4, entries, std::slice::from_ref(&typed)).unwrap();
    assert!(imports.contains(&typed));
    assert!(imports.contains(&import(Kind::Attestation, 8_012_346, Some(0))));
}

#[test]
fn a_typed_mark_stands_in_for_one_that_was_misread_and_that_is_told() {
    let entries = octez_folder(TZ4, 8_012_345, misread(8_012_346), 8_012_346);
    let typed = import(Kind::Preattestation, 8_012_400, None);
    let said = Said {
        key: hash(TZ4),
        by_hand: std::slice::from_ref(&typed),
        chains: None,
    };
    let gathered = gather(&[("f".to_owned(), entries)], said).unwrap();
    let of_kind = |kind| {
        gathered
            .imports
            .iter()
            .filter(move |one| one.kind == Some(kind))
    };
    assert_eq!(of_kind(Kind::Preattestation).collect::<Vec<_>>(), [&typed]);
    assert!(
        gathered
            .lines
            .iter()
            .any(|line| line.starts_with("left out "))
    );
    assert!(
        gathered
            .lines
            .iter()
            .any(|line| line.starts_with("read attestation_high"))
    );
}

/// A small baker's last block may be months old, and its votes are not.
#[test]
fn a_stale_block_mark_is_no_reason_to_refuse_the_votes_of_a_tz1() {
    let entries = octez_folder(TZ1, 3_000_000, 8_012_346, 8_012_346);
    let imports = gathered(TZ1, entries).unwrap();
    assert!(imports.contains(&import(Kind::Attestation, 8_012_346, Some(0))));
}

#[test]
fn a_level_that_no_block_has_is_refused_for_every_key() {
    for level in [-1, i64::from(i32::MAX) + 1] {
        let said = gathered(TZ1, octez_folder(TZ1, level, 5, 5)).unwrap_err();
        assert!(said.contains("no block has that level"), "{said}");
    }
}

/// "Nothing there" may be a file that was forgotten, or one of another name.
#[test]
fn a_kind_without_a_mark_is_burnt_up_to_the_highest_of_the_others() {
    let mut entries = octez_folder(TZ1, 100, 120, 110);
    entries.retain(|entry| entry.kind != Ok(Kind::Block));
    let imports = gathered(TZ1, entries).unwrap();
    assert!(imports.contains(&import(Kind::Block, 120, None)));
}

#[test]
fn r42_the_files_of_another_key_are_refused_and_their_keys_are_named() {
    let said = gathered(TZ1, octez_folder(TZ1_OTHER, 1, 2, 3)).unwrap_err();
    assert!(said.contains(&format!("no mark of {TZ1}")), "{said}");
    assert!(
        said.contains(&format!("it has marks of {TZ1_OTHER};")),
        "{said}"
    );
}

#[test]
fn r42_marks_for_a_chain_that_is_not_listed_are_refused() {
    let text = octez_file(&[(TZ1, 7, 0)]).replace(MAINNET, GHOSTNET);
    let entries = octez::marks("block_high_watermarks", Kind::Block, &text).unwrap();
    let chains = floors(&[import(Kind::Block, 1, None)]).unwrap();
    let said = Said {
        key: hash(TZ1),
        by_hand: &[],
        chains: Some(&chains),
    };
    let said = gather(&[("f".to_owned(), entries)], said).unwrap_err();
    assert_eq!(said.0.len(), 1, "told once, not once a kind: {said}");
    assert!(said.to_string().contains(GHOSTNET), "{said}");
}

#[test]
fn every_fault_of_every_source_is_told_at_once() {
    let mut entries = octez_folder(TZ4, -5, misread(8_012_346), 8_012_346);
    entries[2].chain = "mainnet".to_owned();
    let sources = [
        ("a".to_owned(), entries),
        ("b".to_owned(), octez_folder(TZ1, 1, 1, 1)),
    ];
    let said = Said {
        key: hash(TZ4),
        by_hand: &[],
        chains: None,
    };
    let faults = gather(&sources, said).unwrap_err();
    assert_eq!(faults.0.len(), 4, "{faults}");
}

#[test]
fn a_file_that_is_cut_off_or_of_something_else_is_refused_by_its_name() {
    let whole = octez_file(&[(TZ1, 7, 0)]);
    let cut = &whole[..whole.len() - 3];
    for text in [cut, "", "[]", r#"{"NetX": {"tz1": {"round": 1}}}"#] {
        let read = octez::marks("/b/block_high_watermarks", Kind::Block, text);
        let said = not_understood(read);
        assert!(
            said.starts_with("/b/block_high_watermarks: not a file"),
            "{said}"
        );
        assert!(said.contains("line 1"), "{said}");
    }
}

#[test]
fn without_a_listed_chain_the_next_slot_of_the_highest_mark_is_above_the_floor() {
    let floor = |imports: &[Import]| floors(imports).unwrap().floor(ChainId::MAINNET);
    let (slot, level) = (
        import(Kind::Attestation, 100, Some(2)),
        import(Kind::Block, 100, None),
    );
    // The next slot is round 3 of the same level.
    assert_eq!(floor(std::slice::from_ref(&slot)), Level::new(100));
    assert_eq!(floor(std::slice::from_ref(&level)), Level::new(101));
    assert_eq!(floor(&[slot, level]), Level::new(100));
    let last = import(Kind::Block, 2_147_483_647, None);
    assert!(floors(&[last]).is_err());
}
