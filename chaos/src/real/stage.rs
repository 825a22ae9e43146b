//! What a scenario plays on: a cluster, its bakers, and the record of what was broken and when.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use judge::history::{Event, Line};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::baker::Baker;
use super::clock::now_us;
use super::config::Settings;
use super::failed::Failed;
use super::journal::Journal;
use super::kit::{Kit, KitKey};
use super::load::Load;
use super::machine::Ground;
use super::measure;
use super::world::{NODES, PATIENCE, World};
use crate::results::Measured;

/// Within this time after healing a fresh slot of every key has to be signed. The promise is about a second on
/// machines of their own; here three nodes, their bakers and maybe a build share two cores.
pub(crate) const SIGNED_WITHIN: Duration = Duration::from_secs(20);

/// One scenario while it runs. Dropping it ends every process that it started, by its id.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The choices that the scenario leaves to chance.
    pub(crate) random: ChaCha8Rng,
    /// What the harness writes down.
    pub(crate) journal: Arc<Journal>,
    /// What was measured beside it.
    pub(crate) measured: Vec<Measured>,
    /// Nodes that their fault stopped for good: at the end they owe nothing.
    pub(crate) lost: BTreeSet<u64>,
    scenario: &'static str,
    seed: u64,
    folder: PathBuf,
    program: PathBuf,
    kit: Arc<Kit>,
    load: Option<Load>,
    world: Option<World>,
    begun_us: u64,
}

impl Stage {
    /// An empty stage. `folder` is there for this scenario alone; `program` is `quorate`.
    pub(crate) fn new(
        scenario: &'static str,
        seed: u64,
        folder: &Path,
        program: &Path,
        kit: Arc<Kit>,
    ) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            journal: Arc::default(),
            measured: Vec::new(),
            lost: BTreeSet::new(),
            scenario,
            seed,
            folder: folder.to_owned(),
            program: program.to_owned(),
            kit,
            load: None,
            world: None,
            begun_us: now_us(),
        }
    }

    /// Three nodes that are formed, know every key of the kit, and are asked by two bakers.
    ///
    /// # Errors
    /// If they do not come up, or sign nothing.
    pub(crate) async fn cluster(&mut self, ground: Ground) -> Result<(), Failed> {
        self.cluster_with(ground, &Settings::default()).await
    }

    /// The same, with more lines in every `node.toml`.
    ///
    /// # Errors
    /// If they do not come up, or sign nothing.
    pub(crate) async fn cluster_with(
        &mut self,
        ground: Ground,
        settings: &Settings,
    ) -> Result<(), Failed> {
        self.machines(ground, settings)?;
        self.found().await
    }

    /// Makes a cluster of machines on which nothing runs yet: `init`, start, `form`, `enrol`, and bakers.
    ///
    /// # Errors
    /// If they do not come up, or sign nothing.
    pub(crate) async fn found(&mut self) -> Result<(), Failed> {
        self.world()?.init().await?;
        self.start_and_form().await
    }

    /// The same from the second step on, for data folders that are made already.
    ///
    /// # Errors
    /// If they do not come up, or sign nothing.
    pub(crate) async fn start_and_form(&mut self) -> Result<(), Failed> {
        let world = self.world_mut()?;
        world.start(&NODES)?;
        world.form().await?;
        self.enrol_and_bake().await
    }

    /// Enrols every key of the kit in a cluster that is formed, and lets bakers loose on it.
    ///
    /// # Errors
    /// If they sign nothing.
    pub(crate) async fn enrol_and_bake(&mut self) -> Result<(), Failed> {
        let keys = self.kit.keys.clone();
        let world = self.world_mut()?;
        world.enrol(1, &keys).await?;
        world.ready(&NODES).await?;
        self.opens_with(&keys);
        self.bake(&keys)?;
        self.signs(3).await
    }

    /// Three machines with empty disks; nothing runs, and no data folder is made.
    ///
    /// # Errors
    /// If a folder, a mount or a port cannot be had.
    pub(crate) fn machines(&mut self, ground: Ground, settings: &Settings) -> Result<(), Failed> {
        let journal = Arc::clone(&self.journal);
        let (folder, kit) = (self.folder.clone(), Arc::clone(&self.kit));
        // The ones before go first, with all that they wrote: these are other nodes.
        self.world = None;
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failed::file(&folder)(error));
            }
            Ok(()) | Err(_) => {}
        }
        let world = World::make(&folder, &self.program, kit, journal, ground, settings)?;
        self.world = Some(world);
        Ok(())
    }

    /// Writes the first line of the history: these keys are enrolled before the first request, whatever was broken
    /// before that.
    pub(crate) fn opens_with(&self, keys: &[KitKey]) {
        let begun = Event::Run {
            scenario: self.scenario.to_owned(),
            seed: Some(self.seed),
            nodes: NODES.to_vec(),
            keys: keys.iter().map(KitKey::told).collect(),
        };
        self.journal.record_at(self.begun_us, begun);
    }

    /// Two bakers bake with these keys from now on.
    ///
    /// # Errors
    /// If an HTTP client cannot be built.
    pub(crate) fn bake(&mut self, keys: &[KitKey]) -> Result<(), Failed> {
        if self.load.is_none() {
            let baker = |client| Baker::new(client, self.world()?, Arc::clone(&self.journal));
            let bakers = [baker(1)?, baker(2)?];
            self.load = Some(Load::new(bakers, self.seed));
        }
        let load = self.load.as_mut();
        let load = load.ok_or_else(|| Failed::step("nobody bakes"))?;
        keys.iter().for_each(|key| load.bake_with(&key.public_key));
        Ok(())
    }

    /// Waits until so many more slots of every key are signed.
    ///
    /// # Errors
    /// If they are not in time.
    pub(crate) async fn signs(&self, slots: usize) -> Result<(), Failed> {
        self.load()?.each_wins(slots, PATIENCE).await
    }

    /// One of these nodes, by chance.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn one_of(&mut self, nodes: &[u64]) -> Result<u64, Failed> {
        let chosen = self.random.random_range(0..nodes.len().max(1));
        let node = nodes.get(chosen).copied();
        node.ok_or_else(|| Failed::step("there is no node to choose"))
    }

    /// The bakers.
    ///
    /// # Errors
    /// If there are none yet.
    pub(crate) fn load(&self) -> Result<&Load, Failed> {
        self.load
            .as_ref()
            .ok_or_else(|| Failed::step("nobody bakes yet"))
    }

    /// The machines.
    ///
    /// # Errors
    /// If there are none yet.
    pub(crate) fn world(&self) -> Result<&World, Failed> {
        self.world
            .as_ref()
            .ok_or_else(|| Failed::step("there are no machines yet"))
    }

    /// The machines, to start and break them.
    ///
    /// # Errors
    /// If there are none yet.
    pub(crate) fn world_mut(&mut self) -> Result<&mut World, Failed> {
        self.world
            .as_mut()
            .ok_or_else(|| Failed::step("there are no machines yet"))
    }

    /// The keys that every cluster of the run gets.
    pub(crate) fn world_keys(&self) -> Vec<KitKey> {
        self.kit.keys.clone()
    }

    /// The folder of this scenario.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Measures what every decision stands on, while bakers bake: this disk, and the way to this node.
    ///
    /// # Errors
    /// If the disk or the node fails.
    pub(crate) async fn measure(&mut self, node: u64) -> Result<(), Failed> {
        let ops_url = self.world()?.machine(node)?.process().ops_url();
        self.measured.push(measure::fdatasync(&self.folder)?);
        self.measured.push(measure::round_trip(&ops_url).await?);
        Ok(())
    }

    /// Writes down that a fault struck at `at_us` ([`now_us`]), and how that is known. Gives its number, for
    /// [`Stage::fault_ended`].
    pub(crate) fn fault(&self, at_us: u64, name: &str, nodes: &[u64], proof: &str) -> u64 {
        let fault = self.journal.number();
        self.journal.record_at(
            at_us,
            Event::Fault {
                fault,
                name: name.to_owned(),
                nodes: nodes.to_vec(),
                proof: proof.to_owned(),
            },
        );
        fault
    }

    /// Writes down that a fault is over.
    pub(crate) fn fault_ended(&self, fault: u64) {
        self.journal.record(Event::FaultEnded { fault });
    }

    /// The end of every scenario: from here on nothing is broken. Every node that is not
    /// [`lost`](Self::lost) has to be back, every key has to be signed with, and all of them have to agree.
    ///
    /// # Errors
    /// If a node does not come back. That nothing is signed is for the judge to say.
    pub(crate) async fn heal(&mut self) -> Result<(), Failed> {
        let nodes: Vec<u64> = NODES
            .into_iter()
            .filter(|id| !self.lost.contains(id))
            .collect();
        self.journal.record(Event::Healed {
            bound_us: u64::try_from(SIGNED_WITHIN.as_micros()).unwrap_or(u64::MAX),
            nodes: nodes.clone(),
        });
        let fresh = self.load()?.each_wins(2, SIGNED_WITHIN).await;
        let ready = self.world_mut()?.ready(&nodes).await;
        if let Some(load) = &mut self.load {
            load.stop().await?;
        }
        ready.and(fresh)?;
        self.agree(&nodes).await
    }

    /// Waits until these nodes have applied the same entries, and writes down their marks.
    async fn agree(&self, nodes: &[u64]) -> Result<(), Failed> {
        let until = now_us().saturating_add(10_000_000);
        loop {
            let mut reports = Vec::new();
            for id in nodes {
                reports.push((*id, self.world()?.keys(*id).await?));
            }
            let applied: BTreeSet<u64> = reports.iter().map(|(_, (applied, _))| *applied).collect();
            if applied.len() > 1 && now_us() < until {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            for (node, (_, keys)) in reports {
                let marks = super::audit::marks(&keys);
                self.journal.record(Event::State { node, marks });
            }
            return Ok(());
        }
    }

    /// Ends every process and gives the whole history: what the bakers saw and what the nodes wrote down, by time.
    ///
    /// # Errors
    /// If an audit file cannot be read.
    pub(crate) fn history(&mut self) -> Result<Vec<Line>, Failed> {
        self.load = None;
        let mut lines = Vec::new();
        if let Some(world) = &mut self.world {
            world.kill(&NODES)?;
            lines = world.audits()?;
        }
        lines.extend(self.journal.lines());
        // Stable: a node wrote its line before the baker read the answer.
        lines.sort_by_key(|line| (line.at_us, !matches!(line.event, Event::Run { .. })));
        Ok(lines)
    }

    /// What each node's log says last, for a scenario that came to no end.
    pub(crate) fn last_words(&self) -> String {
        let Some(world) = &self.world else {
            return String::new();
        };
        let mut words = String::new();
        for machine in world.machines() {
            let log = std::fs::read_to_string(machine.process().log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines
                .get(lines.len().saturating_sub(15)..)
                .unwrap_or_default();
            words.push_str(&format!(
                "--- node {}:\n{}\n",
                machine.id(),
                last.join("\n")
            ));
        }
        words
    }
}
