//! One schedule, from its seed to its verdict.

use std::sync::Arc;
use std::time::Duration;

use judge::Verdict;
use judge::history::{Event, Line};
use raft_store::memory::{MemoryDisk, MemoryFolder};
use raft_store::types::Fingerprint;
use tokio::runtime::{Builder, RngSeed};
use tokio::time::Instant;

use super::baker::Baker;
use super::coverage::Counts;
use super::dice::{Concern, Dice};
use super::healing;
use super::history::{trace, written};
use super::host::Host;
use super::keys::pair;
use super::nemesis;
use super::operator::{Operator, described};
use super::plan::{Plan, Theme};
use super::world::{MACHINES, World};

/// What to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schedule {
    /// The seed: it makes the run happen again, to the byte.
    pub seed: u64,
    /// How long faults go on, in virtual time.
    pub span: Duration,
    /// What it is about; none for what the seed draws.
    pub theme: Option<Theme>,
}

/// What came of a schedule.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it was about.
    pub theme: Theme,
    /// What the judge says.
    pub verdict: Verdict,
    /// What no fault explains: a node that ended by itself, a cluster that did not form.
    pub surprises: Vec<String>,
    /// The hash of the history.
    pub trace: String,
    /// The history.
    pub lines: Vec<Line>,
    /// What it met.
    pub counts: Counts,
}

/// How long three nodes that are started at once may take to have a leader and the first keys.
const FORMS_WITHIN: Duration = Duration::from_secs(20);

impl Outcome {
    /// Whether every promise held and everything is explained.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.verdict.is_green() && self.surprises.is_empty()
    }
}

impl Schedule {
    /// Runs it in this thread, on virtual time. Must not be called inside of a runtime.
    ///
    /// # Panics
    /// If the operating system gives no runtime.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a runtime without I/O and threads asks for nothing"
    )]
    pub fn run(&self) -> Outcome {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .rng_seed(RngSeed::from_bytes(&self.seed.to_le_bytes()))
            .build()
            .expect("a runtime");
        let _random = raft_store::runtime::seed(self.seed);
        let plan = Plan::new(self.seed, self.span, self.theme);
        let theme = plan.theme;
        let (lines, counts, surprises) = runtime.block_on(live(plan));
        drop(runtime);
        let verdict = judge::judge(&lines);
        let trace = written(&lines).map_or_else(|error| error.to_string(), |all| trace(&all));
        Outcome {
            theme,
            verdict,
            surprises,
            trace,
            lines,
            counts,
        }
    }
}

async fn live(plan: Plan) -> (Vec<Line>, Counts, Vec<String>) {
    let world = World::new(plan);
    let operator = found(&world).await;
    if let Some(operator) = operator {
        bake(&world);
        nemesis::run(Arc::clone(&world), operator).await;
        healing::heal(&world).await;
    }
    world.end();
    let lines = world.history.take();
    (lines, world.coverage.counts(), world.surprises())
}

/// Three machines, formed, with a leader and the first keys, before anything goes wrong.
async fn found(world: &Arc<World>) -> Option<Operator> {
    let first = world.plan.keys.iter().filter(|key| !key.later);
    world.history.write(Event::Run {
        scenario: world.plan.words(),
        seed: Some(world.plan.seed),
        nodes: MACHINES.iter().map(|machine| machine.0).collect(),
        keys: first.filter_map(described).collect(),
    });
    for machine in MACHINES {
        let key = Fingerprint(Dice::new(world.plan.seed, Concern::Product, machine.0).bytes());
        let disk = MemoryDisk::new();
        if let Err(error) = MemoryFolder::create(&disk, key) {
            world.surprise(format!("machine {machine:?} has no folder: {error}"));
            return None;
        }
        let host = Host::new(world, machine, None, machine.0, key, disk);
        for (plan, pair) in world
            .plan
            .keys
            .iter()
            .filter_map(|plan| Some((plan, pair(plan.curve, plan.set)?)))
        {
            let in_device = plan.release == raft_store::state::ReleaseMode::AfterRecord;
            host.hsm.hold(&pair, in_device);
        }
        world.add(host);
    }
    for host in world.hosts() {
        host.start(world);
    }
    let mut operator = Operator::new(world);
    let formed = operator.form(&world.hosts()).await;
    let led = formed.is_ok() && healing::leader(world, FORMS_WITHIN).await;
    if !led {
        world.surprise(format!("no leader after forming: {formed:?}"));
        return None;
    }
    match operator.enrol_at_first().await {
        Ok(()) => Some(operator),
        Err(why) => {
            world.surprise(format!("the first keys were not enrolled: {why}"));
            None
        }
    }
}

/// The bakers of every key begin.
fn bake(world: &Arc<World>) {
    let began = Instant::now();
    let mut client = 0_u64;
    for plan in &world.plan.keys {
        let Some(pair) = pair(plan.curve, plan.set) else {
            continue;
        };
        for _ in 0..plan.bakers {
            client = client.saturating_add(1);
            let baker = Baker::new(world, client, plan, pair.public().hash());
            tokio::spawn(baker.bake(began));
        }
    }
}
