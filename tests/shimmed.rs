//! Nodes whose keys are in SoftHSM tokens, behind a module that goes wrong when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use node::dev::Settings;
use node::dev::deadline::wait_for;
use node::dev::token::{Tokens, softhsm};
use shim_orders::{MODULE, ORDERS, Order, Orders};
use tempfile::TempDir;
use tezos::{Curve, PublicKey};

use crate::world::{Outcome, PATIENCE, World, attestation, folder};

/// The curves that a token knows.
pub(crate) const CURVES: [Curve; 3] = [Curve::Ed25519, Curve::Secp256k1, Curve::P256];

/// A request that met an order.
pub(crate) struct Met {
    /// The node whose module it was.
    pub(crate) leader: u64,
    pub(crate) message: Vec<u8>,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

pub(crate) struct Shimmed {
    pub(crate) world: World,
    base: TempDir,
}

impl Shimmed {
    /// A cluster whose nodes `with_tokens` keep the keys in tokens, and the others in files.
    pub(crate) async fn with(
        with_tokens: &[u64],
        curves: &[Curve],
        release: &'static str,
        settings: Settings,
    ) -> Self {
        let base = folder();
        for id in with_tokens {
            // The folder must be there before the first call of the module.
            drop(Orders::new(orders(base.path(), *id)));
        }
        let softhsm = softhsm().unwrap().display().to_string();
        let here = base.path().join("orders-{node}").display().to_string();
        let tokens = Tokens {
            nodes: with_tokens.iter().copied().collect::<BTreeSet<u64>>(),
            module: shim_orders::shim().unwrap(),
            environment: BTreeMap::from([(MODULE.to_owned(), softhsm), (ORDERS.to_owned(), here)]),
        };
        let world = World::with_tokens(curves, release, settings, Some(tokens)).await;
        let shimmed = Self { world, base };
        // A token serves no key that is released after the commit.
        if release == "after-record" {
            shimmed.told().await;
        }
        shimmed
    }

    /// Waits until every node has heard from every node that it can sign with all keys: before that a
    /// leader without its token knows of nobody to hand over to, and says so.
    async fn told(&self) {
        let cluster = &self.world.cluster;
        for asked in 1..=3 {
            let heard = wait_for("what each node can sign", PATIENCE, || async {
                let status = cluster.status(asked).await;
                let nodes = status.map_err(|fault| fault.to_string())?.nodes;
                let able = nodes.iter().filter(|node| {
                    let keys = cluster.keys().iter();
                    let mut hashes = keys.map(|key| key.public_key.hash());
                    hashes.all(|hash| node.can_sign.get(&hash) == Some(&true))
                });
                match able.count() {
                    3 => Ok(()),
                    few => Err(format!("node {asked} has heard it of {few}")),
                }
            });
            heard.await.unwrap();
        }
    }

    /// Tokens on all nodes.
    pub(crate) async fn everywhere(curves: &[Curve]) -> Self {
        Self::with(&[1, 2, 3], curves, "after-record", Settings::default()).await
    }

    /// Asks for a new slot through a node that `through` picks, with an order in the leader's module that
    /// the request is to meet. Asked again if leadership moved meanwhile, as it may after a session that
    /// was slow to come back.
    pub(crate) async fn meet(
        &mut self,
        name: &str,
        order: &Order,
        key: &PublicKey,
        through: fn(u64) -> u64,
    ) -> Met {
        for _ in 0..5 {
            let (leader, slot) = (self.world.leader().await, self.world.next_slot());
            let orders = self.orders(leader);
            orders.give(name, order);
            let message = attestation(key, slot, 0);
            let asked = Instant::now();
            let outcome = self.world.ask(&[through(leader)], key, &message).await;
            if orders.used(name) > 0 {
                return Met {
                    leader,
                    message,
                    outcome,
                    took: asked.elapsed(),
                };
            }
            orders.withdraw(name);
        }
        panic!("{name} was never met");
    }

    /// What goes wrong in the module of a node.
    pub(crate) fn orders(&self, id: u64) -> Orders {
        Orders::new(orders(self.base.path(), id))
    }

    /// No order was misread in any module.
    pub(crate) fn nothing_misread(&self) {
        for id in 1..=3 {
            let path = orders(self.base.path(), id);
            if path.exists() {
                assert_eq!(Orders::new(path).complaints(), Vec::<String>::new());
            }
        }
    }
}

fn orders(base: &Path, id: u64) -> std::path::PathBuf {
    base.join(format!("orders-{id}"))
}
