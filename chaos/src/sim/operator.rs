//! The operator: introduces keys, changes them, takes them out of service and back, and repeats what
//! nobody answered. Some of the commands come once more, long after.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use judge::history::{self, Action, Event, Mark, Told};
use node::cluster::Drained;
use node::dev::message::consensus;
use raft_store::command::{Answer, Command, Edit, Enrolment, Import, Refusal};
use raft_store::ledger::{Committed, Unavailable};
use raft_store::state::{Chains, ReleaseMode, Role};
use tezos::{Kind, Level, PublicKeyHash, Round};
use tokio::time::{Instant, sleep};

use super::ask::{Patience, Question, SERVER_TIMEOUT, ask};
use super::baker::slot;
use super::dice::{Concern, Dice};
use super::gate::Life;
use super::host::{Host, Node};
use super::keys::{Pair, pair};
use super::network::Machine;
use super::plan::{KeyPlan, MAINNET, OTHER_CHAIN};
use super::witness;
use super::world::{MACHINES, World};

/// The operator of the cluster.
#[derive(Debug)]
pub struct Operator {
    world: Arc<World>,
    dice: Dice,
    /// What was sent before, for what comes late.
    sent: Mutex<Vec<Command>>,
}

/// How long the operator waits for a commit, and for the drain.
const WAITS: Duration = Duration::from_secs(3);
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

    /// Gives an order through one node, repeats it while its outcome is unknown, waits for the drain.
    async fn order(&mut self, at: Machine, action: Action, command: Command) -> Told {
        let order = self.world.history.next_order();
        self.world.history.write(Event::Ordered { order, action });
        self.remember(&command);
        match self.commit(order, at, &command).await {
            Some((at, committed)) => self.wait_for_drain(order, at, committed.entry.index).await,
            None => Told::Refused,
        }
    }

    /// Gets a command committed, and tells the judge what the operator is told. Gives where it was
    /// committed; none if it was refused, or nobody knows.
    async fn commit(
        &mut self,
        order: u64,
        at: Machine,
        command: &Command,
    ) -> Option<(Machine, Committed)> {
        let mut at = at;
        let mut unknown = false;
        for _attempt in 0..3 {
            match self.propose(at, command).await {
                Reply::Committed(committed) => {
                    let entry = witness::entry(committed.entry);
                    let decided = Event::Decided { order, entry };
                    self.world.history.write(decided);
                    self.told(order, Told::Committed);
                    return Some((at, committed));
                }
                // An earlier attempt may have been the one that raised the generation.
                Reply::Refused(_) if unknown => break,
                Reply::Refused(_) => {
                    self.told(order, Told::Refused);
                    return None;
                }
                Reply::Unknown | Reply::Gone => unknown = true,
            }
            at = self.any();
            sleep(Duration::from_millis(100)).await;
        }
        self.count("operator: outcome unknown");
        self.told(order, Told::Unknown);
        None
    }

    fn remember(&self, command: &Command) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push(command.clone());
    }

    fn any(&mut self) -> Machine {
        *self.dice.one_of(&MACHINES).unwrap_or(&Machine(1))
    }

    async fn wait_for_drain(&self, order: u64, at: Machine, index: u64) -> Told {
        let drained = self.inside(at, move |cluster| async move {
            cluster.drained(index, soon(WAITS)).await
        });
        match drained.await.as_ref().map(Drained::done) {
            Some(true) => {
                self.count("operator: drained");
                self.told(order, Told::Drained);
                Told::Drained
            }
            Some(false) | None => Told::Committed,
        }
    }

    async fn propose(&self, at: Machine, command: &Command) -> Reply {
        let command = command.clone();
        let committed = self.inside(at, move |cluster| async move {
            cluster.propose(command, soon(WAITS)).await
        });
        match committed.await {
            Some(Ok(Committed {
                answer: Answer::Refused(refusal),
                ..
            })) => Reply::Refused(refusal),
            Some(Ok(committed)) => Reply::Committed(committed),
            None | Some(Err(Unavailable::NotLeader { .. })) => Reply::Gone,
            Some(Err(_nobody_knows)) => Reply::Unknown,
        }
    }

    /// Runs on a node as its admin socket would; none if the node is down or goes.
    async fn inside<T, F>(&self, at: Machine, what: impl FnOnce(Node) -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let running = self.world.host(at)?.running()?;
        let life: Arc<Life> = Arc::clone(&running.life);
        let work = life.process().spawn(what(running.cluster));
        life.outlives(work).await.ok()?.ok()
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

/// What came of a command.
enum Reply {
    Committed(Committed),
    Refused(Refusal),
    Unknown,
    /// Nothing was proposed, or the node went with what it knew.
    Gone,
}

/// The key as the judge reads it.
#[must_use]
pub fn described(plan: &KeyPlan) -> Option<history::Key> {
    let pair = pair(plan.curve, plan.set)?;
    let key = pair.public().hash().to_string();
    let burnt = |(level, round): (u32, Option<u32>)| {
        let mark = |kind: Kind| Mark {
            key: key.clone(),
            chain: MAINNET.to_string(),
            kind: witness::kind(kind),
            level: level.into(),
            round: round.unwrap_or(Round::MAX.get()).into(),
            digest: String::new(),
        };
        Kind::ALL.iter().map(|kind| mark(*kind)).collect::<Vec<_>>()
    };
    let mut floors = vec![(MAINNET.to_string(), i64::from(plan.floor))];
    if plan.floor == 0 {
        floors.push((OTHER_CHAIN.to_string(), 0));
    }
    Some(history::Key {
        public_key: pair.public().to_string(),
        release: witness::release(plan.release),
        floors,
        burnt: plan.import.map(burnt).unwrap_or_default(),
        key,
    })
}

fn enrolment(
    plan: &KeyPlan,
    generation: u64,
    import: Option<(u32, Option<u32>)>,
) -> Option<Command> {
    let pair = pair(plan.curve, plan.set)?;
    let mut chains = [(MAINNET, Level::new(plan.floor)?)].into_iter().collect();
    if plan.floor == 0 {
        chains = [(MAINNET, Level::ZERO), (OTHER_CHAIN, Level::ZERO)]
            .into_iter()
            .collect();
    }
    let imports = import.and_then(|(level, round)| {
        Some(Import {
            chain: MAINNET,
            kind: None,
            level: Level::new(level)?,
            round: round.and_then(Round::new),
        })
    });
    Some(Command::Enrol(Box::new(Enrolment {
        generation,
        public_key: pair.public().clone(),
        role: Role::Baker,
        release: plan.release,
        kinds: Kind::ALL.iter().copied().collect(),
        operations: [].into(),
        votes: [].into(),
        chains: Chains::Listed(chains),
        authorized: Vec::new(),
        imports: imports.into_iter().collect(),
    })))
}

fn soon(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
