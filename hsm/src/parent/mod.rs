//! The node's side: starts the process that holds a module, asks it with a deadline, and replaces it.

mod birth;
mod ceremony;
mod connection;
mod durability;
mod initialisation;
mod live;
mod memory;
mod module;
mod process;
mod sealing;
mod standing;
mod turn;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tezos::PublicKeyHash;

use crate::{KeyName, Pin, Token, TokenName};

pub use ceremony::{Ceremony, Made};
pub use durability::Files;
pub use initialisation::initialise;
pub use memory::Memory;
pub use module::Module;
pub use standing::{Refused, Standing};
pub use turn::forget_doubts;

/// One token of one module, and the keys in it that are to sign.
#[derive(Clone, Debug)]
pub struct Place {
    /// The module, a shared library.
    pub module: PathBuf,
    /// The token.
    pub token: TokenName,
    /// The keys; empty for every private key on a curve of Tezos that may be used for signing.
    pub keys: Vec<Wanted>,
    /// How many sessions are kept: that many signatures are made at once. At least 1.
    pub sessions: usize,
    /// The process that holds the module.
    pub launch: Launch,
    /// How long things may take.
    pub within: Within,
}

/// A key that is to sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// How the token knows it.
    pub name: KeyName,
    /// What it must be, if the operator says: another key under that name is refused.
    pub public_key_hash: Option<PublicKeyHash>,
}

/// How the process that holds the module is started: a program that calls [`crate::child::main`].
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments. Everybody on the machine can read them.
    pub arguments: Vec<OsString>,
    /// Variables that the module wants, such as `SOFTHSM2_CONF`.
    pub set: BTreeMap<String, String>,
    /// Variables of this process that the module must not have: whatever holds a secret.
    pub remove: BTreeSet<String>,
}

/// How long a module may take before it counts as hung, and is replaced.
#[derive(Clone, Copy, Debug)]
pub struct Within {
    /// One signature, or one check.
    pub sign: Duration,
    /// Loading the module and finding the token; then again logging in, and finding the keys.
    pub connect: Duration,
}

/// Where the PIN is, and what is known of it. Called on a thread that may block.
pub trait PinGuard: Debug + Send + Sync {
    /// Reads the PIN from its source.
    ///
    /// # Errors
    /// Why it cannot, and what to do.
    fn read(&self) -> Result<Pin, String>;

    /// Whether this token has refused this PIN before, in whichever process that was.
    ///
    /// # Errors
    /// If that is not known: then the PIN is not tried.
    fn was_rejected(&self, token: &Token, pin: &Pin) -> Result<bool, String>;

    /// Keeps every other process of this node from trying a PIN on this token, if none does just now.
    /// Asked before [`Self::was_rejected`], and held until after [`Self::reject`]: else several
    /// processes with one wrong PIN spend a try each.
    ///
    /// # Errors
    /// If that is not known: then no PIN is tried.
    fn hold(&self, token: &Token) -> Result<Hold, String>;

    /// Remembers, durably, that this token has refused this PIN.
    ///
    /// # Errors
    /// If it cannot.
    fn reject(&self, token: &Token, pin: &Pin) -> Result<(), String>;

    /// Forgets what was rejected on this token: an operator says that it is worth a try.
    ///
    /// # Errors
    /// If it cannot.
    fn forgive(&self) -> Result<(), String>;
}

/// Whether a PIN may be tried on a token now.
#[derive(Debug)]
pub enum Hold {
    /// It may, until what is in here is dropped: nobody else does meanwhile.
    Here(Box<dyn Debug + Send>),
    /// Somebody else is at it: who, in words.
    Elsewhere(String),
}

/// A guard that is shared.
pub type SharedGuard = Arc<dyn PinGuard>;
