//! Health as a balancer sees it: judged from facts, and over a socket.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::metrics::Metrics;

fn leader() -> Facts {
    Facts {
        me: Some(1),
        voters: vec![1, 2, 3],
        leader: Some(1),
        quorum_ack_age: Some(Duration::from_millis(20)),
        keys_enabled: 1,
        keys_usable: 1,
        ..Facts::default()
    }
}

fn follower() -> Facts {
    let heard = PeerFacts {
        hello_age: Some(Duration::from_millis(100)),
        suspect: None,
    };
    Facts {
        leader: Some(2),
        quorum_ack_age: None,
        keys_usable: 0,
        peers: BTreeMap::from([(2, heard)]),
        ..leader()
    }
}

fn judged(facts: &Facts) -> Health {
    Judge::new(&Times::default()).judge(facts, Instant::now())
}

#[test]
fn a_leader_and_a_follower_that_can_forward_are_ready() {
    assert!(judged(&leader()).is_ready());
    assert!(judged(&leader()).leads);
    assert!(
        judged(&follower()).is_ready(),
        "a follower needs no secret of its own"
    );
    assert!(!judged(&follower()).leads);
}

#[test]
fn each_thing_that_readiness_needs_is_missed_by_name() {
    type Change = fn(&mut Facts);
    let rows: [(Facts, Change, Check); 11] = [
        (leader(), |facts| facts.voters = vec![2, 3], Check::Voter),
        (leader(), |facts| facts.draining = true, Check::Serving),
        (leader(), |facts| facts.locked = true, Check::Unlocked),
        (
            leader(),
            |facts| facts.store_fault = Some("full".to_owned()),
            Check::Store,
        ),
        (leader(), |facts| facts.leader = None, Check::Leader),
        (
            leader(),
            |facts| facts.quorum_ack_age = Some(Duration::from_millis(1_600)),
            Check::Leader,
        ),
        (leader(), |facts| facts.quorum_ack_age = None, Check::Leader),
        (follower(), |facts| facts.peers.clear(), Check::Leader),
        (
            follower(),
            |facts| of_leader(facts).hello_age = Some(Duration::from_secs(2)),
            Check::Leader,
        ),
        (
            follower(),
            |facts| of_leader(facts).suspect = Some("a clone".to_owned()),
            Check::Leader,
        ),
        (leader(), |facts| facts.keys_usable = 0, Check::Keys),
    ];
    for (mut facts, change, missed) in rows {
        change(&mut facts);
        let health = judged(&facts);
        assert_eq!(health.failed, [missed], "{facts:?}");
        assert!(!health.leads, "{facts:?}");
    }
    let nothing_enrolled = Facts {
        keys_enabled: 0,
        keys_usable: 0,
        ..leader()
    };
    assert!(judged(&nothing_enrolled).is_ready());
    assert_eq!(judged(&Facts::default()).role, Role::Unformed);
}

fn of_leader(facts: &mut Facts) -> &mut PeerFacts {
    facts.peers.get_mut(&2).unwrap()
}

#[test]
fn one_election_does_not_flip_readiness_and_a_lost_majority_does() {
    let mut judge = Judge::new(&Times::default());
    let start = Instant::now();
    let none = Facts {
        leader: None,
        ..follower()
    };
    assert!(judge.judge(&follower(), start).is_ready());
    assert!(
        judge
            .judge(&none, start + Duration::from_millis(2_900))
            .is_ready()
    );
    assert!(
        !judge
            .judge(&none, start + Duration::from_millis(3_100))
            .is_ready()
    );
    assert!(
        judge
            .judge(&leader(), start + Duration::from_millis(3_200))
            .is_ready()
    );
    // No grace for what is no election.
    let draining = Facts {
        draining: true,
        ..leader()
    };
    assert!(
        !judge
            .judge(&draining, start + Duration::from_millis(3_300))
            .is_ready()
    );
}

/// The ops listener over facts that a test changes.
struct Probe {
    port: u16,
    facts: Arc<Mutex<Facts>>,
    monitor: Monitor,
    stop: watch::Sender<bool>,
}

async fn probe(facts: Facts) -> Probe {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let facts = Arc::new(Mutex::new(facts));
    let shared = Arc::clone(&facts);
    let source = move || shared.lock().unwrap().clone();
    let monitor = Monitor::start(source.clone(), &Times::default());
    let ops = Ops::new(monitor.clone(), Arc::new(Metrics::default()), source);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serve_ops(listener, ops, stopped));
    Probe {
        port,
        facts,
        monitor,
        stop,
    }
}

impl Probe {
    async fn send(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!("{method} {path} HTTP/1.0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn status(&self, method: &str, path: &str) -> String {
        self.send(method, path)
            .await
            .split(' ')
            .nth(1)
            .unwrap()
            .to_owned()
    }
}

#[tokio::test]
async fn the_routes_answer_200_or_503_with_a_minimal_body() {
    let probe = probe(leader()).await;
    for path in [
        "/livez",
        "/readyz",
        "/leader",
        "/readyz/leader",
        "/readyz/keys",
    ] {
        let answer = probe.send("GET", path).await;
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
        assert!(answer.contains("x-signer-role: leader\r\n"), "{answer}");
        assert!(
            answer.ends_with("\r\n\r\n{\"role\":\"leader\",\"status\":\"ok\"}\n"),
            "{answer}"
        );
        let head = probe.send("HEAD", path).await;
        assert!(
            head.starts_with("HTTP/1.0 200 OK\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
    }
    *probe.facts.lock().unwrap() = Facts {
        draining: true,
        ..leader()
    };
    probe
        .monitor
        .watch()
        .wait_for(|health| !health.is_ready())
        .await
        .unwrap();
    for path in ["/readyz", "/leader", "/readyz/serving"] {
        let answer = probe.send("GET", path).await;
        assert!(answer.starts_with("HTTP/1.0 503 "), "{answer}");
        assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    }
    assert!(
        probe
            .send("GET", "/readyz")
            .await
            .contains("\"failed\":[\"serving\"]")
    );
    assert_eq!(
        probe.status("GET", "/livez").await,
        "200",
        "it never looks at anything else"
    );
    assert_eq!(probe.status("GET", "/readyz/leader").await, "200");
    drop(probe.stop);
}

#[tokio::test]
async fn there_is_nothing_to_change_and_nothing_else_to_find() {
    let probe = probe(follower()).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for path in [
            "/livez",
            "/readyz",
            "/leader",
            "/metrics",
            "/status",
            "/readyz/keys",
        ] {
            let answer = probe.send(method, path).await;
            assert!(
                answer.starts_with("HTTP/1.0 405 "),
                "{method} {path}: {answer}"
            );
            assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
        }
    }
    for path in [
        "/",
        "/readyz/",
        "/readyz/nothing",
        "/livez/x",
        "/keys",
        "/readyzz",
    ] {
        assert_eq!(probe.status("GET", path).await, "404", "{path}");
    }
    let status = probe.send("GET", "/status").await;
    assert!(
        status.contains("\"role\":\"follower\"") && status.contains("\"ready\":true"),
        "{status}"
    );
    let metrics = probe.send("GET", "/metrics").await;
    assert!(
        metrics.contains("\r\ncontent-type: application/openmetrics-text"),
        "{metrics}"
    );
    assert!(metrics.contains("quorate_build_info{version="), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
}
