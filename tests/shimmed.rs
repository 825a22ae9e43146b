//! Nodes whose keys are in SoftHSM tokens, behind a module that goes wrong when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use node::dev::Settings;
use node::dev::deadline::wait_for;
use node::dev::token::{Tokens, softhsm};
use shim_orders::{MODULE, ORDERS, Orders};
use tempfile::TempDir;
use tezos::Curve;

use crate::world::{PATIENCE, World, folder};

/// The curves that a token knows.
pub(crate) const CURVES: [Curve; 3] = [Curve::Ed25519, Curve::Secp256k1, Curve::P256];

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
