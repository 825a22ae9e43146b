//! What a peer with a right key is refused for (R22).

use std::time::Duration;

use openraft::raft::VoteRequest;
use raft_store::codec::{self, MAX_FRAME, Request};
use raft_store::hello::Boot;
use raft_store::types::{Types, Vote};
use reqwest::StatusCode;

use super::world::World;
use crate::peers::call::{Answer, PeerClient};
use crate::peers::endpoint::Greeted;
use crate::peers::stamp;
use crate::peers::standing::Verdict;
use crate::peers::tls::OwnKey;

/// Node 3's key in the test's own hands, and its connection to node 1.
struct Rogue {
    client: PeerClient,
    boot: Boot,
}

impl Rogue {
    fn of(world: &World) -> Self {
        let (one, three) = (&world.nodes[&1], &world.nodes[&3]);
        let key = OwnKey::new(three.folder().identity().key()).unwrap();
        let member = one.view().borrow().members[&1].clone();
        let client = PeerClient::new(&key, 1, &member).unwrap();
        Self {
            client,
            boot: three.folder().boot(),
        }
    }

    async fn post(&self, path: &str, boot: Boot, body: Vec<u8>) -> Answer {
        let time = Duration::from_secs(2);
        self.client
            .post(path, stamp::headers(boot), body, time, MAX_FRAME)
            .await
            .unwrap()
    }
}

fn words(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

fn ask_vote(candidate: u64) -> Vec<u8> {
    // A pre-vote stores nothing, whatever the answer.
    let request = VoteRequest::<Types>::new(Vote::new(1, candidate), None);
    codec::encode_wire(&Request::PreVote(request)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_under_another_nodes_id_is_refused() {
    let world = World::formed().await;
    world
        .sees(1, "what the others have committed", |view| {
            let hello = |peer: u64| view.peers[&peer].hello.as_ref();
            [2, 3]
                .iter()
                .all(|peer| hello(*peer).is_some_and(|hello| hello.committed.is_some()))
        })
        .await;
    let rogue = Rogue::of(&world);
    let fair = rogue.post("/v1/raft", rogue.boot, ask_vote(3)).await;
    // Its empty log cannot win; who it is, is not in doubt.
    assert_eq!(fair.status, StatusCode::CONFLICT, "{}", words(&fair));
    assert!(
        words(&fair).contains("another node's reaches"),
        "{}",
        words(&fair)
    );
    let foul = rogue.post("/v1/raft", rogue.boot, ask_vote(2)).await;
    assert_eq!(foul.status, StatusCode::FORBIDDEN);
    assert_eq!(words(&foul), "message of node 2 on a connection of node 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_not_judged_is_refused_until_it_says_hello() {
    let world = World::formed().await;
    let rogue = Rogue::of(&world);
    let other = Boot {
        nonce: [7; 16],
        ..rogue.boot
    };
    for path in ["/v1/raft", "/v1/snapshot", "/v1/forward/propose"] {
        let refused = rogue.post(path, other, ask_vote(3)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(
            words(&refused),
            format!(
                "node 3 has not been judged yet since its boot {}: say hello first",
                other.counter
            )
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_of_another_cluster_or_another_key_is_a_stranger() {
    let world = World::formed().await;
    let rogue = Rogue::of(&world);
    let (inner, own) = (
        &world.nodes[&3].0,
        world.nodes[&3].0.consensus.get().unwrap(),
    );
    let mut greeting = inner.greet(own);
    greeting.hello.boot = Boot {
        nonce: [7; 16],
        ..rogue.boot
    };
    greeting.hello.cluster = [0xcc; 16];
    let answer = rogue
        .post("/v1/hello", rogue.boot, codec::encode(&greeting).unwrap())
        .await;
    let greeted: Greeted = codec::decode(&answer.body).unwrap();
    let Verdict::Stranger(reason) = greeted.verdict else {
        panic!("{:?}", greeted.verdict)
    };
    assert!(
        reason.starts_with(&format!("it belongs to cluster {}", "cc".repeat(16))),
        "{reason}"
    );

    let mut greeting = inner.greet(own);
    greeting.hello.boot = Boot {
        nonce: [7; 16],
        ..rogue.boot
    };
    greeting.hello.incarnation = world.nodes[&2].folder().identity().fingerprint();
    let answer = rogue
        .post("/v1/hello", rogue.boot, codec::encode(&greeting).unwrap())
        .await;
    let greeted: Greeted = codec::decode(&answer.body).unwrap();
    assert!(
        matches!(greeted.verdict, Verdict::Stranger(_)),
        "{:?}",
        greeted.verdict
    );
    // The start that is believed is not put out by any of this.
    let fair = rogue.post("/v1/raft", rogue.boot, ask_vote(3)).await;
    assert_eq!(fair.status, StatusCode::OK, "{}", words(&fair));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_another_format_is_answered_with_both_versions() {
    let world = World::formed().await;
    let rogue = Rogue::of(&world);
    let answer = rogue.post("/v2/raft", rogue.boot, vec![]).await;
    assert_eq!(answer.status, StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    let words = words(&answer);
    assert!(
        words.contains("peer format 2") && words.contains("speaks format 1"),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_request_needs_its_hop_marker() {
    let world = World::formed().await;
    let rogue = Rogue::of(&world);
    let answer = rogue.post("/v1/forward/propose", rogue.boot, vec![]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        words(&answer),
        "a forwarded request needs the header `quorate-hop: 1`"
    );
    let to_self = world.nodes[&1]
        .forward::<_, ()>(1, "propose", &(), Duration::from_secs(1))
        .await;
    assert_eq!(
        to_self.unwrap_err().to_string(),
        "node 1 was to forward to itself"
    );
}
