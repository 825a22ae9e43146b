//! Cutting the power of machines, and giving it back.

use lossyfs::Survival;
use rand::RngExt as _;
use tokio::time::Duration;

use super::clock::now_us;
use super::failed::Failed;
use super::stage::Stage;

/// What a disk may have kept of what was not fsynced: the scenarios go through all of them.
pub(crate) const MODES: [Survival; 4] = [
    Survival::Drop,
    Survival::Prefix,
    Survival::Torn,
    Survival::Random,
];

/// How long an armed cut may wait for its fsync.
const ARMED: Duration = Duration::from_secs(20);

/// Machines without power: frozen disks, and no process.
#[derive(Debug)]
#[must_use = "the machines stay dark until their power is restored"]
pub(crate) struct Cut {
    name: String,
    nodes: Vec<u64>,
    at_us: u64,
    proof: Vec<String>,
}

/// Before or after which fsync a disk freezes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fsync {
    /// The `n`-th one from now fails, and what it was for is lost.
    Before(u64),
    /// The `n`-th one from now is done, and nobody hears of it.
    After(u64),
}

impl Stage {
    /// Cuts the power of these machines at once: their disks freeze first, so that nothing is acknowledged
    /// afterwards that is not on them, then their processes are killed.
    ///
    /// # Errors
    /// [`Failed::NoEffect`] if a disk is not frozen.
    pub(crate) fn cut_power(&mut self, name: &str, nodes: &[u64]) -> Result<Cut, Failed> {
        let at_us = now_us();
        for id in nodes {
            self.world()?.machine(*id)?.disk()?.cut();
        }
        self.dark(name, nodes, at_us)
    }

    /// Arms the disk of one machine, waits until it has frozen at its fsync, and kills the process.
    ///
    /// # Errors
    /// [`Failed::NoEffect`] if that fsync never comes.
    pub(crate) async fn cut_power_at(
        &mut self,
        name: &str,
        node: u64,
        fsync: Fsync,
    ) -> Result<Cut, Failed> {
        let machine = self.world()?.machine(node)?;
        arm(&machine.disk()?, fsync);
        machine.wait_frozen(name, ARMED).await?;
        self.dark(name, &[node], now_us())
    }

    /// Kills the processes on frozen disks, and notes what the cut took.
    ///
    /// # Errors
    /// [`Failed::NoEffect`] if a disk is not frozen.
    pub(crate) fn dark(&mut self, name: &str, nodes: &[u64], at_us: u64) -> Result<Cut, Failed> {
        self.world_mut()?.kill(nodes)?;
        let mut proof = Vec::new();
        for id in nodes {
            let stats = self.world()?.machine(*id)?.disk()?.stats();
            if !stats.is_cut {
                return Err(Failed::NoEffect {
                    fault: name.to_owned(),
                    instead: format!("the disk of node {id} is not frozen"),
                });
            }
            proof.push(format!(
                "node {id}: frozen after {} fsyncs with {} changes ({} bytes) not synced",
                stats.fsyncs, stats.pending_ops, stats.pending_bytes
            ));
        }
        Ok(Cut {
            name: name.to_owned(),
            nodes: nodes.to_vec(),
            at_us,
            proof,
        })
    }

    /// Gives the power back: each disk shows what survived, and nothing runs yet.
    ///
    /// # Errors
    /// [`Failed::NoEffect`] if nothing was lost though everything unsynced had to be dropped.
    pub(crate) fn restore_disks(&mut self, cut: Cut, survival: Survival) -> Result<(), Failed> {
        let Cut {
            name,
            nodes,
            at_us,
            mut proof,
        } = cut;
        let mut lost: u64 = 0;
        for id in &nodes {
            let seed = self.random.random();
            let left = self.world()?.machine(*id)?.disk()?.reboot(survival, seed);
            lost = lost.saturating_add(left.dropped_ops);
            proof.push(format!(
                "node {id}: {survival} dropped {} of {} changes and tore {} ({} bytes lost)",
                left.dropped_ops, left.pending_ops, left.torn_ops, left.dropped_bytes
            ));
        }
        let proof = proof.join("; ");
        if survival == Survival::Drop && lost == 0 {
            return Err(Failed::NoEffect {
                fault: name,
                instead: proof,
            });
        }
        let fault = self.fault(at_us, &name, &nodes, &proof);
        self.fault_ended(fault);
        Ok(())
    }

    /// Gives the power back and starts the machines.
    ///
    /// # Errors
    /// As [`Stage::restore_disks`], and if a process cannot be started.
    pub(crate) fn restore_power(&mut self, cut: Cut, survival: Survival) -> Result<(), Failed> {
        let nodes = cut.nodes.clone();
        self.restore_disks(cut, survival)?;
        self.world_mut()?.start(&nodes)
    }

    /// A mode of the four, by chance.
    pub(crate) fn any_mode(&mut self) -> Survival {
        let number = self.random.random_range(0..MODES.len());
        MODES.get(number).copied().unwrap_or(Survival::Drop)
    }
}

/// Arms a disk to freeze at an fsync that is counted from now.
pub(crate) fn arm(disk: &lossyfs::Control, fsync: Fsync) {
    match fsync {
        Fsync::Before(n) => disk.cut_at_fsync(n, lossyfs::When::Before),
        Fsync::After(n) => disk.cut_at_fsync(n, lossyfs::When::After),
    }
}
