//! What people do with a token: make a key in it, copy one, bring one in, seal a secret.
//!
//! Each ceremony has a process of its own, like the one that signs. What it made is fsynced where the
//! module does not, read back in a fresh process, and has proved itself, before anybody is told.

use std::path::Path;
use std::time::Duration;

use tezos::{Curve, PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::connection::{log_in, unfitting};
use super::process::{Given, Process};
use super::{Launch, Place, SharedGuard, durability};
use crate::ceremony::{Outcome, Package, Request, Step};
use crate::wire::{Ask, Found, Said, Token};
use crate::{KeyName, Pin, Trouble, TroubleKind};

/// How long a token may take to make a key; RSA takes seconds on a small one.
const MAKING: Duration = Duration::from_secs(120);

/// A token that was opened to make keys in it.
#[derive(Debug)]
pub struct Ceremony {
    place: Place,
    guard: SharedGuard,
    process: Process,
    token: Token,
}

/// A key that was made, and read back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Made {
    /// How the token knows it.
    pub name: KeyName,
    /// Its public key, which it signs for.
    pub public_key: PublicKey,
}

/// Initialises a token in the first slot whose token is not. One that is initialised is never
/// touched. The label has 1 to 32 bytes, each PIN is text of 4 to 255 bytes.
///
/// # Errors
/// If the label is taken, or every token is initialised.
pub async fn initialise(
    launch: &Launch,
    module: &Path,
    label: &str,
    so_pin: &Pin,
    pin: &Pin,
) -> Result<Token, Trouble> {
    let length = u8::try_from(so_pin.as_bytes().len())
        .map_err(|_| Trouble::unfit("the PIN of the security officer has more than 255 bytes"))?;
    let mut pins = Zeroizing::new(Vec::with_capacity(512));
    pins.push(length);
    pins.extend_from_slice(so_pin.as_bytes());
    pins.extend_from_slice(pin.as_bytes());
    let process = Process::start(launch).await?;
    let step = Step::Initialise {
        module: module.to_owned(),
        label: label.to_owned(),
    };
    match ask(&process, step, &pins).await? {
        (Outcome::Token(token), _) => {
            process.kill();
            durability::sync(launch, &token)?;
            Ok(token)
        }
        (other, _) => Err(another(other)),
    }
}

impl Ceremony {
    /// Starts a process, finds the token and logs in. The keys of the place are not looked for.
    ///
    /// # Errors
    /// The first step that fails; a PIN that was refused is remembered before this returns.
    pub async fn open(place: Place, guard: SharedGuard) -> Result<Self, Trouble> {
        let process = Process::start(&place.launch).await?;
        let token = log_in(&process, &place, &guard).await?;
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

    /// Brings a secret into the token, from where it cannot leave.
    ///
    /// # Errors
    /// If the name is taken, or the token takes no such key.
    pub async fn import(&mut self, secret: &SecretKey, name: &KeyName) -> Result<Made, Trouble> {
        let name = whole(name)?;
        let step = Step::Import {
            public_key: secret.public_key().clone(),
            name: name.clone(),
        };
        let key = self.key(step, secret.to_raw().as_slice()).await?;
        self.announce(name, key).await
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

    /// Makes the AES-256 key that seals, and that cannot leave the token.
    ///
    /// # Errors
    /// If the label is taken, or the key does not open what it sealed.
    pub async fn make_sealing_key(&mut self, label: &str) -> Result<(), Trouble> {
        let step = Step::MakeSealingKey {
            label: label.to_owned(),
        };
        match self.ask(step, &[]).await? {
            (Outcome::Done, _) => {}
            (other, _) => return Err(another(other)),
        }
        self.refresh().await?;
        let sealed = self.seal(label, "a trial", b"opens again").await?;
        let opened = self.unseal(label, "a trial", &sealed).await?;
        match opened.as_slice() == b"opens again" {
            true => Ok(()),
            false => Err(Trouble::unfit(format!(
                "the key {label:?} of the token does not open what it sealed"
            ))),
        }
    }

    /// Encrypts a secret under the key that seals; it opens only in this token, and only if the same
    /// words are said.
    ///
    /// # Errors
    /// If there is no such key, or it could leave the token.
    pub async fn seal(
        &self,
        label: &str,
        bound_to: &str,
        secret: &[u8],
    ) -> Result<Vec<u8>, Trouble> {
        let (label, bound_to) = (label.to_owned(), bound_to.to_owned());
        match self.ask(Step::Seal { label, bound_to }, secret).await? {
            (Outcome::Bytes, sealed) => Ok(sealed.to_vec()),
            (other, _) => Err(another(other)),
        }
    }

    /// Decrypts what [`Ceremony::seal`] gave.
    ///
    /// # Errors
    /// [`TroubleKind::Unfit`] if another token sealed it, with other words, or it was altered.
    pub async fn unseal(
        &self,
        label: &str,
        bound_to: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        let (label, bound_to) = (label.to_owned(), bound_to.to_owned());
        match self.ask(Step::Unseal { label, bound_to }, sealed).await? {
            (Outcome::Bytes, secret) => Ok(secret),
            (other, _) => Err(another(other)),
        }
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
    async fn refresh(&mut self) -> Result<(), Trouble> {
        self.process.kill();
        durability::sync(&self.place.launch, &self.token)?;
        self.process = Process::start(&self.place.launch).await?;
        self.token = log_in(&self.process, &self.place, &self.guard).await?;
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

    async fn ask(
        &self,
        step: Step,
        bytes: &[u8],
    ) -> Result<(Outcome, Zeroizing<Vec<u8>>), Trouble> {
        ask(&self.process, step, bytes).await
    }
}

async fn ask(
    process: &Process,
    step: Step,
    bytes: &[u8],
) -> Result<(Outcome, Zeroizing<Vec<u8>>), Trouble> {
    let given: Given = process
        .ask(Ask::Ceremony(Box::new(step)), bytes, MAKING)
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

fn another(outcome: Outcome) -> Trouble {
    unfitting(&Said::Ceremony(Box::new(outcome)))
}
