//! What people do with a token: make a key in it, copy one, bring one in.
//!
//! Each ceremony has a process of its own, like the one that signs. What it made is fsynced where the
//! module does not, read back in a fresh process, and has proved itself, before anybody is told.

use std::time::Duration;

use tezos::{Curve, PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::connection::{find, log_in, unfitting};
use super::process::{Given, Process};
use super::{Place, SharedGuard, durability};
use crate::ceremony::{Outcome, Package, Request, Step};
use crate::wire::{Ask, Found, Said, Token};
use crate::{KeyName, Trouble, TroubleKind};

/// How long a token may take to make a key; RSA takes seconds on a small one.
pub(super) const MAKING: Duration = Duration::from_secs(120);

/// A token that was opened to make keys in it.
#[derive(Debug)]
pub struct Ceremony {
    pub(super) place: Place,
    guard: SharedGuard,
    process: Process,
    pub(super) token: Token,
}

/// A key that was made, and read back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Made {
    /// How the token knows it.
    pub name: KeyName,
    /// Its public key, which it signs for.
    pub public_key: PublicKey,
}

/// How often a token that is not there is looked for, each time in a fresh process. SoftHSM shows none
/// for a moment while another process writes down how its login went.
const LOOKS: usize = 5;

/// The pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A fresh process that has found the token and logged in.
async fn connect(place: &Place, guard: &SharedGuard) -> Result<(Process, Token), Trouble> {
    let mut looks = 1;
    loop {
        let process = Process::start(&place.launch).await?;
        match find(&process, place).await {
            Ok(token) => {
                // Once: what fails from here on may have cost the token a try of the PIN.
                let token = log_in(&process, token, place, guard).await?;
                return Ok((process, token));
            }
            Err(trouble) if trouble.kind == TroubleKind::Device && looks < LOOKS => {
                process.kill();
                looks = looks.saturating_add(1);
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Err(trouble) => return Err(trouble),
        }
    }
}

impl Ceremony {
    /// Starts a process, finds the token and logs in. The keys of the place are not looked for.
    ///
    /// # Errors
    /// The first step that fails; a PIN that was refused is remembered before this returns.
    pub async fn open(place: Place, guard: SharedGuard) -> Result<Self, Trouble> {
        let (process, token) = connect(&place, &guard).await?;
        Ok(Self {
            place,
            guard,
            process,
            token,
        })
    }

    /// The token.
    #[must_use]
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Every private key of the token on a curve of Tezos; each has signed something, or is told with
    /// what is wrong with it.
    ///
    /// # Errors
    /// If the token fails.
    pub async fn keys(&self) -> Result<Vec<Found>, Trouble> {
        self.find(Vec::new()).await
    }

    /// Makes a key pair in the token. A name without an id gets a random one. `copyable` lets the key
    /// be sent to other tokens until [`Ceremony::close`].
    ///
    /// # Errors
    /// If the name is taken, or the token knows no such keys.
    pub async fn generate(
        &mut self,
        curve: Curve,
        name: &KeyName,
        copyable: bool,
    ) -> Result<Made, Trouble> {
        let name = whole(name)?;
        let step = Step::Generate {
            curve,
            name: name.clone(),
            copyable,
        };
        let key = self.key(step, &[]).await?;
        self.announce(name, key).await
    }

    /// Brings a secret into the token, from where it cannot leave. An import of it under that name that
    /// was killed half way is finished, and one that was not is found: then the name is the one that
    /// the token has.
    ///
    /// # Errors
    /// If the name is taken, or the token takes no such key.
    pub async fn import(&mut self, secret: &SecretKey, name: &KeyName) -> Result<Made, Trouble> {
        let step = Step::Import {
            public_key: secret.public_key().clone(),
            name: name.clone(),
        };
        match self.ask(step, secret.to_raw().as_slice()).await? {
            (Outcome::Named(name, key), _) => self.announce(name, key).await,
            (other, _) => Err(another(other)),
        }
    }

    /// Makes the pair that another token can send a key to.
    ///
    /// # Errors
    /// If the token makes no RSA keys.
    pub async fn request(&mut self) -> Result<Request, Trouble> {
        match self.ask(Step::Request, &[]).await? {
            (Outcome::Request(request), _) => {
                durability::sync(&self.place.launch, &self.token)?;
                Ok(request)
            }
            (other, _) => Err(another(other)),
        }
    }

    /// Wraps a copyable key for a request of another token.
    ///
    /// # Errors
    /// If the key is not copyable, or the token cannot wrap it.
    pub async fn send(&mut self, request: Request, name: &KeyName) -> Result<Package, Trouble> {
        let name = name.clone();
        match self.ask(Step::Send { request, name }, &[]).await? {
            (Outcome::Package(package), _) => Ok(package),
            (other, _) => Err(another(other)),
        }
    }

    /// Unwraps a key that was sent to a request of this token. It cannot leave this token.
    ///
    /// # Errors
    /// If the package answers no request of this token, was altered, or the name is taken.
    pub async fn receive(&mut self, package: Package, name: &KeyName) -> Result<Made, Trouble> {
        let name = whole(name)?;
        let step = Step::Receive {
            package,
            name: name.clone(),
        };
        let key = self.key(step, &[]).await?;
        self.announce(name, key).await
    }

    /// Makes a copyable key unable to leave, for good.
    ///
    /// # Errors
    /// If there is no such key, or the token does not let it be closed.
    pub async fn close(&mut self, name: &KeyName) -> Result<Made, Trouble> {
        let step = Step::Close { name: name.clone() };
        let key = self.key(step, &[]).await?;
        self.announce(name.clone(), key).await
    }

    async fn key(&self, step: Step, bytes: &[u8]) -> Result<PublicKey, Trouble> {
        match self.ask(step, bytes).await? {
            (Outcome::Key(key), _) => Ok(key),
            (other, _) => Err(another(other)),
        }
    }

    /// Reads a key back before it is told to anybody: what SoftHSM has in its files, not what the
    /// process that made it remembers.
    async fn announce(&mut self, name: KeyName, public_key: PublicKey) -> Result<Made, Trouble> {
        self.refresh().await?;
        let found = self.find(vec![name.clone()]).await?;
        let key = found.into_iter().next().map(|found| found.key);
        match key {
            Some(Ok(key)) if key.public_key == public_key => Ok(Made { name, public_key }),
            Some(Err(trouble)) => Err(trouble.during(format!("reading the new {name} back"))),
            Some(Ok(_)) | None => Err(Trouble::unfit(format!(
                "the new {name} is another one after reading it back"
            ))),
        }
    }

    /// Fsyncs what was made, and goes on in a fresh process.
    pub(super) async fn refresh(&mut self) -> Result<(), Trouble> {
        self.process.kill();
        durability::sync(&self.place.launch, &self.token)?;
        (self.process, self.token) = connect(&self.place, &self.guard).await?;
        Ok(())
    }

    async fn find(&self, wanted: Vec<KeyName>) -> Result<Vec<Found>, Trouble> {
        let ask = Ask::Keys {
            wanted,
            sessions: 1,
        };
        match self.process.ask(ask, &[], MAKING).await? {
            (Said::Keys(found), _) => Ok(found),
            (other, _) => Err(unfitting(&other)),
        }
    }

    pub(super) async fn ask(
        &self,
        step: Step,
        bytes: &[u8],
    ) -> Result<(Outcome, Zeroizing<Vec<u8>>), Trouble> {
        ask(&self.process, step, bytes, MAKING).await
    }

    /// The same of a step that makes nothing, and so takes no longer than to connect.
    pub(super) async fn ask_soon(
        &self,
        step: Step,
        bytes: &[u8],
    ) -> Result<(Outcome, Zeroizing<Vec<u8>>), Trouble> {
        ask(&self.process, step, bytes, self.place.within.connect).await
    }
}

pub(super) async fn ask(
    process: &Process,
    step: Step,
    bytes: &[u8],
    within: Duration,
) -> Result<(Outcome, Zeroizing<Vec<u8>>), Trouble> {
    let given: Given = process
        .ask(Ask::Ceremony(Box::new(step)), bytes, within)
        .await?;
    match given {
        (Said::Ceremony(outcome), bytes) => Ok((*outcome, bytes)),
        (other, _) => Err(unfitting(&other)),
    }
}

/// The name with an id: by it the two halves of a key find each other.
fn whole(name: &KeyName) -> Result<KeyName, Trouble> {
    let mut name = name.clone();
    if name.id.is_none() {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| {
            Trouble::new(TroubleKind::Device, format!("no randomness: {error}"))
        })?;
        name.id = Some(id.to_vec());
    }
    Ok(name)
}

pub(super) fn another(outcome: Outcome) -> Trouble {
    unfitting(&Said::Ceremony(Box::new(outcome)))
}
