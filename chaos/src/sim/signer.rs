//! The signers of one machine: real cryptography, behind a device that is slow, fails, hangs, or
//! gives signatures that are none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use judge::history::Event;
use node::keys::{Keyring, SignFailure, Signer};
use raft_store::ledger::{Grant, Permit, Released, Signed};
use tezos::{PublicKey, PublicKeyHash, Signature};
use tokio::time::sleep;

use super::dice::{Concern, Dice};
use super::gate::{Gate, Life};
use super::keys::Pair;
use super::network::Machine;
use super::witness::key_text;
use super::world::World;

/// How the signers of a machine do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mood {
    /// Well.
    Well,
    /// They say no, and have not signed.
    Fail,
    /// They sign, and then the session is lost.
    FailAfterSigning,
    /// They do not answer until this is over.
    Hang,
    /// They answer with bytes that no key verifies.
    Wrong,
    /// They take long.
    Slow,
}

/// What a machine signs with. Its devices outlive its processes.
#[derive(Debug)]
pub struct Hsm {
    world: Weak<World>,
    machine: Machine,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    dice: Dice,
    mood: Mood,
    /// Whether each key lies in a device that signs differently each time.
    keys: BTreeMap<PublicKeyHash, (Arc<Pair>, bool)>,
}

impl Hsm {
    /// The signers of `machine`, without a key.
    #[must_use]
    pub fn new(world: &Arc<World>, machine: Machine) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::downgrade(world),
            machine,
            state: Mutex::new(State {
                dice: Dice::new(world.plan.seed, Concern::Signer, machine.0),
                mood: Mood::Well,
                keys: BTreeMap::new(),
            }),
        })
    }

    /// Puts a key into a file, or into a device.
    pub fn hold(&self, pair: &Arc<Pair>, in_device: bool) {
        let key = pair.public().hash();
        self.lock().keys.insert(key, (Arc::clone(pair), in_device));
    }

    /// How they do from now on.
    pub fn mood(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// The keyring of a process that starts now.
    #[must_use]
    pub fn keyring(self: &Arc<Self>, life: &Arc<Life>) -> Keyring {
        let pairs: Vec<_> = self.lock().keys.values().cloned().collect();
        Keyring::of(pairs.into_iter().map(|(pair, _)| {
            let token: Arc<dyn Signer> = Arc::new(Token {
                hsm: Arc::clone(self),
                life: Arc::clone(life),
                pair,
            });
            token
        }))
    }

    /// Signs, and tells the judge: this signature exists, whether it ever leaves or not.
    async fn sign(
        &self,
        life: &Life,
        pair: &Pair,
        message: &[u8],
    ) -> Result<Signature, SignFailure> {
        life.enter(Gate::SignerAsked).await;
        let backend = |what: &str| SignFailure::Backend {
            key: pair.public().hash(),
            what: what.to_owned(),
        };
        let (time, mut mood) = {
            let mut state = self.lock();
            let (usual, long) = (state.dice.micros(300, 4_000), state.dice.millis(100, 500));
            let time = if state.mood == Mood::Slow {
                long
            } else {
                usual
            };
            (time, state.mood)
        };
        sleep(time).await;
        while mood == Mood::Hang {
            sleep(Duration::from_millis(20)).await;
            mood = self.lock().mood;
        }
        if mood == Mood::Fail {
            return Err(backend("the device was removed"));
        }
        let signature = self.make(pair, message);
        if mood == Mood::Wrong {
            let other = self.make(pair, &[message, &[0]].concat());
            return Ok(other);
        }
        if let Some(world) = self.world.upgrade() {
            let node = world.node_of(self.machine);
            let bytes = hex::encode(message);
            let text = signature.clone().normalised().to_string();
            world.signed(&bytes, &text);
            world.history.write(Event::Signed {
                node,
                key: key_text(pair.public().hash()),
                bytes,
                signature: text,
            });
        }
        life.enter(Gate::SignerSigned).await;
        match mood {
            Mood::FailAfterSigning => Err(backend("the session is lost")),
            Mood::Well | Mood::Fail | Mood::Hang | Mood::Wrong | Mood::Slow => Ok(signature),
        }
    }

    fn make(&self, pair: &Pair, message: &[u8]) -> Signature {
        let mut state = self.lock();
        let in_device = state
            .keys
            .get(&pair.public().hash())
            .is_some_and(|(_, in_device)| *in_device);
        if in_device {
            pair.sign_in_hsm(message, &mut state.dice)
        } else {
            pair.sign(message)
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One key of a machine, as one process of it sees it.
#[derive(Debug)]
struct Token {
    hsm: Arc<Hsm>,
    life: Arc<Life>,
    pair: Arc<Pair>,
}

impl Signer for Token {
    fn sign(&self, grant: Grant) -> BoxFuture<'static, Result<Signed, SignFailure>> {
        let (hsm, life, pair) = self.parts();
        async move {
            let signature = hsm.sign(&life, &pair, grant.message()).await?;
            let key = pair.public().hash();
            grant
                .seal(signature)
                .map_err(|_wrong| SignFailure::WrongSignature { key })
        }
        .boxed()
    }

    fn permit(&self, permit: Permit) -> BoxFuture<'static, Result<Released, SignFailure>> {
        let (hsm, life, pair) = self.parts();
        async move {
            let key = pair.public().hash();
            if permit.is_possession() {
                let what = "this device proves no possession".to_owned();
                return Err(SignFailure::Backend { key, what });
            }
            let signature = hsm.sign(&life, &pair, permit.message()).await?;
            permit
                .seal(signature)
                .map_err(|_wrong| SignFailure::WrongSignature { key })
        }
        .boxed()
    }

    fn deterministic(&self) -> bool {
        let state = self.hsm.lock();
        let held = state.keys.get(&self.pair.public().hash());
        !held.is_some_and(|(pair, in_device)| *in_device && pair.randomises())
    }

    fn public_key(&self) -> &PublicKey {
        self.pair.public()
    }
}

impl Token {
    fn parts(&self) -> (Arc<Hsm>, Arc<Life>, Arc<Pair>) {
        (
            Arc::clone(&self.hsm),
            Arc::clone(&self.life),
            Arc::clone(&self.pair),
        )
    }
}
