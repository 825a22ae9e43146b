//! tacoinfra's configuration, and the rows of its table.

use super::*;

fn row(kind: &str, level: i64, round: i64) -> String {
    format!(
        r#"{{"sig_type": {{"S": "{kind}_{MAINNET}_{TZ1}"}}, "lastblock": {{"N": "{level}"}}, "lastround": {{"N": "{round}"}}}}"#
    )
}

fn scan() -> String {
    let items = [
        row("Baking", 8_012_300, 2),
        row("Preendorsement", 8_012_347, 0),
        row("Endorsement", 8_012_346, 1),
    ];
    format!(
        r#"{{"Items": [{}], "Count": 3, "ScannedCount": 3, "ConsumedCapacity": null}}"#,
        items.join(", ")
    )
}

fn expected() -> [Import; 3] {
    [
        import(Kind::Block, 8_012_300, Some(2)),
        import(Kind::Preattestation, 8_012_347, Some(0)),
        import(Kind::Attestation, 8_012_346, Some(1)),
    ]
}

#[test]
fn the_rows_of_a_scan_are_marks() {
    let imports = gathered(TZ1, rows("marks.json", &scan()).unwrap());
    assert_eq!(imports.unwrap(), expected());
}

#[test]
fn the_lines_of_an_export_and_bare_values_are_marks_too() {
    let lines = [
        row("Baking", 8_012_300, 2),
        row("Preendorsement", 8_012_347, 0),
        row("Endorsement", 8_012_346, 1),
    ]
    .map(|row| format!("{{\"Item\": {row}}}\n"))
    .concat();
    let imports = gathered(TZ1, rows("marks.json", &lines).unwrap());
    assert_eq!(imports.unwrap(), expected());
    let bare = format!(r#"[{{"type": "Baking_{MAINNET}_{TZ1}", "lastblock": 7, "lastround": 1}}]"#);
    let imports = gathered(TZ1, rows("marks.json", &bare).unwrap()).unwrap();
    assert!(imports.contains(&import(Kind::Block, 7, Some(1))));
}

#[test]
fn the_rows_of_signatorys_table_are_marks_and_their_blocks_whole_levels() {
    let text = format!(
        r#"{{"Items": [{{"idx": {{"S": "{MAINNET}/{TZ1}"}}, "request": {{"S": "block"}}, "lvl": {{"N": "9"}}, "round": {{"N": "1"}}}}]}}"#
    );
    let imports = gathered(TZ1, rows("marks.json", &text).unwrap()).unwrap();
    assert!(imports.contains(&import(Kind::Block, 9, None)));
}

/// Half of a table would be marks that are missing, and missing marks are slots to be signed again.
#[test]
fn one_page_of_a_table_is_refused() {
    let page = scan().replace("\"Count\"", r#""NextToken": "eyJ", "Count""#);
    let said = not_understood(rows("marks.json", &page));
    assert!(said.contains("one page of several (NextToken)"), "{said}");
}

#[test]
fn a_row_that_is_no_mark_is_refused_by_its_number() {
    let odd = scan().replace(r#"{"N": "8012347"}"#, r#"{"N": "many"}"#);
    let said = not_understood(rows("marks.json", &odd));
    assert!(
        said.contains("row 2: lastblock is no whole number"),
        "{said}"
    );
    let odd = scan().replace(&format!("Endorsement_{MAINNET}_{TZ1}"), "Endorsement");
    let said = not_understood(rows("marks.json", &odd));
    assert!(said.contains("row 3: sig_type \"Endorsement\""), "{said}");
}

/// "tag 0x29 BLS attestation level 106: read as level 6946816 round 13789", from a run of it.
#[test]
fn a_tz4_vote_that_it_misread_is_refused() {
    let text = [row("Baking", 105, 0), row("Endorsement", 6_946_816, 13_789)]
        .map(|row| format!("{{\"Item\": {row}}}\n"))
        .concat()
        .replace(TZ1, TZ4);
    let said = gathered(TZ4, rows("marks.json", &text).unwrap()).unwrap_err();
    assert!(said.contains("far off the others"), "{said}");
    assert!(said.contains("6946816"), "{said}");
}

const PUBLIC: &str = "edpkuBknW28nW72KG6RoHtYW7p12T6GKc7nAbwYX5m8Wd9sDVC9yav";
const SECRET: &str = "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh";

fn keys_json(ratchet: &str, keys: &str) -> String {
    format!(
        r#"{{"chain_ratchet": "{ratchet}", "ddb_table": "marks", "aws_region": "eu-west-1", "keys": {keys}, "policy": {{"baking": 1}}}}"#
    )
}

#[test]
fn keys_json_has_no_marks_and_says_how_to_get_them() {
    for keys in [
        format!(r#"["{PUBLIC}:pkcs11_hsm:baking"]"#),
        format!(r#"{{"{TZ1}": {{"private_handle": 7}}}}"#),
        // It cannot be told whose secret key this is; the rows name the keys themselves.
        format!(r#"["{SECRET}"]"#),
    ] {
        let found = content("keys.json", &keys_json("dynamodb", &keys), hash(TZ1)).unwrap();
        let Content::Table { export } = found else {
            panic!("{found:?}")
        };
        assert!(
            export.contains("--table-name marks --region eu-west-1"),
            "{export}"
        );
    }
}

#[test]
fn r42_keys_json_of_another_key_is_refused() {
    let keys = format!(r#"{{"{TZ1_OTHER}": {{}}}}"#);
    let said = content("keys.json", &keys_json("dynamodb", &keys), hash(TZ1));
    let said = said.unwrap_err().to_string();
    assert!(said.contains("not among its keys"), "{said}");
}

#[test]
fn a_ratchet_in_memory_has_left_no_marks_and_is_refused() {
    let keys = format!(r#"["{PUBLIC}"]"#);
    let said = content("keys.json", &keys_json("mockery", &keys), hash(TZ1));
    let said = said.unwrap_err().to_string();
    assert!(said.contains("--import CHAIN=LEVEL"), "{said}");
}

/// R32. The configuration may hold secret keys, and a fault is printed and logged.
#[test]
fn no_fault_of_keys_json_repeats_a_secret_key() {
    let keys = format!(r#"["{SECRET}"]"#);
    for text in [
        keys_json("mockery", &keys),
        keys_json("sqlite", &keys),
        keys_json("dynamodb", &format!(r#""{SECRET}""#)),
        keys_json("dynamodb", &keys).replace("\"chain_ratchet\"", "\"x\""),
        format!(r#"{{"Items": ["{SECRET}"]}}"#),
        format!("[\"{SECRET}\""),
    ] {
        let said = content("keys.json", &text, hash(TZ1));
        let said = said.unwrap_err().to_string();
        assert!(!said.contains(&SECRET[..12]), "{said}");
        assert!(said.starts_with("keys.json: "), "{said}");
    }
}
