//! Signatory's files.

use super::*;

fn file(kinds: &str) -> Vec<Entry> {
    let text = format!(r#"{{ "{TZ1}": {{ {kinds} }} }}"#);
    signatory_marks("NetXdQprcVkpaWU.json", MAINNET, &text).unwrap()
}

/// Marks as Signatory indents them, with the hash that it calls a block payload hash.
const GENUINE: &str = r#"{
    "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx": {
        "attestation": {
            "level": 8012346,
            "round": 1,
            "hash": "vh2TyrWeZ2dydEy9ZjmvrjQvyCs5sdHZPypcZrXDUSM1tNuPermf"
        },
        "attestation_with_dal": {
            "level": 8012347,
            "round": 0,
            "hash": "vh2TyrWeZ2dydEy9ZjmvrjQvyCs5sdHZPypcZrXDUSM1tNuPermf"
        },
        "block": {
            "level": 8012300,
            "round": 2,
            "hash": null
        },
        "preattestation": {
            "level": 8012347,
            "round": 0,
            "hash": "vh2TyrWeZ2dydEy9ZjmvrjQvyCs5sdHZPypcZrXDUSM1tNuPermf"
        }
    }
}"#;

/// Its round of a block is that of the payload, and the block was signed in that round or later.
#[test]
fn the_round_of_a_block_says_nothing_so_the_next_level_is_the_first_to_be_signed() {
    let entries = signatory_marks("NetXdQprcVkpaWU.json", MAINNET, GENUINE).unwrap();
    let imports = gathered(TZ1, entries).unwrap();
    assert!(imports.contains(&import(Kind::Block, 8_012_300, None)));
    assert!(imports.contains(&import(Kind::Preattestation, 8_012_347, Some(0))));
}

#[test]
fn of_attestations_with_and_without_dal_content_the_higher_mark_counts() {
    let entries = signatory_marks("NetXdQprcVkpaWU.json", MAINNET, GENUINE).unwrap();
    let imports = gathered(TZ1, entries).unwrap();
    assert!(imports.contains(&import(Kind::Attestation, 8_012_347, Some(0))));
    assert_eq!(imports.len(), 3);
    let entries = file(
        r#""attestation": {"level": 9, "round": 4}, "attestation_with_dal": {"level": 9, "round": 3}"#,
    );
    let imports = gathered(TZ1, entries).unwrap();
    assert!(imports.contains(&import(Kind::Attestation, 9, Some(4))));
}

#[test]
fn the_older_names_of_the_kinds_are_known() {
    let entries = file(
        r#""endorsement": {"level": 9, "round": 1}, "preendorsement": {"level": 8, "round": 2}"#,
    );
    let imports = gathered(TZ1, entries).unwrap();
    assert!(imports.contains(&import(Kind::Attestation, 9, Some(1))));
    assert!(imports.contains(&import(Kind::Preattestation, 8, Some(2))));
}

#[test]
fn a_kind_that_is_not_known_is_refused_and_not_passed_over() {
    let said = gathered(
        TZ1,
        file(r#""attestation_with_zk": {"level": 9, "round": 1}"#),
    );
    let said = said.unwrap_err();
    assert!(said.contains("attestation_with_zk"), "{said}");
}

/// It reads tz4 votes where their level is.
#[test]
fn a_tz4_vote_is_taken_as_it_stands() {
    let text = GENUINE.replace(TZ1, TZ4);
    let entries = signatory_marks("NetXdQprcVkpaWU.json", MAINNET, &text).unwrap();
    let imports = gathered(TZ4, entries).unwrap();
    assert!(imports.contains(&import(Kind::Attestation, 8_012_347, Some(0))));
}

#[test]
fn a_file_of_the_first_layout_is_refused_by_its_name() {
    let first = format!(r#"{{ "block": {{ "{TZ1}": 7 }} }}"#);
    let said = not_understood(signatory_marks("/s/NetXdQprcVkpaWU.json", MAINNET, &first));
    assert!(
        said.starts_with("/s/NetXdQprcVkpaWU.json: not a file"),
        "{said}"
    );
}
