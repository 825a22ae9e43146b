//! Forming: the same line on every node, as often as one likes.

use raft_store::ledger::Decision;

use super::world::{World, soon};
use crate::cluster::StartError;

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_form_from_one_line_in_any_order_and_again_after_that() {
    let world = World::unformed().await;
    let mut formed = Vec::new();
    for (shift, node) in world.nodes.values().enumerate() {
        let mut lines = world.lines.clone();
        lines.rotate_left(shift);
        formed.push(node.form(&lines).await.unwrap());
    }
    let wrote: Vec<_> = formed.iter().map(|formed| formed.initialised).collect();
    assert_eq!(
        wrote,
        [true, false, false],
        "the lowest id writes the first membership"
    );
    assert!(
        formed
            .iter()
            .all(|one| one.binding.cluster_id == formed[0].binding.cluster_id)
    );
    world.leader().await;
    for node in world.nodes.values() {
        assert!(
            !node.form(&world.lines).await.unwrap().initialised,
            "again it does nothing"
        );
    }

    let other = [world.lines[0].clone()];
    let error = world.nodes[&1].form(&other).await.unwrap_err();
    assert!(
        matches!(error, StartError::Folder(_)),
        "bound is bound: {error}"
    );
    assert_eq!(error.exit_code(), 66);
}

#[tokio::test(flavor = "multi_thread")]
async fn forming_completes_after_a_crash_between_its_steps() {
    let mut world = World::unformed().await;
    // Node 1 binds and dies before it writes the first membership.
    let own = world.nodes[&1].folder().identity().fingerprint();
    let binding = crate::cluster::form::binding(&world.lines, own).unwrap();
    world.nodes[&1].folder().bind(binding).unwrap();
    world.stop(1).await;
    world.start(1).await;
    for id in [2, 3] {
        world.nodes[&id].form(&world.lines).await.unwrap();
    }
    assert!(
        world.nodes[&1]
            .form(&world.lines)
            .await
            .unwrap()
            .initialised
    );
    world.leader().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_formed_cluster_commits_through_any_node_and_every_node_stands_at_the_mark() {
    let world = World::enrolled().await;
    assert!(matches!(world.advance(100, 1).await, Decision::Grant(_)));
    world.marked(100).await;
    assert!(
        matches!(world.advance(100, 2).await, Decision::Refused(_)),
        "another digest"
    );

    // Nothing is outstanding, so what was committed last is drained (design section 4).
    let leader = world.leader().await;
    let index = world.nodes[&leader].view().borrow().committed.unwrap();
    let drained = world.nodes[&leader].drained(index, soon()).await;
    assert!(drained.done(), "{drained:?}");
}
