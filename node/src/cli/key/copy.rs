//! `quorate key copy`: one key from the token of one node into that of another, never in the clear
//! outside of a token. What goes between them is JSON, and nobody who reads it learns the key.

use std::io::{self, Read as _};
use std::path::Path;

use clap::Subcommand;
use hsm::{Package, Request};
use serde::de::DeserializeOwned;
use tezos::PublicKeyHash;

use super::super::{Exit, Failure, screen};
use super::owner::config_of_own_node;
use super::token::{self, Name, failure, find, with_token};
use crate::config::Config;

/// A package has some 3,000 bytes.
const BYTES_MAX: u64 = 65_536;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Copy {
    /// On the node that wants a key: make a pair in its token that the key can be sent to.
    Request(Source),
    /// On the node that has it: read a request, and write the key, wrapped for that request.
    Send(Send),
    /// On the node that wants it: read what was sent, and keep the key in its token.
    Receive(Receive),
    /// On the node that had it first: let the key never leave its token any more.
    Close(Close),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Source {
    /// Which `[[keys]]` of the configuration, from 1.
    #[arg(long, default_value_t = 1, value_name = "N")]
    source: usize,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Send {
    /// The key, tz1... to tz3...
    key: PublicKeyHash,
    /// The fingerprint that `request` told on the other node.
    #[arg(long)]
    fingerprint: String,
    #[command(flatten)]
    from: Source,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Receive {
    /// The key that must be inside, tz1... to tz3...
    key: PublicKeyHash,
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    into: Source,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Close {
    /// The key, tz1... to tz3...
    key: PublicKeyHash,
    #[command(flatten)]
    from: Source,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl Copy {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let config = config_of_own_node(file)?;
        match self {
            Self::Request(into) => into.request(&config),
            Self::Send(send) => send.run(&config),
            Self::Receive(receive) => receive.run(&config),
            Self::Close(close) => close.run(&config),
        }
    }
}

impl Source {
    fn request(&self, config: &Config) -> Result<(), Failure> {
        let source = token::source(config, self.source)?;
        let request = with_token(config, source, async |token| {
            token.request().await.map_err(failure)
        })?;
        screen::json(&request)?;
        screen::note(&format!(
            "fingerprint {}\nbring the line to the node that has the key, and the fingerprint by \
             another way: `quorate key copy send KEY --fingerprint {}`",
            request.fingerprint(),
            request.fingerprint()
        ));
        Ok(())
    }
}

impl Send {
    fn run(&self, config: &Config) -> Result<(), Failure> {
        let request: Request = read("a request")?;
        // Whoever exchanges the request on its way would be sent the key.
        if request.fingerprint() != self.fingerprint {
            return Err(Failure::failed(format!(
                "the request has the fingerprint {}, and should have {}: it is not the one that was \
                 made, or it was altered on its way; nothing was sent",
                request.fingerprint(),
                self.fingerprint
            )));
        }
        let source = token::source(config, self.from.source)?;
        let package = with_token(config, source, async |token| {
            let name = find(token, &self.key).await?;
            token.send(request, &name).await.map_err(failure)
        })?;
        screen::json(&package)?;
        screen::note(&format!(
            "bring the line to the node that asked: `quorate key copy receive {}`",
            self.key
        ));
        Ok(())
    }
}

impl Receive {
    fn run(&self, config: &Config) -> Result<(), Failure> {
        let package: Package = read("a package")?;
        if package.public_key.hash() != self.key {
            return Err(Failure::failed(format!(
                "the package holds {}, and not {}",
                package.public_key.hash(),
                self.key
            )));
        }
        let said = self.name.key_name();
        let name = match said.is_empty() {
            true => package.name.clone(),
            false => said,
        };
        let source = token::source(config, self.into.source)?;
        let made = with_token(config, source, async |token| {
            token.receive(package, &name).await.map_err(failure)
        })?;
        let next = "when all nodes have it, `quorate key copy close` on the first one";
        token::tell(config, source, &made, next, self.json)
    }
}

impl Close {
    fn run(&self, config: &Config) -> Result<(), Failure> {
        let source = token::source(config, self.from.source)?;
        let made = with_token(config, source, async |token| {
            let name = find(token, &self.key).await?;
            token.close(&name).await.map_err(failure)
        })?;
        let next = "it cannot leave this token any more";
        token::tell(config, source, &made, next, self.json)
    }
}

fn read<T: DeserializeOwned>(what: &str) -> Result<T, Failure> {
    let mut text = String::new();
    io::stdin()
        .take(BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(Exit::Io, format!("cannot read standard input: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::failed(format!(
            "standard input is not {what} of `quorate key copy`: {error}"
        ))
    })
}
