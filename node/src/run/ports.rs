//! The ports of a node: all bound before it takes part in its cluster, so that a taken one is told
//! before anybody hears of the node.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::cli::{Exit, Failure};
use crate::config::Config;

/// The listeners, bound.
pub(super) struct Ports {
    pub(super) peers: TcpListener,
    pub(super) signer: TcpListener,
    pub(super) ops: TcpListener,
}

impl Ports {
    pub(super) async fn bind(config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            peers: bind("peers.listen", config.peers_listen).await?,
            signer: bind("signer.listen", config.signer.listen).await?,
            ops: bind("ops.listen", config.ops_listen).await?,
        })
    }
}

async fn bind(field: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let port = address.port();
        let what = format!(
            "cannot listen on {address} ({field}): {error}; see who has it with \
             `ss -ltnp 'sport = :{port}'`"
        );
        Failure::new(Exit::Io, what)
    })
}
