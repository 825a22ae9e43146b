//! The page over results in which every text tries to break out.

mod markup;

use std::collections::BTreeMap;

use markup::Document;

use super::*;
use crate::results::{
    Bin, Broken, FailingSeed, FaultBand, Figures, Gap, GapAfter, HAND_OVER, KILL_LEADER,
    LeaderBand, Machine, Measured, MutantResult, Origin, ScenarioResult, Simulation, Verdict,
    Versions,
};

/// A text that is markup, an attribute's end, a comment and an address, if anybody lets it.
fn nasty(place: &str) -> String {
    format!(
        "</td></title><script src='https://evil.example/x.js'>{place}</script><!-- \"><img src=x> &amp; {place}"
    )
}

fn figures() -> Figures {
    Figures {
        duration_ms: 12_345,
        requests: 70_001,
        signed: 40_002,
        refused: 20_003,
        failed: 9_996,
        lost: 7_007,
        worst_gap: Some(Gap {
            from_ms: 1_111,
            to_ms: 3_456,
        }),
        recovery_ms: Some(876),
        gaps: vec![
            GapAfter {
                fault: KILL_LEADER.into(),
                ms: 937,
            },
            GapAfter {
                fault: HAND_OVER.into(),
                ms: 113,
            },
        ],
        bin_ms: 100,
        timeline: (0..124)
            .map(|number| Bin {
                from_ms: u64::saturating_mul(number, 100),
                signed: number % 7,
                refused: number % 3,
                failed: number % 2,
            })
            .collect(),
        leaders: vec![LeaderBand {
            node: 2,
            term: 31,
            from_ms: 0,
            to_ms: 12_345,
        }],
        faults: vec![
            FaultBand {
                name: nasty("fault"),
                nodes: vec![1, 3],
                from_ms: 1_234,
                to_ms: 5_678,
                proof: nasty("proof"),
            },
            FaultBand {
                name: "power cut".into(),
                nodes: vec![2],
                from_ms: 12_000,
                to_ms: 12_345,
                proof: "frozen".into(),
            },
        ],
    }
}

fn scenario(verdict: Verdict) -> ScenarioResult {
    ScenarioResult {
        name: nasty("scenario"),
        words: nasty("words"),
        seed: 424_242,
        violations: match verdict {
            Verdict::Broken => vec![Broken {
                invariant: nasty("invariant"),
                at_ms: 4_321,
                words: nasty("violation"),
            }],
            Verdict::Held | Verdict::SeenAsItMust(_) | Verdict::Failed(_) | Verdict::Skipped(_) => {
                vec![]
            }
        },
        verdict,
        figures: figures(),
        wall_ms: 15_015,
        reproduce: nasty("reproduce"),
        history: Some(nasty("history")),
    }
}

fn results() -> Results {
    Results {
        origins: vec![Origin {
            versions: Versions {
                quorate: nasty("quorate"),
                openraft: nasty("openraft"),
                rocksdb: nasty("rocksdb"),
            },
            commit: Some(nasty("commit")),
            machine: Machine {
                kernel: nasty("kernel"),
                architecture: nasty("architecture"),
                cores: 2,
            },
            started: 1_795_259_222,
            command: nasty("command"),
        }],
        simulations: vec![Simulation {
            first_seed: 1_000,
            seeds: 2_222,
            virtual_ms: 10_000,
            wall_ms: 98_765,
            schedules_per_minute: 1_349,
            trace_hash: nasty("trace"),
            failing: vec![FailingSeed {
                seed: 1_717,
                violations: vec![Broken {
                    invariant: nasty("simulated invariant"),
                    at_ms: 2_345,
                    words: nasty("simulated violation"),
                }],
                reproduce: nasty("seed again"),
            }],
            coverage: BTreeMap::from([(nasty("coverage"), 54_321), ("never".into(), 0)]),
            reproduce: nasty("range again"),
        }],
        mutants: vec![MutantResult {
            name: nasty("mutant"),
            words: nasty("mutant words"),
            seeds: 10,
            caught: 6,
            first_seed: Some(3),
            needed: Some(4),
            invariants: vec![nasty("mutant invariant")],
            reproduce: nasty("mutant again"),
        }],
        scenarios: vec![
            scenario(Verdict::Held),
            scenario(Verdict::Broken),
            scenario(Verdict::SeenAsItMust(nasty("seen"))),
            scenario(Verdict::Failed(nasty("failed"))),
            scenario(Verdict::Skipped(nasty("skipped"))),
        ],
        measured: vec![Measured {
            what: nasty("measured"),
            p50_us: 110,
            p99_us: 5_300,
        }],
    }
}

#[test]
fn the_page_is_well_formed_whatever_the_texts_say() {
    let document = Document::parse(&of(&results()));
    assert_eq!(document.count("html"), 1);
    assert_eq!(document.count("main"), 1);
    assert!(
        document.count("svg") >= 6,
        "five plots of runs and two of gaps"
    );
    Document::parse(&of(&Results::default()));
}

#[test]
fn no_text_becomes_markup() {
    let page = of(&results());
    let document = Document::parse(&page);
    for forbidden in [
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "base",
        "use",
        "image",
        "foreignObject",
    ] {
        assert_eq!(document.count(forbidden), 0, "{forbidden}");
    }
    assert!(!page.contains("<!--"));
    // Each text stands there, whole, as text.
    for place in [
        "fault",
        "proof",
        "scenario",
        "words",
        "invariant",
        "violation",
        "reproduce",
        "history",
        "quorate",
        "openraft",
        "rocksdb",
        "commit",
        "kernel",
        "architecture",
        "command",
        "trace",
        "simulated invariant",
        "simulated violation",
        "seed again",
        "coverage",
        "range again",
        "mutant",
        "mutant words",
        "mutant invariant",
        "mutant again",
        "seen",
        "failed",
        "skipped",
        "measured",
    ] {
        assert!(
            document.text.contains(&nasty(place)),
            "{place} is missing or not escaped"
        );
    }
}

#[test]
fn the_page_refers_to_nothing_but_itself() {
    let document = Document::parse(&of(&results()));
    let ids = document.values("id");
    for (attribute, value) in &document.attributes {
        assert!(
            ![
                "src",
                "srcset",
                "data",
                "action",
                "poster",
                "ping",
                "xlink:href",
                "background"
            ]
            .contains(&attribute.as_str()),
            "{attribute}={value}"
        );
        assert!(!attribute.starts_with("on"), "{attribute}={value}");
        if attribute == "href" {
            let id = value
                .strip_prefix('#')
                .unwrap_or_else(|| panic!("a link to elsewhere: {value}"));
            assert!(ids.contains(&id), "a link to nowhere: {value}");
        }
        if attribute == "aria-labelledby" {
            for id in value.split(' ') {
                assert!(ids.contains(&id), "labelled by nothing: {value}");
            }
        }
    }
    for reference in ["url(", "@import", "http:", "https:", "//"] {
        assert!(
            !STYLE.contains(reference),
            "the style sheet holds {reference}"
        );
    }
    let policy = document.values("content").join(" ");
    assert!(policy.contains("default-src 'none'"), "{policy}");
}

#[test]
fn an_id_stands_there_once() {
    let document = Document::parse(&of(&results()));
    let mut ids = document.values("id");
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn every_number_of_the_results_stands_on_the_page() {
    let document = Document::parse(&of(&results()));
    let text = document.text.replace('\u{202f}', "");
    for number in [
        "70001",
        "40002",
        "20003",
        "9996",
        "7007",
        "2345 ms",
        "1111 ms",
        "876 ms",
        "1234 ms",
        "5678 ms",
        "4321 ms",
        "15015 ms",
        "937 ms",
        "113 ms",
        "2222",
        "1349",
        "98765 ms",
        "10000 ms",
        "54321",
        "seed 1717",
        "1000 to 3221",
        "6 of 10",
        "110 µs",
        "5300 µs",
        "node 2, term 31",
        "nodes 1 and 3",
    ] {
        assert!(text.contains(number), "{number} is missing");
    }
}

#[test]
fn each_fault_is_added_up_over_the_runs_that_say_something() {
    // Held, broken and seen count; failed and skipped do not: 3 runs, 3 times 7007 lost.
    let document = Document::parse(&of(&results()));
    let text = document.text.replace('\u{202f}', "");
    assert!(text.contains("21021"), "lost requests of three runs");
}

#[test]
fn every_plot_says_in_words_what_it_shows() {
    let document = Document::parse(&of(&results()));
    let plots = document.count("svg");
    let described = document
        .values("role")
        .iter()
        .filter(|role| **role == "img")
        .count();
    assert_eq!(plots, described);
    assert!(document.count("desc") == plots && document.count("title") > plots);
    assert_eq!(document.count("table"), document.count("caption"));
    assert_eq!(document.count("table"), document.count("thead"));
}

#[test]
fn the_verdict_comes_first_and_is_the_worst_there_is() {
    let headline = |results: &Results| Summary::of(results).headline;
    assert!(headline(&results()).starts_with("No slot was signed twice, but another"));
    for invariant in ["I1", "I7"] {
        let mut twice = results();
        twice.simulations[0].failing[0].violations[0].invariant = invariant.into();
        assert!(headline(&twice).starts_with("A slot was signed twice"));
        let mut twice = results();
        twice.scenarios[1].violations[0].invariant = invariant.into();
        assert!(headline(&twice).starts_with("A slot was signed twice"));
    }
    assert!(headline(&Results::default()).starts_with("Nothing was run"));
    let mut well = results();
    well.simulations[0].failing.clear();
    well.scenarios
        .retain(|scenario| matches!(scenario.verdict, Verdict::Held | Verdict::Skipped(_)));
    assert!(headline(&well).starts_with("Every promise held in what was run"));
    well.scenarios
        .retain(|scenario| matches!(scenario.verdict, Verdict::Held));
    assert!(headline(&well).starts_with("No slot was signed twice, and"));
    let mut part = well.clone();
    part.mutants.clear();
    assert!(headline(&part).starts_with("Every promise held in what was run"));
    let told = Summary::of(&part).sentences.join(" ");
    assert!(told.contains("Not in these results: the faults that are built in"));
    well.mutants[0].caught = 0;
    assert!(headline(&well).starts_with("No promise was broken, but"));
    let page = of(&well);
    assert!(page.find("<h1").unwrap() < page.find("<h2").unwrap());
}

#[test]
fn skipped_runs_alone_show_nothing() {
    let mut skipped = Results::default();
    skipped
        .scenarios
        .push(scenario(Verdict::Skipped("no FUSE".into())));
    assert!(
        Summary::of(&skipped)
            .headline
            .starts_with("Nothing is shown")
    );
}

#[test]
fn a_long_list_of_violations_is_cut_and_says_so() {
    let mut results = results();
    let broken = results.scenarios[1].violations[0].clone();
    results.scenarios[1].violations = vec![broken; 35];
    let document = Document::parse(&of(&results));
    assert!(document.text.contains("and 23 more"), "12 are shown");
}
