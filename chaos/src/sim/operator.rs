//! The operator: introduces keys, changes them, takes them out of service and back, and repeats what
//! nobody answered. Some of the commands come once more, long after.

mod enrolment;
mod orders;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use judge::history::{Action, Event, Told};
use node::dev::message::consensus;
use raft_store::command::{Command, Edit, Refusal};
use raft_store::state::ReleaseMode;
use tezos::{Kind, Level, PublicKeyHash};
use tokio::time::sleep;

pub use enrolment::described;
use enrolment::enrolment;
use orders::Reply;

use super::ask::{Patience, Question, SERVER_TIMEOUT, ask};
use super::baker::slot;
use super::dice::{Concern, Dice};
use super::host::Host;
use super::keys::{Pair, pair};
use super::network::Machine;
use super::plan::{KeyPlan, MAINNET};
use super::world::{MACHINES, World};

/// The operator of the cluster.
#[derive(Debug)]
pub struct Operator {
    world: Arc<World>,
    dice: Dice,
    /// What was sent before, for what comes late.
    sent: Mutex<Vec<Command>>,
}

/// The number under which the operator asks for signatures.
const OPERATOR: u64 = 99;
/// How the operator asks.
const IMPATIENT: Patience = Patience {
    way: Duration::from_micros(100),
    hangs_up: SERVER_TIMEOUT,
};
/// How long a process may take to start, in microseconds.
const STARTS_US: u64 = 5_000_000;

impl Operator {
    /// The operator of this world.
    #[must_use]
    pub fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            dice: Dice::new(world.plan.seed, Concern::Operator, 0),
            sent: Mutex::default(),
        }
    }

    /// A second operator of it, who does not know of the first.
    #[must_use]
    pub fn again(world: &Arc<World>) -> Self {
        Self {
            dice: Dice::new(world.plan.seed, Concern::Operator, 1),
            ..Self::new(world)
        }
    }

    /// Whether the time of faults is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.world.healing()
    }

    /// Does nothing for a while.
    pub async fn rest(&mut self) {
        let pause = self.dice.millis(50, 400);
        sleep(pause).await;
    }

    /// Runs the same line on every machine, which makes a cluster of them.
    ///
    /// # Errors
    /// What a node said instead.
    pub async fn form(&self, hosts: &[Arc<Host>]) -> Result<(), String> {
        let lines: Vec<_> = hosts.iter().map(|host| host.line()).collect();
        let began = self.world.history.at_us();
        for host in hosts {
            while host.running().is_none() {
                if self.world.history.at_us() > began.saturating_add(STARTS_US) {
                    return Err(format!("{host:?} did not start"));
                }
                sleep(Duration::from_millis(1)).await;
            }
            let lines = lines.clone();
            let formed = self.inside(host.machine, move |cluster| async move {
                cluster.form(&lines).await
            });
            match formed.await {
                Some(Ok(_formed)) => {}
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err(format!("{host:?} is gone")),
            }
        }
        Ok(())
    }

    /// Enrols what is in service before the first request. It is in the first line of the history.
    ///
    /// # Errors
    /// What the cluster said instead.
    pub async fn enrol_at_first(&mut self) -> Result<(), String> {
        let keys = self.world.plan.keys.clone();
        for plan in keys.iter().filter(|plan| !plan.later) {
            let command = enrolment(plan, 0, None).ok_or("no such key")?;
            for _attempt in 0..5 {
                match self.propose(Machine(1), &command).await {
                    Reply::Committed(_) => break,
                    Reply::Unknown | Reply::Gone => {}
                    Reply::Refused(refusal) => {
                        if !matches!(
                            refusal,
                            Refusal::AlreadyEnrolled | Refusal::Generation { .. }
                        ) {
                            return Err(refusal.to_string());
                        }
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Does one thing to one key, if there is something to do.
    pub async fn act(&mut self) {
        let keys = self.world.plan.keys.clone();
        if self.dice.chance(200) {
            return self.repeat_an_old_one().await;
        }
        let Some(plan) = self.dice.one_of(keys.get(1..).unwrap_or_default()).cloned() else {
            return;
        };
        let Some(pair) = pair(plan.curve, plan.set) else {
            return;
        };
        let key = pair.public().hash();
        let at = self.any();
        match self.sees(at, key) {
            None => self.enrol(at, &plan).await,
            Some(seen) if !seen.enabled => self.enable(at, key, seen.generation).await,
            Some(seen) => match self.dice.between(0, 9) {
                0..=4 => self.disable(at, &plan, key, &seen).await,
                5 => self.raise(at, key, &seen).await,
                _ if seen.release == ReleaseMode::AfterCommit => {
                    self.move_into_devices(at, &plan, &pair, seen.generation)
                        .await;
                }
                _ => self.disable(at, &plan, key, &seen).await,
            },
        }
    }

    async fn enrol(&mut self, at: Machine, plan: &KeyPlan) {
        let Some(command) = enrolment(plan, 0, plan.import) else {
            return;
        };
        let Some(key) = described(plan) else {
            return;
        };
        let told = self.order(at, Action::Enrol(key), command).await;
        if told == Told::Committed || told == Told::Drained {
            self.count("operator: enrolled");
            if plan.import.is_some() {
                self.count("operator: enrolled with marks");
            }
        }
    }

    /// Takes a key out of service, and asks for it at once: what arrives now is not signed.
    async fn disable(&mut self, at: Machine, plan: &KeyPlan, key: PublicKeyHash, seen: &KeySeen) {
        let action = Action::Disable {
            key: key.to_string(),
        };
        let command = Command::Disable {
            key,
            generation: seen.generation,
        };
        let order = self.world.history.next_order();
        self.world.history.write(Event::Ordered { order, action });
        self.remember(&command);
        let committed = self.commit(order, at, &command).await;
        if let Some((at, committed)) = committed {
            self.count("operator: disabled");
            self.ask_anyway(plan, key, seen).await;
            self.wait_for_drain(order, at, committed.entry.index).await;
            if self.dice.chance(400) {
                self.repeat_an_old_one().await;
                self.ask_anyway(plan, key, seen).await;
            }
        }
    }

    /// Asks two nodes for a slot above all others.
    async fn ask_anyway(&mut self, plan: &KeyPlan, key: PublicKeyHash, seen: &KeySeen) {
        let level = seen.highest.unwrap_or(plan.first_level).saturating_add(1);
        let Some(slot) = slot(level, 0) else {
            return;
        };
        for machine in [self.any(), self.any()] {
            let bytes = consensus(plan.curve, Kind::Attestation, MAINNET, slot, OPERATOR);
            let question = Question {
                client: OPERATOR,
                key,
                bytes,
            };
            let world = Arc::clone(&self.world);
            tokio::spawn(async move {
                ask(&world, machine, &question, IMPATIENT).await;
            });
        }
    }

    async fn enable(&mut self, at: Machine, key: PublicKeyHash, generation: u64) {
        let action = Action::Enable {
            key: key.to_string(),
        };
        let told = self.order(at, action, Command::Enable { key, generation });
        if told.await != Told::Refused {
            self.count("operator: enabled");
        }
    }

    /// Burns a few levels, below, at or above where the bakers are.
    async fn raise(&mut self, at: Machine, key: PublicKeyHash, seen: &KeySeen) {
        let Some(level) = seen.highest else {
            return;
        };
        let by = u32::try_from(self.dice.between(0, 3)).unwrap_or(0);
        let Some(level) = Level::new(level.saturating_add(by)) else {
            return;
        };
        let action = Action::Raise {
            key: key.to_string(),
            chain: MAINNET.to_string(),
            level: level.get().into(),
        };
        let command = Command::Raise {
            key,
            generation: seen.generation,
            chain: MAINNET,
            kind: None,
            level,
        };
        if self.order(at, action, command).await != Told::Refused {
            self.count("operator: raised");
        }
    }

    /// Moves a key from files into devices, one node after the other, in the middle of which the
    /// release mode changes. A node that is ahead or behind refuses to sign, and no more.
    async fn move_into_devices(
        &mut self,
        at: Machine,
        plan: &KeyPlan,
        pair: &Arc<Pair>,
        generation: u64,
    ) {
        if !pair.randomises() {
            return;
        }
        let mut hosts = self.world.hosts();
        if self.dice.chance(300)
            && let Some(early) = hosts.pop()
        {
            early.hsm.hold(pair, true);
        }
        let moved = KeyPlan {
            release: ReleaseMode::AfterRecord,
            ..plan.clone()
        };
        let Some(key) = described(&moved) else {
            return;
        };
        let edit = Edit {
            release: Some(ReleaseMode::AfterRecord),
            ..Edit::default()
        };
        let command = Command::Edit {
            key: pair.public().hash(),
            generation,
            edit: Box::new(edit),
        };
        let told = self.order(at, Action::Enrol(key), command).await;
        for host in hosts {
            let pause = self.dice.millis(0, 200);
            sleep(pause).await;
            host.hsm.hold(pair, true);
        }
        if told != Told::Refused {
            self.count("operator: moved to after_record");
        }
    }

    /// A command that was sent long ago comes once more: its generation must stop it. Those that take
    /// a key into service are the ones to fear.
    async fn repeat_an_old_one(&mut self) {
        let sent = {
            let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            let enabling =
                |command: &&Command| matches!(command, Command::Enable { .. } | Command::Enrol(_));
            let feared: Vec<Command> = sent.iter().filter(enabling).cloned().collect();
            let from = if feared.is_empty() || self.dice.chance(300) {
                &*sent
            } else {
                &feared
            };
            self.dice.one_of(from).cloned()
        };
        let at = self.any();
        if let Some(command) = sent {
            self.count("operator: late duplicate");
            self.propose(at, &command).await;
        }
    }

    fn remember(&self, command: &Command) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push(command.clone());
    }

    fn any(&mut self) -> Machine {
        *self.dice.one_of(&MACHINES).unwrap_or(&Machine(1))
    }

    /// A key as one node sees it, which may be behind.
    fn sees(&self, at: Machine, key: PublicKeyHash) -> Option<KeySeen> {
        let running = self.world.host(at)?.running()?;
        let ledger = running.cluster.ledger()?.clone();
        let state = ledger.state();
        let key = state.keys.get(&key)?;
        Some(KeySeen {
            enabled: key.enabled,
            generation: key.generation,
            release: key.release,
            highest: key.highest(MAINNET).map(|slot| slot.level.get()),
        })
    }

    fn told(&self, order: u64, told: Told) {
        self.world.history.write(Event::Obeyed { order, told });
    }

    fn count(&self, name: &str) {
        self.world.coverage.count(name);
    }
}

/// What the operator sees of a key.
struct KeySeen {
    enabled: bool,
    generation: u64,
    release: ReleaseMode,
    highest: Option<u32>,
}
