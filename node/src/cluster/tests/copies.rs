//! Disks that forgot, and disks that are there twice (R10, R11).

use std::time::Duration;

use raft_store::folder::Folder;
use raft_store::ledger::Decision;
use tokio::time::timeout;

use super::world::{PATIENCE, World, count_a_boot};
use crate::cluster::{Cluster, Stop, View};

const ANY: &str = "127.0.0.1:0";

async fn stopped(node: &Cluster) -> Stop {
    timeout(PATIENCE, node.must_stop())
        .await
        .expect("the node must stop")
}

/// R10, openraft.md 3.6 B: node 3 lags, a mark commits on the two others, one of them stops, the
/// other's disk is wiped. A majority that never heard of the mark must not come about.
#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_node_wins_and_grants_no_vote() {
    let mut world = World::enrolled().await;
    world.stop(3).await;
    assert!(matches!(world.advance(100, 1).await, Decision::Grant(_)));
    world.stop(1).await;
    world.stop(2).await;
    world.wipe(2);
    let made_anew = Folder::create(&world.folder(2)).unwrap();
    world.start(2).await;
    world.start(3).await;
    // The operator even forms it again, with what the new folder printed.
    let line = format!("{}#{made_anew}", world.address(2)).parse().unwrap();
    let lines = [world.lines[0].clone(), line, world.lines[2].clone()];
    world.nodes[&2].form(&lines).await.unwrap();

    let view = world.sees(3, "why node 2 is not reached", |view| {
        view.peers[&2]
            .trouble
            .as_ref()
            .is_some_and(|text| text.contains("is pinned to"))
    });
    let trouble = view.await.peers[&2].trouble.clone().unwrap();
    assert!(
        trouble.contains(&made_anew.to_string()),
        "it names the key it found: {trouble}"
    );
    // Five election timeouts: were its vote counted, node 3 would lead by now.
    let elected = timeout(Duration::from_secs(4), async {
        let (mut two, mut three) = (world.nodes[&2].view(), world.nodes[&3].view());
        tokio::select! {
            _ = two.wait_for(|view| view.is_leader) => {}
            _ = three.wait_for(|view| view.is_leader) => {}
        }
    });
    assert!(elected.await.is_err(), "a wiped disk voted");
    assert!(world.try_advance(3, 100, 2).await.is_err());

    world.stop(2).await;
    world.start(1).await;
    assert!(
        matches!(world.advance(100, 2).await, Decision::Refused(_)),
        "the mark is remembered"
    );
}

/// R11: the original runs; a copy of its folder is started elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_beside_the_original_is_refused_and_the_original_works_on() {
    let mut world = World::enrolled().await;
    world.stop(3).await;
    let copy = world.copy(3, "copy");
    world.start(3).await;
    world.leader().await;
    world.believed(3, 2).await;

    // It counts the same boot as the original, with another nonce.
    let clone = world.start_folder(&copy, ANY.parse().unwrap()).await;
    let stop = stopped(&clone).await;
    assert_eq!(stop.exit_code, 65);
    assert!(
        stop.reason
            .contains("two copies of its data folder are running"),
        "{stop}"
    );
    drop(clone);
    world.end_others().await;

    // The next time it counts one more than the original, which is alive.
    let clone = world.start_folder(&copy, ANY.parse().unwrap()).await;
    world
        .sees(1, "a second process", |view| {
            let suspect = view.peers[&3].suspect.as_deref();
            suspect.is_some_and(|text| text.contains("a copy of its data folder may be running"))
        })
        .await;
    let stop = stopped(&clone).await;
    assert_eq!(stop.exit_code, 66, "{stop}");
    drop(clone);
    world.end_others().await;

    assert!(matches!(world.advance(5, 1).await, Decision::Grant(_)));
    world.marked(5).await; // on the original too
}

/// R11: the original is gone; an older copy of its folder comes back.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_that_is_restored_is_refused() {
    let mut world = World::enrolled().await;
    world.stop(3).await;
    let copy = world.copy(3, "copy");
    world.start(3).await;
    world.believed(3, 2).await;
    let Decision::Grant(grant) = world.advance(5, 1).await else {
        panic!("nothing stands at level 5 yet")
    };
    // No hello need have said so: the leader knows what node 3 acknowledged.
    let (leader, granted) = (world.leader().await, Some(grant.entry().index));
    let acknowledged = |view: &View| view.peers[&3].matched >= granted;
    world.sees(leader, "an acknowledgement", acknowledged).await;
    world.stop(3).await;

    // Started often enough, the copy counts more boots than the original did; its log is short.
    for _ in 0..5 {
        count_a_boot(&copy).unwrap();
    }
    let restored = world.start_folder(&copy, world.address(3)).await;
    let stop = stopped(&restored).await;
    assert_eq!(stop.exit_code, 65);
    assert!(stop.reason.contains("durable log ends at"), "{stop}");
    assert!(
        stop.reason.contains("its data folder was restored"),
        "{stop}"
    );
    let suspect = |view: &View| view.peers[&3].suspect.is_some();
    world.sees(leader, "a suspect", suspect).await;
    drop(restored);
    world.end_others().await;
    assert!(
        matches!(world.advance(6, 1).await, Decision::Grant(_)),
        "two of three work on"
    );
}
