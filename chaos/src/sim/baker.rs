//! The bakers: several for one key, which is what nobody should have and everybody once had.
//!
//! They follow a common clock of levels, each with a lag of its own. They ask for conflicting
//! messages, ask the same again, ask another node when one fails, hang up, and now and then ask for
//! what was long ago.

use std::sync::Arc;
use std::time::Duration;

use node::dev::message::consensus;
use tezos::{ChainId, Curve, Kind, Level, PublicKeyHash, Round, Slot};
use tokio::time::{Instant, sleep, sleep_until};

use super::ask::{Answer, Patience, Question, SERVER_TIMEOUT, ask};
use super::dice::{Concern, Dice};
use super::network::Machine;
use super::plan::{KeyPlan, MAINNET, OTHER_CHAIN};
use super::world::{MACHINES, World};

/// One baker.
#[derive(Debug)]
pub struct Baker {
    world: Arc<World>,
    client: u64,
    key: PublicKeyHash,
    curve: Curve,
    flavour: u64,
    home: Machine,
    lag: Duration,
    dice: Dice,
    plan: KeyPlan,
}

impl Baker {
    /// The `number`-th baker of a key.
    #[must_use]
    pub fn new(world: &Arc<World>, client: u64, plan: &KeyPlan, key: PublicKeyHash) -> Self {
        let mut dice = Dice::new(world.plan.seed, Concern::Baker, client);
        let home = *dice.one_of(&MACHINES).unwrap_or(&Machine(1));
        Self {
            world: Arc::clone(world),
            client,
            key,
            curve: plan.curve,
            flavour: if plan.conflicting { client } else { 0 },
            home,
            lag: dice.millis(0, 60),
            dice,
            plan: plan.clone(),
        }
    }

    /// Bakes until the time of faults is over.
    pub async fn bake(mut self, began: Instant) {
        sleep(self.lag).await;
        let mut step = 0_u32;
        let mut introduced = false;
        while !self.world.healing() {
            let level = self.plan.first_level.saturating_add(step);
            if !introduced {
                introduced = self.is_known().await;
            } else {
                for (round, kind) in self.turn() {
                    self.slot(MAINNET, kind, level, round).await;
                    if self.world.healing() {
                        return;
                    }
                }
                self.mischief(level).await;
            }
            step = step.saturating_add(1);
            let next = self.world.plan.level.saturating_mul(step);
            let next = began.checked_add(next.saturating_add(self.lag));
            match next.filter(|next| *next > Instant::now()) {
                Some(next) => sleep_until(next).await,
                // It lags behind the chain: on to the level that is now.
                None => step = step.max(self.now(began)),
            }
        }
    }

    fn now(&self, began: Instant) -> u32 {
        let level = self.world.plan.level.as_millis().max(1);
        let passed = began.elapsed().as_millis().checked_div(level);
        passed
            .and_then(|passed| u32::try_from(passed).ok())
            .unwrap_or(0)
    }

    /// What one level asks of a baker: its votes, now and then a block, now and then a second round.
    fn turn(&mut self) -> Vec<(u32, Kind)> {
        let mut turn = Vec::new();
        let rounds = if self.dice.chance(150) { 2 } else { 1 };
        for round in 0..rounds {
            if self.dice.chance(300) {
                turn.push((round, Kind::Block));
            }
            if self.dice.chance(500) {
                turn.push((round, Kind::Preattestation));
            }
            turn.push((round, Kind::Attestation));
        }
        turn
    }

    /// Asks for one slot, and on with the same bytes on other nodes while nobody decides.
    async fn slot(&mut self, chain: ChainId, kind: Kind, level: u32, round: u32) {
        let Some(slot) = slot(level, round) else {
            return;
        };
        let bytes = consensus(self.curve, kind, chain, slot, self.flavour);
        let mut at = self.home;
        for _attempt in 0..4 {
            let answer = self.ask(at, bytes.clone()).await;
            if decided(&answer) || self.world.healing() {
                break;
            }
            at = self.elsewhere(at);
            self.world.coverage.count("baker: asked another node");
            let pause = self.dice.millis(1, 60);
            sleep(pause).await;
        }
    }

    /// What a baker should not do, and what happens.
    async fn mischief(&mut self, level: u32) {
        if self.dice.chance(120) {
            // The same again, somewhere else: a balancer's retry after the answer was lost.
            let at = self.elsewhere(self.home);
            let bytes = self.attestation(level, self.flavour);
            if let Some(bytes) = bytes {
                self.ask(at, bytes).await;
            }
        }
        if self.dice.chance(120) {
            let back = u32::try_from(self.dice.between(1, 4)).unwrap_or(1);
            let flavour = self.dice.between(0, 9);
            if let Some(bytes) = self.attestation(level.saturating_sub(back), flavour) {
                self.ask(self.home, bytes).await;
            }
        }
        if self.dice.chance(60)
            && let Some(bytes) = self.attestation(level, 77)
        {
            let at = self.elsewhere(self.home);
            self.ask(at, bytes).await;
        }
        // Not an attestation: after the healing one above all that was asked must be fresh.
        if self.dice.chance(25)
            && let Some(slot) = slot(level.saturating_add(1_000_000), 0)
        {
            let kind = Kind::Preattestation;
            let bytes = consensus(self.curve, kind, MAINNET, slot, self.flavour);
            self.ask(self.home, bytes).await;
        }
    }

    /// Asks for the first time, for what must not be signed: below the floor, where no mark protects
    /// the key yet, and what another signer has signed. Says whether the key is enrolled already.
    async fn is_known(&mut self) -> bool {
        let below = self.plan.floor.checked_sub(1);
        if let Some(slot) = below.and_then(|below| slot(below, 0)) {
            let bytes = consensus(self.curve, Kind::Block, MAINNET, slot, self.flavour);
            if self.ask(self.home, bytes).await.status == UNKNOWN_KEY {
                return false;
            }
        }
        if let Some((level, round)) = self.plan.import {
            let round = round.unwrap_or(0);
            self.slot(MAINNET, Kind::Attestation, level, round).await;
        }
        if self.plan.floor == 0 && self.dice.chance(100) {
            let edge = if self.dice.chance(500) {
                0
            } else {
                Level::MAX.get()
            };
            self.slot(OTHER_CHAIN, Kind::Preattestation, edge, 0).await;
        }
        true
    }

    async fn ask(&mut self, at: Machine, bytes: Vec<u8>) -> Answer {
        while self.world.is_silent() {
            sleep(Duration::from_millis(10)).await;
        }
        let hangs_up = if self.dice.chance(40) {
            self.world.coverage.count("baker: hung up");
            self.dice.millis(1, 30)
        } else {
            SERVER_TIMEOUT
        };
        let patience = Patience {
            way: self.dice.micros(100, 2_000),
            hangs_up,
        };
        let question = Question {
            client: self.client,
            key: self.key,
            bytes,
        };
        ask(&self.world, at, &question, patience).await
    }

    fn attestation(&self, level: u32, flavour: u64) -> Option<Vec<u8>> {
        let slot = slot(level, 0)?;
        let kind = Kind::Attestation;
        Some(consensus(self.curve, kind, MAINNET, slot, flavour))
    }

    fn elsewhere(&mut self, at: Machine) -> Machine {
        let others: Vec<Machine> = MACHINES.into_iter().filter(|other| *other != at).collect();
        *self.dice.one_of(&others).unwrap_or(&at)
    }
}

/// The status for a key that is not enrolled.
const UNKNOWN_KEY: u16 = 404;

/// Whether asking another node makes no sense: it is signed, or refused for good.
fn decided(answer: &Answer) -> bool {
    !matches!(answer.status, 0 | 500 | 502 | 503)
}

/// A slot, if there is such a one.
#[must_use]
pub fn slot(level: u32, round: u32) -> Option<Slot> {
    Some(Slot::new(Level::new(level)?, Round::new(round)?))
}
