//! Keys in the token of a `[[keys]]`, by the same module, PIN and rules as the node.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hsm::parent::{Ceremony, Made};
use hsm::{KeyName, Trouble, TroubleKind};
use raft_store::folder::Folder;
use serde::Serialize;
use tezos::{Curve, PublicKey, PublicKeyHash, SecretKey};

use super::super::{Exit, Failure, runtime, screen};
use super::secret::tell_node;
use crate::config::{Config, KeySource, TokenSource};
use crate::keys::alone::{Alone, Turn};
use crate::keys::pin::PinSource;
use crate::keys::token;

/// What a key is called in a token.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Name {
    /// The label of the key in the token (CKA_LABEL).
    #[arg(long)]
    label: Option<String>,
    /// The id of the key in the token (CKA_ID), in hexadecimal; default 16 random bytes.
    #[arg(long, value_name = "HEX", value_parser = hexadecimal)]
    id: Option<Hex>,
}

/// Bytes that are written in hexadecimal. A type of its own, since clap takes a vector for several
/// values.
#[derive(Clone, Debug)]
struct Hex(Vec<u8>);

fn hexadecimal(text: &str) -> Result<Hex, String> {
    match hex::decode(text) {
        Ok(bytes) if !bytes.is_empty() => Ok(Hex(bytes)),
        Ok(_empty) => Err("an id has at least one byte".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Name {
    pub(super) fn key_name(&self) -> KeyName {
        KeyName {
            id: self.id.clone().map(|Hex(bytes)| bytes),
            label: self.label.clone(),
        }
    }
}

/// What was made in a token.
#[derive(Debug, Serialize)]
struct Told {
    curve: Curve,
    public_key_hash: PublicKeyHash,
    public_key: PublicKey,
    id: Option<String>,
    label: Option<String>,
}

/// The token of a `[[keys]]` with `backend = "pkcs11"`.
///
/// # Errors
/// If that one has another backend, or there is none of that number.
pub(super) fn source(config: &Config, number: usize) -> Result<&TokenSource, Failure> {
    let index = number.checked_sub(1);
    match index.and_then(|index| config.keys.get(index)) {
        Some(KeySource::Pkcs11(token)) => Ok(token),
        Some(KeySource::File { .. } | KeySource::Sealed { .. }) => Err(Failure::new(
            Exit::Config,
            format!("[[keys]] number {number} of the configuration is no token; name --source"),
        )),
        None => Err(missing(number)),
    }
}

pub(super) fn missing(number: usize) -> Failure {
    let what = format!("the configuration has no [[keys]] number {number}; add one");
    Failure::new(Exit::Config, what)
}

/// The file in the data folder that is locked while a command makes something in a token: two that both
/// find a name free would both take it.
const LOCK: &str = "ceremony.lock";

/// How long another one is waited for: its token may take minutes to make a key, and seconds usually.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps every other command of this node out of its tokens until it is dropped.
fn alone(config: &Config) -> Result<Alone, Failure> {
    if Folder::owner(&config.data_dir).is_none() {
        let what = format!(
            "there is no node in {}; run `quorate init` first",
            config.data_dir.display()
        );
        return Err(Failure::new(Exit::Identity, what));
    }
    let path = config.data_dir.join(LOCK);
    let turn = Alone::wait(&path, PATIENCE);
    match turn.map_err(|fault| Failure::new(Exit::Io, fault.to_string()))? {
        Turn::Mine(alone) => Ok(alone),
        Turn::Of(who) => Err(Failure::failed(format!(
            "{who} is still at work in a token of this node ({} is locked): wait for it or end it, then \
             run the same again; nothing was done",
            path.display()
        ))),
    }
}

/// Opens a token and talks to it, one command at a time. A PIN that was refused before is not tried.
///
/// # Errors
/// What went wrong with the token, with 77 if it is about the PIN.
pub(super) fn with_token<T>(
    config: &Config,
    source: &TokenSource,
    talk: impl AsyncFnOnce(&mut Ceremony) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let _alone = alone(config)?;
    let secrets = config.keys.iter().filter_map(KeySource::secret_variable);
    let secrets: BTreeSet<String> = secrets.map(str::to_owned).collect();
    let place = token::place(source, &secrets, config.times.sign);
    let guard = PinSource::new(source.pin.clone(), &config.data_dir);
    runtime()?.block_on(async {
        let mut token = Ceremony::open(place, Arc::new(guard))
            .await
            .map_err(failure)?;
        talk(&mut token).await
    })
}

/// The failure of a command because of a token.
pub(super) fn failure(trouble: Trouble) -> Failure {
    let exit = match trouble.kind {
        TroubleKind::PinRejected | TroubleKind::PinBarred => Exit::Password,
        TroubleKind::Unfit => Exit::Failed,
        TroubleKind::Session | TroubleKind::Device | TroubleKind::Process | TroubleKind::Late => {
            Exit::Io
        }
    };
    Failure::new(exit, trouble.what)
}

/// `quorate key generate` in a token.
pub(super) fn generate(
    config: &Config,
    number: usize,
    curve: Curve,
    name: &Name,
    copyable: bool,
    json: bool,
) -> Result<(), Failure> {
    let source = source(config, number)?;
    let made = with_token(config, source, async |token| {
        let made = token.generate(curve, &name.key_name(), copyable).await;
        made.map_err(failure)
    })?;
    let next = match copyable {
        true => {
            "it can be copied: `quorate key copy request` on another node, then `quorate key copy \
             send` here; close it with `quorate key copy close` when all nodes have it"
        }
        false => "it cannot leave this token, so no other node can have it",
    };
    tell(config, source, &made, next, json)
}

/// `quorate key import` into a token.
pub(super) fn import(
    config: &Config,
    number: usize,
    secret: &SecretKey,
    name: &Name,
    json: bool,
) -> Result<(), Failure> {
    let source = source(config, number)?;
    let made = with_token(config, source, async |token| {
        let made = token.import(secret, &name.key_name()).await;
        made.map_err(failure)
    })?;
    let next =
        "it cannot leave this token; import it on the other nodes too, then destroy the file";
    tell(config, source, &made, next, json)
}

/// Says what a token has now, and has the running node look for it.
pub(super) fn tell(
    config: &Config,
    source: &TokenSource,
    made: &Made,
    next: &str,
    json: bool,
) -> Result<(), Failure> {
    let told = Told {
        curve: made.public_key.curve(),
        public_key_hash: made.public_key.hash(),
        public_key: made.public_key.clone(),
        id: made.name.id.as_ref().map(hex::encode),
        label: made.name.label.clone(),
    };
    if json {
        screen::json(&told)?;
    } else {
        screen::line(&format!("{}  {}", told.public_key_hash, told.public_key));
        screen::note(&format!("the token has it as the {}; {next}", made.name));
    }
    let listed = source.keys.iter().any(|wanted| wanted.name == made.name);
    if !source.keys.is_empty() && !listed {
        screen::note(
            "the configuration names the keys of this token one by one: add this one, and start the \
             node again",
        );
    }
    tell_node(config)
}

/// How the token knows a key, which it proves to have.
///
/// # Errors
/// If it does not.
pub(super) async fn find(token: &Ceremony, key: &PublicKeyHash) -> Result<KeyName, Failure> {
    let found = token.keys().await.map_err(failure)?;
    let mut own = found.into_iter().filter(|found| {
        let public_key = found.key.as_ref().map(|key| key.public_key.hash());
        public_key.is_ok_and(|hash| hash == *key)
    });
    own.next().map(|found| found.name).ok_or_else(|| {
        let what = format!("the token {:?} does not hold {key}", token.token().label);
        Failure::failed(what)
    })
}
