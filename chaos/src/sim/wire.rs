//! One end of the network: what a node sends leaves here, and what comes for it is let in here.

use std::future::pending;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use node::peers::pins::PinSet;
use node::peers::wire::{Answer, CallError, Message, Peer, Wire, WireError};
use raft_store::types::{Fingerprint, Member};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::ServiceExt as _;

use super::gate::{Gate, Life};
use super::network::{Machine, Network, Seat};
use super::world::World;

/// The end at one start of a node.
pub struct Cable {
    /// The world, which may be over.
    pub world: Weak<World>,
    /// The machine.
    pub machine: Machine,
    /// Where it listens.
    pub address: String,
    /// Its key.
    pub key: Fingerprint,
    /// The process.
    pub life: Arc<Life>,
}

impl std::fmt::Debug for Cable {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Cable({})", self.address)
    }
}

impl Wire for Cable {
    fn serve(&self, pins: PinSet, app: Router) -> Result<BoxFuture<'static, ()>, WireError> {
        let world = self.world.upgrade().ok_or("the world is over")?;
        let seat = Seat {
            machine: self.machine,
            key: self.key,
            life: Arc::clone(&self.life),
            pins,
            app,
        };
        let taken = Taken {
            ticket: world.network.sit(&self.address, seat),
            world: Arc::downgrade(&world),
            address: self.address.clone(),
        };
        Ok(async move {
            let _taken = taken;
            pending().await
        }
        .boxed())
    }

    fn post<'a>(
        &'a self,
        _to: u64,
        member: &'a Member,
        message: Message,
    ) -> BoxFuture<'a, Result<Answer, CallError>> {
        let member = member.clone();
        async move {
            self.life.enter(Gate::MessageLeaves).await;
            let time = message.time;
            let (answer, answered) = oneshot::channel();
            let Some(world) = self.world.upgrade() else {
                return Err(CallError::NotSent("the world is over".to_owned()));
            };
            let way = Way {
                from: self.machine,
                key: self.key,
                member,
            };
            // What is on its way goes on when its sender is gone or stopped.
            tokio::spawn(way.carry(world, message, answer));
            match timeout(time, answered).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_dropped)) => Err(CallError::Lost("connection reset".to_owned())),
                Err(_elapsed) => Err(CallError::Lost("timed out".to_owned())),
            }
        }
        .boxed()
    }
}

/// Leaves its place at the network when it is dropped.
struct Taken {
    world: Weak<World>,
    address: String,
    ticket: u64,
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(world) = self.world.upgrade() {
            world.network.leave(&self.address, self.ticket);
        }
    }
}

/// From whom to whom.
struct Way {
    from: Machine,
    key: Fingerprint,
    member: Member,
}

type Answered = oneshot::Sender<Result<Answer, CallError>>;

impl Way {
    /// Carries a message there, and what it is answered with back.
    async fn carry(self, world: Arc<World>, message: Message, answered: Answered) {
        let to = world.machine_at(&self.member.address);
        let ends = soon(message.time);
        let Some(again) = arrives(&world, self.from, to, ends).await else {
            return drop(answered);
        };
        if let Some(after) = again {
            world.coverage.count("network: delivered twice");
            let (world, request) = (Arc::clone(&world), self.request(&message));
            let (member, key) = (self.member.clone(), self.key);
            tokio::spawn(async move {
                sleep(after).await;
                if let Ok(seat) = let_in(&world.network, &member, key) {
                    deliver(&seat, request).await;
                }
            });
        }
        let seat = match let_in(&world.network, &self.member, self.key) {
            Ok(seat) => seat,
            Err(refused) => {
                answered.send(Err(refused)).ok();
                return;
            }
        };
        let Some(answer) = deliver(&seat, self.request(&message)).await else {
            return; // dropped: the connection breaks with the process
        };
        if message.path.ends_with("/snapshot") && answer.status.is_success() {
            world.coverage.count("event: snapshot installed");
        }
        if arrives(&world, to, self.from, ends).await.is_none() {
            return drop(answered);
        }
        let fits = answer.body.len() <= message.limit;
        let too_long = || CallError::Lost("an answer above the limit".to_owned());
        answered
            .send(fits.then_some(answer).ok_or_else(too_long))
            .ok();
    }

    fn request(&self, message: &Message) -> Request {
        let mut request = Request::new(Body::from(message.body.clone()));
        *request.method_mut() = axum::http::Method::POST;
        if let Ok(path) = message.path.parse() {
            *request.uri_mut() = path;
        }
        *request.headers_mut() = message.headers.clone();
        request
    }
}

/// Waits until a message has crossed the network: what is lost is sent again a while later, as TCP
/// does it, until it comes or nobody waits for it any more. Says whether it comes once more, and
/// when.
async fn arrives(
    world: &World,
    from: Machine,
    to: Machine,
    ends: Instant,
) -> Option<Option<Duration>> {
    let mut again = RETRANSMIT;
    loop {
        if let Some((after, twice)) = world.network.fate(from, to).comes {
            sleep(after).await;
            return Some(twice);
        }
        world.coverage.count("network: lost");
        let next = Instant::now().checked_add(again)?;
        if next >= ends {
            sleep_until(ends).await;
            return None;
        }
        sleep_until(next).await;
        again = again.saturating_mul(2).min(RETRANSMIT_MOST);
    }
}

fn soon(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}

/// When TCP sends again what was not acknowledged, at first and at most (the kernel's own most is
/// far above any message's time here).
const RETRANSMIT: Duration = Duration::from_millis(200);
const RETRANSMIT_MOST: Duration = Duration::from_secs(2);

/// Each side must have the key that the other one pins, or there is no connection.
fn let_in(network: &Network, member: &Member, key: Fingerprint) -> Result<(Seat, Peer), CallError> {
    let refused = |words: &str| CallError::NotSent(words.to_owned());
    let seat = network.at(&member.address);
    let seat = seat.ok_or_else(|| refused("connection refused"))?;
    if seat.key != member.fingerprint {
        return Err(refused("the peer has another key"));
    }
    let id = seat.pins.node(&key);
    let id = id.ok_or_else(|| refused("the peer does not know this key"))?;
    Ok((seat, Peer { id, key }))
}

/// Lets the process at a seat answer; none if it ends before it has.
async fn deliver((seat, peer): &(Seat, Peer), mut request: Request) -> Option<Answer> {
    seat.life.pass(Gate::MessageComes).ok()?;
    request.extensions_mut().insert(*peer);
    let answering = seat.life.process().spawn(seat.app.clone().oneshot(request));
    let response = seat.life.outlives(answering).await.ok()?.ok()?;
    let (head, body) = response.unwrap_or_else(|never| match never {}).into_parts();
    let body: Bytes = body.collect().await.ok()?.to_bytes();
    seat.life.pass(Gate::AnswerLeaves).ok()?;
    Some(Answer {
        status: head.status,
        headers: head.headers,
        body,
    })
}
