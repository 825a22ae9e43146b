//! What a node shows of the agreed state is not an older one, or it says that it may be.

use std::time::Duration;

use raft_store::ledger::Decision;
use tokio::time::Instant;

use super::world::{World, soon};

/// R42: exported marks hold every slot that was granted before they were asked for, on whichever node.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_granted_is_in_the_state_of_every_node_that_confirmed() {
    let world = World::enrolled().await;
    for level in 1..=30 {
        let granted = world.advance(level, 1).await;
        assert!(matches!(granted, Decision::Grant(_)), "{granted:?}");
        for (id, node) in &world.nodes {
            node.confirm(soon()).await.unwrap();
            let state = node.ledger().unwrap().state();
            let marks = state.keys[&world.pkh()].marks.values();
            let highest = marks.map(|mark| mark.slot.level.get()).max();
            assert_eq!(highest, Some(level), "node {id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_majority_confirms_nothing() {
    let mut world = World::enrolled().await;
    let last = world.leader().await;
    let others: Vec<u64> = (1..=3).filter(|id| *id != last).collect();
    for id in others {
        world.stop(id).await;
    }
    let until = Instant::now() + Duration::from_millis(500);
    assert!(world.nodes[&last].confirm(until).await.is_err());
}
