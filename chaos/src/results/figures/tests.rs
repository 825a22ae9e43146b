use judge::history::{Event, Line};

use super::*;

fn line(ms: u64, event: Event) -> Line {
    Line {
        // Not from zero: the clock of a machine never is.
        at_us: ms.saturating_mul(1_000).saturating_add(7_000_000),
        event,
    }
}

fn asked(ms: u64, request: u64, client: u64, bytes: &str) -> Line {
    line(
        ms,
        Event::Asked {
            request,
            client,
            node: 1,
            key: "tz1".into(),
            bytes: bytes.into(),
        },
    )
}

fn answered(ms: u64, request: u64, status: u16) -> Line {
    line(
        ms,
        Event::Answered {
            request,
            status,
            signature: (status == 200).then(|| "sig".into()),
            text: String::new(),
        },
    )
}

fn fault(ms: u64, fault: u64, name: &str) -> Line {
    line(
        ms,
        Event::Fault {
            fault,
            name: name.into(),
            nodes: vec![1],
            proof: "gone".into(),
        },
    )
}

fn healed(ms: u64) -> Line {
    line(
        ms,
        Event::Healed {
            bound_us: 1,
            nodes: vec![],
        },
    )
}

/// Node 1 leads and is killed at 100 ms; two bakers ask; node 2 leads from 700 ms on.
fn history() -> Vec<Line> {
    vec![
        line(0, Event::Leads { node: 1, term: 1 }),
        asked(10, 1, 1, "aa"),
        answered(20, 1, 200),
        asked(30, 2, 2, "ab"), // the other baker's message for the same slot
        answered(40, 2, 409),
        asked(90, 3, 1, "bb"),
        fault(100, 1, KILL_LEADER),
        line(
            100,
            Event::Ended {
                node: 1,
                code: None,
            },
        ),
        answered(110, 3, 0),
        asked(120, 4, 1, "bb"),
        line(700, Event::Leads { node: 2, term: 2 }),
        answered(710, 4, 200),
        asked(720, 5, 2, "bc"),
        answered(1_800, 5, 502), // and this baker gives up
        line(1_900, Event::FaultEnded { fault: 1 }),
        healed(2_000),
        asked(2_010, 6, 1, "bb"), // a repeat says nothing about a fresh slot
        answered(2_020, 6, 200),
        asked(2_030, 7, 1, "cc"),
        answered(2_130, 7, 200),
        asked(2_140, 8, 1, "dd"), // never answered
    ]
}

#[test]
fn each_request_is_counted_once_under_what_it_came_to() {
    let figures = Figures::of(&history());
    assert_eq!(figures.requests, 8);
    assert_eq!(figures.signed, 4);
    assert_eq!(figures.refused, 1);
    assert_eq!(figures.failed, 3);
    assert_eq!(figures.duration_ms, 2_140);
    let sum = |pick: fn(&Bin) -> u64| figures.timeline.iter().map(pick).sum::<u64>();
    assert_eq!(sum(|bin| bin.signed), figures.signed);
    assert_eq!(sum(|bin| bin.refused), figures.refused);
    assert_eq!(sum(|bin| bin.failed), figures.failed);
}

#[test]
fn a_message_is_lost_if_its_baker_got_neither_a_signature_nor_a_decision() {
    // "bc" and "dd"; "bb" failed once and was signed, "ab" was refused.
    assert_eq!(Figures::of(&history()).lost, 2);
}

#[test]
fn the_gap_runs_from_who_waited_first_to_the_next_signature() {
    let figures = Figures::of(&history());
    // From 720, when the second baker asked, over its failure, to the signature at 2020.
    assert_eq!(
        figures.worst_gap,
        Some(Gap {
            from_ms: 720,
            to_ms: 2_020
        })
    );
    assert_eq!(figures.worst_gap_ms(), 1_300);
}

#[test]
fn nobody_waits_after_a_refusal() {
    let history = [
        asked(0, 1, 1, "aa"),
        answered(10, 1, 409),
        asked(5_000, 2, 1, "bb"),
        answered(5_020, 2, 200),
    ];
    assert_eq!(Figures::of(&history).worst_gap_ms(), 20);
}

#[test]
fn an_outage_at_the_end_counts_as_a_gap() {
    let history = [
        asked(0, 1, 1, "aa"),
        answered(10, 1, 200),
        asked(20, 2, 1, "bb"),
        answered(900, 2, 502),
    ];
    assert_eq!(Figures::of(&history).worst_gap_ms(), 880);
}

#[test]
fn the_gap_after_a_killed_leader_is_counted_with_the_fault() {
    let history: Vec<Line> = history()
        .into_iter()
        .filter(|line| line.at_us < 7_715_000)
        .collect();
    // "bb" was waiting from 90 ms on and signed at 710.
    let gaps = Figures::of(&history).gaps;
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].fault.as_str(), gaps[0].ms), (KILL_LEADER, 620));
}

#[test]
fn recovery_is_the_first_signature_of_a_message_first_asked_after_healing() {
    assert_eq!(Figures::of(&history()).recovery_ms, Some(130));
    let without: Vec<Line> = history()
        .into_iter()
        .filter(|line| !matches!(line.event, Event::Healed { .. }))
        .collect();
    assert_eq!(Figures::of(&without).recovery_ms, None);
}

#[test]
fn a_leader_leads_until_another_does_or_its_process_ends() {
    let figures = Figures::of(&history());
    let bands: Vec<_> = figures
        .leaders
        .iter()
        .map(|band| (band.node, band.from_ms, band.to_ms))
        .collect();
    assert_eq!(bands, [(1, 0, 100), (2, 700, 2_140)]);
}

#[test]
fn a_fault_lasts_until_it_is_ended() {
    let figures = Figures::of(&history());
    assert_eq!(
        (figures.faults[0].from_ms, figures.faults[0].to_ms),
        (100, 1_900)
    );
    let open = Figures::of(&[fault(0, 1, "x"), healed(50)]);
    assert_eq!((open.faults[0].from_ms, open.faults[0].to_ms), (0, 50));
}

#[test]
fn a_slice_has_a_length_that_one_can_read_and_there_are_at_most_200() {
    let mut bin = 50;
    for next in [100, 200, 500, 1_000, 2_000, 5_000, 10_000] {
        bin = bin_after(bin);
        assert_eq!(bin, next);
    }
    for ms in [0, 9_999, 10_000, 90_000, 86_400_000] {
        let lines = [healed(0), healed(ms)];
        assert!(Figures::of(&lines).timeline.len() <= 200, "{ms}");
    }
}

#[test]
fn an_empty_history_has_no_figures() {
    let figures = Figures::of(&[]);
    assert_eq!(figures.requests, 0);
    assert_eq!(figures.worst_gap, None);
}
