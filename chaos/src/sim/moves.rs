//! The faults, by what they break.

pub mod disks;
pub mod elections;
pub mod network;
pub mod restarts;
pub mod signers;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::network::Machine;
use super::world::World;

/// Begins a fault: it is counted, and stands in the history with how it is known to have hit.
pub fn begins(world: &World, name: &str, machines: &[Machine], proof: &str) -> u64 {
    world.coverage.count(&format!("fault: {name}"));
    let nodes = machines.iter().map(|machine| world.node_of(*machine));
    world.history.fault(name, nodes.collect(), proof.to_owned())
}

/// Ends a fault after a while, or at the healing, whichever comes first.
pub fn ends(
    world: &Arc<World>,
    fault: u64,
    after: Duration,
    undo: impl FnOnce(&Arc<World>) + Send + 'static,
) {
    let world = Arc::clone(world);
    tokio::spawn(async move {
        sleep(after).await;
        if !world.healing() {
            undo(&world);
            world.history.fault_ended(fault);
        }
    });
}
