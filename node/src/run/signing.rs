//! The signer API, from the moment this node belongs to a cluster.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::assembly::Assembled;
use super::drain::Drain;
use super::member::Member;
use crate::admin::Prover;
use crate::api;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::health::{Monitor, Source};
use crate::keys::Keyring;
use crate::metrics::{ClusterMetrics, Metrics};
use crate::sign::{Ask, Peers as _};

/// What the signer API needs.
pub(super) struct Signing<S> {
    pub(super) cluster: Cluster,
    pub(super) keyring: Arc<Keyring>,
    pub(super) config: Config,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) source: S,
    pub(super) monitor: Monitor,
}

impl<S: Source> Signing<S> {
    /// Serves bakers on `listener`, and what peers forward, until the drain says stop.
    pub(super) async fn serve(
        self,
        listener: TcpListener,
        prover: watch::Sender<Option<Prover>>,
        drain: Drain,
    ) {
        let Self {
            cluster,
            keyring,
            config,
            tls,
            metrics,
            source,
            monitor,
        } = self;
        let member = turn_away_until_formed(&listener, &cluster).await;
        let figures = ClusterMetrics::new(member.ledger().clone(), source, monitor);
        metrics.collect(figures);
        let limits = config.signer.limits.clone();
        let Assembled { path, service } =
            Assembled::new(member, keyring, &config.times, config.signer, metrics);
        let proving = Arc::clone(&path);
        prover.send_replace(Some(Arc::new(move |prove| {
            let path = Arc::clone(&proving);
            async move { path.request(Ask::Prove(prove)).await }.boxed()
        })));
        let mut in_work = path.admission().in_work();
        drain.set_in_work(true);
        api::serve(listener, tls, limits, service, drain.stop_signing()).await;
        // Requests that peers forwarded come on no connection of this listener.
        drop(in_work.wait_for(|count| *count == 0).await);
        drain.set_in_work(false);
    }
}

/// A node without a cluster closes every connection at once, so that a balancer asks another node
/// and nobody waits for an answer that does not come.
async fn turn_away_until_formed(listener: &TcpListener, cluster: &Cluster) -> Member {
    let mut view = cluster.view();
    loop {
        if let Some(member) = Member::of(cluster) {
            return member;
        }
        tokio::select! {
            changed = view.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            accepted = listener.accept() => drop(accepted),
        }
    }
}
