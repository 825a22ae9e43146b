use std::fs;
use std::path::PathBuf;

use raft_store::types::EntryId;
use tezos::{Curve, PublicKeyHash, Signature};

use super::*;

const KEY: &str = "tz1RuHDSj9P7mNNhfKxsyLGRDahTX5QD1DdP";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.file()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "a whole last line");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn released(audit: &Audit, replayed: bool) -> Signature {
    let signature = Signature::from_raw(Curve::Ed25519, &[7; 64]).unwrap();
    let key: PublicKeyHash = KEY.parse().unwrap();
    audit.saw(
        3,
        Seen::Released {
            entry: EntryId { term: 2, index: 9 },
            replayed,
            key,
            message: &[0x13, 0xff],
            possession: false,
            signature: &signature,
            forwarded_by: Some(1),
        },
    );
    signature
}

#[test]
fn r46_a_released_signature_has_its_line_before_anything_else_can_happen() {
    let place = Place::new();
    let audit = Audit::open(&place.file()).unwrap();
    let before = monotonic_us();
    let signature = released(&audit, false);
    let [line] = &place.lines()[..] else {
        panic!("one line");
    };
    let at_us = line["at_us"].as_u64().unwrap();
    assert!((before..=monotonic_us()).contains(&at_us));
    assert!(line["wall"].as_str().unwrap().ends_with('Z'));
    let mut told = line.clone();
    for name in ["at_us", "wall"] {
        told.as_object_mut().unwrap().remove(name);
    }
    let expected = serde_json::json!({
        "event": "released",
        "node": 3,
        "entry": {"term": 2, "index": 9},
        "decided": {"term": 2, "index": 9},
        "key": KEY,
        "bytes": "13ff",
        "signature": signature.to_string(),
        "replayed": false,
        "forwarded_by": 1,
    });
    assert_eq!(told, expected);
}

#[test]
fn what_was_recorded_before_names_no_entry_of_its_own_as_that_which_allowed_it() {
    let place = Place::new();
    released(&Audit::open(&place.file()).unwrap(), true);
    let lines = place.lines();
    assert_eq!(lines[0]["entry"], serde_json::Value::Null);
    assert_eq!(lines[0]["decided"]["index"], 9);
}

#[test]
fn a_second_process_goes_on_where_the_first_ended() {
    let place = Place::new();
    released(&Audit::open(&place.file()).unwrap(), false);
    released(&Audit::open(&place.file()).unwrap(), false);
    assert_eq!(place.lines().len(), 2);
}

/// `/dev/full` takes no byte, as a full disk does.
#[test]
fn r46_a_line_that_cannot_be_written_is_counted_and_stops_nobody() {
    let audit = Audit::open(Path::new("/dev/full")).unwrap();
    released(&audit, false);
    released(&audit, false);
    assert_eq!(audit.lost().get(), 2);
}

#[test]
fn a_line_that_was_cut_off_swallows_no_later_one() {
    let place = Place::new();
    let audit = Audit::open(&place.file()).unwrap();
    released(&audit, false);
    audit.end().torn = true;
    released(&audit, false);
    let text = fs::read_to_string(place.file()).unwrap();
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!(lines.len(), 4, "two lines, the cut between them, the end");
    assert_eq!((lines[1], lines[3]), ("", ""));
}

#[test]
fn a_file_that_was_moved_away_is_made_again_when_asked() {
    let place = Place::new();
    let audit = Audit::open(&place.file()).unwrap();
    released(&audit, false);
    let old = place.folder.path().join("audit.jsonl.1");
    #[expect(
        clippy::disallowed_methods,
        reason = "as logrotate moves it, without an fsync"
    )]
    fs::rename(place.file(), &old).unwrap();
    released(&audit, false);
    assert_eq!(
        fs::read_to_string(&old).unwrap().lines().count(),
        2,
        "the old file goes on until then"
    );
    audit.reopen().unwrap();
    released(&audit, false);
    assert_eq!(place.lines().len(), 1);
}

#[test]
fn a_file_that_cannot_be_written_is_told_with_its_name_and_what_to_do() {
    let place = Place::new();
    let path = place.folder.path().join("no/such/audit.jsonl");
    for error in [
        Audit::open(&path).unwrap_err(),
        Audit::check(&path).unwrap_err(),
        Audit::check(place.folder.path()).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(
            text.contains("audit_file") && text.contains("remove the line"),
            "{text}"
        );
    }
    Audit::check(&place.file()).unwrap();
    assert!(!place.file().exists(), "checking makes nothing");
}
