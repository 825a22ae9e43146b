//! Histories as files.

use std::error::Error as _;
use std::io::Write as _;

use judge::history::{Action, Entry, Event, Line, Told};
use judge::{ReadError, read, read_file};

use crate::baker::{Baker, Message};
use crate::world::World;

/// A history with every event in it.
fn every_event() -> Vec<Line> {
    let mut world = World::of(Baker::tz3(1));
    let (node, entry) = (2, Entry { term: 1, index: 5 });
    world.heal();
    let baker = Baker::tz1(2);
    let burnt = vec![Message::attestation(3, 1).burnt(&baker)];
    let key = baker.address.clone();
    let bytes = "0312".to_owned();
    let actions = [
        Action::Enrol(baker.enrolled(3, burnt)),
        Action::Disable { key: key.clone() },
        Action::Enable { key: key.clone() },
        Action::Raise {
            key: key.clone(),
            chain: "NetX".to_owned(),
            level: 4,
        },
    ];
    let tolds = [Told::Committed, Told::Drained, Told::Refused, Told::Unknown];
    for (action, told) in actions.into_iter().zip(tolds) {
        let order = world.order(action);
        world.obeyed(order, told);
    }
    let (term, candidate) = (3, 1);
    let reason = "below_watermark".to_owned();
    for event in [
        Event::Ended {
            node,
            code: Some(74),
        },
        Event::Ended { node, code: None },
        Event::VoteDurable {
            node,
            term,
            candidate,
        },
        Event::SnapshotDurable { node, upto: entry },
        Event::Undone { node, from: 4 },
        Event::OtherDisk { node },
        Event::Refused {
            node,
            entry: Some(entry),
            key: key.clone(),
            bytes,
            reason,
        },
        Event::Proved { node, key, entry },
        Event::Fault {
            fault: 1,
            name: "pause".to_owned(),
            nodes: vec![1, 2],
            proof: "state T in /proc".to_owned(),
        },
        Event::FaultEnded { fault: 1 },
        Event::Decided { order: 1, entry },
    ] {
        world.say(event);
    }
    world.lines
}

#[test]
fn every_event_is_read_as_it_was_written() {
    let lines = every_event();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for line in &lines {
        writeln!(file, "{}", serde_json::to_string(line).unwrap()).unwrap();
    }
    assert_eq!(read_file(file.path()).unwrap(), lines);
}

#[test]
fn fields_for_people_in_the_audit_file_of_a_node_are_passed_over() {
    let text = r#"{"at_us":5,"event":"leads","node":1,"term":2,"wall":"2026-11-21T11:00:00Z"}"#;
    let event = Event::Leads { node: 1, term: 2 };
    assert_eq!(read(text.as_bytes()).unwrap(), [Line { at_us: 5, event }]);
    for text in [
        r#"{"at_us":7,"event":"applied","node":2,"entry":{"term":3,"index":9},"mark":{"key":"tz1","chain":"Net","kind":"block","level":5,"round":0,"digest":"aa"},"recorded":null,"wall":""}"#,
        r#"{"at_us":8,"event":"released","node":2,"entry":null,"key":"tz1","bytes":"12","signature":"sig","replayed":true,"decided":{"term":3,"index":9},"forwarded_by":3,"wall":""}"#,
        r#"{"at_us":9,"event":"proved","node":2,"entry":{"term":3,"index":9},"key":"tz4","signature":"sig","forwarded_by":null,"wall":""}"#,
        r#"{"at_us":9,"event":"refused","node":2,"entry":null,"key":"tz1","bytes":"12","reason":"below","asked":{"level":4},"forwarded_by":null,"wall":""}"#,
    ] {
        assert_eq!(read(text.as_bytes()).unwrap().len(), 1);
    }
}

#[test]
fn a_field_that_nobody_knows_or_that_is_left_out_is_no_detail() {
    for (bad, why) in [
        (
            r#"{"at_us":5,"zzz":4,"event":"leads","node":1,"term":2}"#,
            "unknown field `zzz`",
        ),
        (
            r#"{"at_us":5,"event":"leads","node":1,"term":2,"recorded":null}"#,
            "unknown field `recorded`",
        ),
        (
            r#"{"at_us":5,"event":"undone","node":1,"from":2,"form":1}"#,
            "unknown field `form`",
        ),
        (
            r#"{"at_us":5,"event":"snapshot_durable","node":1,"upto":{"term":1,"index":2,"idx":3}}"#,
            "unknown field `idx`",
        ),
        (
            r#"{"at_us":5,"event":"state","node":1,"marks":[{"key":"tz1","chain":"Net","kind":"block","level":5,"round":0,"digest":"aa","slot":1}]}"#,
            "unknown field `slot`",
        ),
        (
            r#"{"at_us":5,"event":"released","node":1,"key":"tz1","bytes":"12","signature":"sig"}"#,
            "missing field `entry`",
        ),
        (
            r#"{"at_us":5,"event":"durable","node":1,"entry":{"term":1,"index":2}}"#,
            "missing field `mark`",
        ),
    ] {
        let fault = read(bad.as_bytes()).unwrap_err();
        let source = fault.source().unwrap().to_string();
        assert!(source.contains(why), "{source}");
    }
}

#[test]
fn a_line_that_is_no_event_is_named_and_nothing_is_judged() {
    let good = r#"{"at_us":5,"event":"leads","node":1,"term":2}"#;
    for (bad, why) in [
        ("{\"at_us\":5,\"event\":\"lead", "EOF"),
        (
            r#"{"at_us":5,"event":"dances"}"#,
            "unknown variant `dances`",
        ),
        (
            r#"{"at_us":5,"event":"leads","node":1}"#,
            "missing field `term`",
        ),
        (
            r#"{"event":"leads","node":1,"term":2}"#,
            "missing field `at_us`",
        ),
    ] {
        let text = format!("{good}\n\n{bad}\n{good}\n");
        let fault = read(text.as_bytes()).unwrap_err();
        assert!(
            matches!(fault, ReadError::Event { line: 3, .. }),
            "{fault:?}"
        );
        assert!(fault.to_string().contains("line 3"), "{fault}");
        assert!(
            fault.source().unwrap().to_string().contains(why),
            "{fault:?}"
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let fault = read_file(&folder.path().join("run.jsonl")).unwrap_err();
    assert!(fault.to_string().contains("run.jsonl"), "{fault}");
}
