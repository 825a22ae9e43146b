//! Cutting the power of machines, and giving it back.

use judge::history::Event;
use lossyfs::Survival;
use node::dev::DevError;
use rand::RngExt as _;
use tokio::time::Duration;

use super::clock::now_us;
use super::failed::Failed;
use super::stage::Stage;

/// How a node ends that finds its state damaged.
const REFUSED: &str = "exit status: 65";

/// What a disk may have kept of what was not fsynced: the scenarios go through all of them, and end with the one
/// after which a node may refuse to open.
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
    /// [`Failed::NoEffect`] if a disk is not frozen, or none of them had anything to lose.
    pub(crate) fn cut_power(&mut self, name: &str, nodes: &[u64]) -> Result<Cut, Failed> {
        let at_us = now_us();
        for id in nodes {
            self.world()?.machine(*id)?.disk()?.cut();
        }
        let cut = self.dark(name, nodes, at_us)?;
        let mut pending = 0_u64;
        for id in nodes {
            let stats = self.world()?.machine(*id)?.disk()?.stats();
            pending = pending.saturating_add(stats.pending_ops);
        }
        match pending {
            0 => Err(Failed::NoEffect {
                fault: cut.name,
                instead: "everything was synced".to_owned(),
            }),
            _ => Ok(cut),
        }
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
    /// Of several machines at most one has a disk that scatters survivors: any name may then survive any other, a
    /// manifest that RocksDB names may be gone, on which a node refuses to open, and a majority has to be left.
    ///
    /// # Errors
    /// If there is no such disk.
    pub(crate) fn restore_disks(&mut self, cut: Cut, survival: Survival) -> Result<(), Failed> {
        let Cut {
            name,
            nodes,
            at_us,
            mut proof,
        } = cut;
        for (number, id) in nodes.iter().enumerate() {
            let survival = match (survival, number) {
                (Survival::Random, 1..) => Survival::Torn,
                (survival, _) => survival,
            };
            let seed = self.random.random();
            let left = self.world()?.machine(*id)?.disk()?.reboot(survival, seed);
            proof.push(format!(
                "node {id}: {survival} dropped {} of {} changes and tore {} ({} bytes lost)",
                left.dropped_ops, left.pending_ops, left.torn_ops, left.dropped_bytes
            ));
        }
        let fault = self.fault(at_us, &name, &nodes, &proof.join("; "));
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

    /// Waits until these machines are back. One whose disk scattered survivors may refuse instead, with
    /// exit 65 and the name of what is damaged: it is [`lost`](Stage::lost) then, and owes nothing.
    ///
    /// # Errors
    /// If one is not back in time, or ends in any other way.
    pub(crate) async fn back(&mut self, nodes: &[u64], survival: Survival) -> Result<(), Failed> {
        for id in nodes {
            let ready = self.world_mut()?.ready(&[*id]).await;
            let Err(Failed::Node(DevError::Ended { status, said, .. })) = &ready else {
                ready?;
                continue;
            };
            let names = ["MANIFEST", "CURRENT", "Corruption"];
            let refused = status.contains(REFUSED) && names.iter().any(|name| said.contains(name));
            if survival != Survival::Random || !refused {
                return ready;
            }
            self.lost.insert(*id);
            self.journal.record(Event::Ended {
                node: *id,
                code: Some(65),
            });
        }
        Ok(())
    }

    /// What a disk keeps, by chance: all that it is told in order, up to a point.
    pub(crate) fn in_order(&mut self) -> Survival {
        let modes = [Survival::Drop, Survival::Prefix, Survival::Torn];
        let number = self.random.random_range(0..modes.len());
        modes.get(number).copied().unwrap_or(Survival::Drop)
    }
}

/// Arms a disk to freeze at an fsync that is counted from now.
pub(crate) fn arm(disk: &lossyfs::Control, fsync: Fsync) {
    match fsync {
        Fsync::Before(n) => disk.cut_at_fsync(n, lossyfs::When::Before),
        Fsync::After(n) => disk.cut_at_fsync(n, lossyfs::When::After),
    }
}
