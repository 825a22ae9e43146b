//! The wire of a real node: TLS 1.3 between pinned keys, HTTP inside, one client for each peer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use futures_util::future::BoxFuture;
use raft_store::identity::NodeKey;
use raft_store::types::Member;
use tokio::net::TcpListener;

use super::accept;
use super::call::PeerClient;
use super::pins::PinSet;
use super::tls::{OwnKey, server_config};
use super::wire::{Answer, CallError, Message, Wire, WireError};

/// A bound peer port, and the clients to all peers: one each, shared by Raft, hello and forwarding.
#[derive(Debug)]
pub struct Pinned {
    key: OwnKey,
    listener: Mutex<Option<TcpListener>>,
    clients: Mutex<BTreeMap<u64, PeerClient>>,
}

impl Pinned {
    /// The wire of the node that has this key and listens here. No client yet; each is made when
    /// its peer is first called.
    ///
    /// # Errors
    /// If the TLS stack does not take the key.
    pub fn new(key: &NodeKey, listener: TcpListener) -> Result<Arc<Self>, rustls::Error> {
        Ok(Arc::new(Self {
            key: OwnKey::new(key)?,
            listener: Mutex::new(Some(listener)),
            clients: Mutex::default(),
        }))
    }

    /// The client for a member. A new one is made when the member's address or key changed.
    fn client(&self, node: u64, member: &Member) -> Result<PeerClient, CallError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&node).filter(|client| client.is_for(member)) {
            return Ok(client.clone());
        }
        let made = PeerClient::new(&self.key, node, member);
        let client = made.map_err(|error| CallError::NotSent(error.to_string()))?;
        clients.insert(node, client.clone());
        Ok(client)
    }
}

impl Wire for Pinned {
    fn serve(&self, pins: PinSet, app: Router) -> Result<BoxFuture<'static, ()>, WireError> {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = listener.take().ok_or("the peer port is served already")?;
        let tls = server_config(&self.key, &pins)?;
        Ok(Box::pin(accept::serve(listener, tls, pins, app)))
    }

    fn post<'a>(
        &'a self,
        to: u64,
        member: &'a Member,
        message: Message,
    ) -> BoxFuture<'a, Result<Answer, CallError>> {
        let Message {
            path,
            headers,
            body,
            time,
            limit,
        } = message;
        Box::pin(async move {
            let client = self.client(to, member)?;
            client.post(&path, headers, body, time, limit).await
        })
    }
}
