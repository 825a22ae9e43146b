//! One baker: asks one node after the other until somebody decides, and writes down each request.

use std::sync::Arc;
use std::time::Duration;

use client::{Client, ClientError, Options, Outage};
use judge::history::Event;
use node::dev::deadline::Deadline;
use tezos::PublicKey;

use super::failed::Failed;
use super::journal::Journal;
use super::world::World;

/// How long a baker asks for one message before it gives up. Longer than any fault lasts here: a
/// message that nobody decides in this time is lost.
const PATIENCE: Duration = Duration::from_secs(25);

/// After a whole round of nodes that cannot answer, as octez sleeps before it sends again.
const PAUSE: Duration = Duration::from_millis(20);

/// A baker. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Baker {
    client: u64,
    /// Every node with a connection of its own, so that each request is known by whom it asked.
    doors: Arc<Vec<(u64, Client)>>,
    journal: Arc<Journal>,
}

/// What came of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    /// There is a signature.
    Signed,
    /// It will not be signed.
    Refused,
    /// Nobody could decide for as long as the baker asked.
    Undecided,
}

impl Baker {
    /// A baker that may ask every node.
    ///
    /// # Errors
    /// If an HTTP client cannot be built.
    pub(crate) fn new(client: u64, world: &World, journal: Arc<Journal>) -> Result<Self, Failed> {
        let no_client = |error: &dyn std::error::Error| Failed::step(error.to_string());
        let mut doors = Vec::new();
        for machine in world.machines() {
            let url = machine.process().signer_url();
            let endpoint = url.parse().map_err(|error| no_client(&error))?;
            let client = Client::new(vec![endpoint], Options::default());
            doors.push((machine.id(), client.map_err(|error| no_client(&error))?));
        }
        Ok(Self {
            client,
            doors: Arc::new(doors),
            journal,
        })
    }

    /// Asks until somebody decides, `first` first. An outage decides nothing, so the same bytes are
    /// asked of the next node.
    pub(crate) async fn insist(&self, first: usize, key: &PublicKey, message: &[u8]) -> Decision {
        let deadline = Deadline::after(PATIENCE);
        for (turn, (node, door)) in self.doors.iter().cycle().skip(first).enumerate() {
            match self.ask(*node, door, key, message).await {
                Decision::Undecided if deadline.passed() => break,
                Decision::Undecided => {}
                decision @ (Decision::Signed | Decision::Refused) => return decision,
            }
            let asked = turn.saturating_add(1);
            if asked.is_multiple_of(self.doors.len()) {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Decision::Undecided
    }

    async fn ask(&self, node: u64, door: &Client, key: &PublicKey, message: &[u8]) -> Decision {
        let request = self.journal.number();
        self.journal.record(Event::Asked {
            request,
            client: self.client,
            node,
            key: key.hash().to_string(),
            bytes: hex::encode(message),
        });
        let answer = door.sign(key, message).await;
        let (status, signature, text) = told(answer);
        let decision = match (status, &signature) {
            (200, Some(_)) => Decision::Signed,
            (400..=499, _) => Decision::Refused,
            _ => Decision::Undecided,
        };
        self.journal.record(Event::Answered {
            request,
            status,
            signature,
            text,
        });
        decision
    }
}

/// Status, signature and words of an answer. A 200 with anything but a valid signature keeps its
/// status and says what was wrong: the verdict stumbles over it.
fn told(answer: Result<tezos::Signature, ClientError>) -> (u16, Option<String>, String) {
    let fault = match answer {
        Ok(signature) => return (200, Some(signature.to_string()), String::new()),
        Err(fault) => fault,
    };
    match fault {
        ClientError::Answered {
            status, message, ..
        } => (status, None, message),
        ClientError::Outage { attempts } => match attempts.into_iter().next_back() {
            Some(attempt) => match attempt.outage {
                Outage::BadGateway(words) => (502, None, words),
                Outage::Transport(words) => (0, None, words),
            },
            None => (0, None, "nobody was asked".to_owned()),
        },
        ClientError::Unreadable { .. }
        | ClientError::Unparsable { .. }
        | ClientError::Unfit { .. }
        | ClientError::NoPossession { .. } => (200, None, fault.to_string()),
    }
}
