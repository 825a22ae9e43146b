//! The configuration of one node: `node.toml`, read whole and checked before a port is bound.
//!
//! It says only where this node finds its secrets, where it listens, and what it may use. What the
//! nodes must agree on (which keys, which chains, who may ask) is replicated state and has no
//! place here, so it cannot drift.
//!
//! **Invariant:** no setting turns durability or the marks off (R7). There is none to find.

mod fault;
mod keys;
mod log;
mod parse;
mod raw;
mod signer;
mod snapshots;
mod times;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::Spanned;

pub use fault::{Fault, Faults};
pub(crate) use keys::SEALING_KEY;
pub use keys::{KeySource, PasswordSource, TokenSource};
pub use log::{Log, LogFormat};
pub use signer::{Limits, PlainHttp, SignerApi, TlsFiles};
pub use times::Times;

use crate::cluster::Snapshots;
use fault::Checker;

/// A checked configuration. Paths are absolute, or relative to the working folder as the path of
/// the file was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// The data folder that `quorate init` made.
    pub data_dir: PathBuf,
    /// A file on a second volume for a copy of the guard, so that a database that went back with
    /// its volume is noticed.
    pub guard_path: Option<PathBuf>,
    /// Where every decision leaves a line, if it is to.
    pub audit_file: Option<PathBuf>,
    /// The address of the peer listener. Default `0.0.0.0:7101`.
    pub peers_listen: SocketAddr,
    /// What the other nodes dial, `host:port`: a hint, never identity.
    pub peers_address: String,
    /// Where bakers ask.
    pub signer: SignerApi,
    /// The address for health and metrics. Default `127.0.0.1:9732`.
    pub ops_listen: SocketAddr,
    /// Every duration.
    pub times: Times,
    /// Where this node finds secrets; may be empty: such a node votes, stores and forwards.
    pub keys: Vec<KeySource>,
    /// When the state becomes a snapshot.
    pub snapshots: Snapshots,
    /// What is logged and how.
    pub log: Log,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error(
        "cannot read the configuration {}: {source}; name it with --config", file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It was read, and this is wrong with it.
    #[error(transparent)]
    Faulty(#[from] Faults),
}

const PEERS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 7101);
const OPS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9732);

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// If the file cannot be read, or with every fault in it at once.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Unreadable {
            file: file.to_owned(),
            source,
        })?;
        Ok(Self::parse(&text, file)?)
    }

    /// Checks the text of a file; relative paths in it are taken from the folder of `file`.
    ///
    /// # Errors
    /// With every fault at once.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Faults> {
        let mut checker = Checker::new(text);
        let Some(raw) = parse::parse(text, &mut checker) else {
            return Err(checker.faults(file));
        };
        let folder = file.parent().unwrap_or_else(|| Path::new(""));
        let data_dir = data_dir(raw.data_dir.as_ref(), folder, &mut checker);
        let peers_listen = address(
            raw.peers.listen.as_ref(),
            "peers.listen",
            PEERS_LISTEN,
            &mut checker,
        );
        let config = Self {
            guard_path: elsewhere(
                raw.guard_path.as_ref(),
                "guard_path",
                folder,
                &data_dir,
                &mut checker,
            ),
            audit_file: elsewhere(
                raw.audit_file.as_ref(),
                "audit_file",
                folder,
                &data_dir,
                &mut checker,
            ),
            peers_listen,
            peers_address: peers_address(raw.peers.address.as_ref(), peers_listen, &mut checker),
            signer: signer::check(&raw.signer, folder, &mut checker),
            ops_listen: address(
                raw.ops.listen.as_ref(),
                "ops.listen",
                OPS_LISTEN,
                &mut checker,
            ),
            times: times::check(&raw.times, &mut checker),
            keys: keys::check(&raw.keys, &data_dir, folder, &mut checker),
            snapshots: snapshots::check(&raw.snapshots, &mut checker),
            log: log::check(&raw.log, &mut checker),
            data_dir,
        };
        check_ports(&config, &raw, &mut checker);
        check_socket(&config, &raw, &mut checker);
        if checker.is_clean() {
            Ok(config)
        } else {
            Err(checker.faults(file))
        }
    }

    /// The admin socket of this node.
    pub fn admin_socket(&self) -> PathBuf {
        self.data_dir.join("admin.sock")
    }
}

fn data_dir(raw: Option<&Spanned<String>>, folder: &Path, checker: &mut Checker<'_>) -> PathBuf {
    match raw {
        Some(path) if !path.get_ref().is_empty() => beside(folder, path.get_ref()),
        missing => {
            checker.fault(
                missing.map(Spanned::span),
                "data_dir",
                "is missing",
                "write data_dir = \"/var/lib/quorate\", a folder of this node alone",
            );
            PathBuf::new()
        }
    }
}

/// A file that must not share the fate of the data folder: on another volume, or beside it.
fn elsewhere(
    raw: Option<&Spanned<String>>,
    field: &str,
    folder: &Path,
    data_dir: &Path,
    checker: &mut Checker<'_>,
) -> Option<PathBuf> {
    let written = raw?;
    let path = beside(folder, written.get_ref());
    if !data_dir.as_os_str().is_empty() && path.starts_with(data_dir) {
        checker.fault(
            Some(written.span()),
            field,
            format!(
                "{} is inside data_dir and would be lost or go back with it",
                path.display()
            ),
            "name a file on another volume, or remove the line",
        );
    }
    Some(path)
}

/// What peers dial: by default the address that is listened on, if that says where.
fn peers_address(
    raw: Option<&Spanned<String>>,
    listen: SocketAddr,
    checker: &mut Checker<'_>,
) -> String {
    const WRITE: &str = "write address = \"host:7101\", as the other nodes reach this one";
    match raw {
        Some(written) => {
            let host_and_port = written.get_ref().rsplit_once(':');
            let fits = host_and_port.is_some_and(|(host, port)| {
                let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '/' | '@');
                !host.is_empty()
                    && host.chars().all(plain)
                    && port.parse::<u16>().is_ok_and(|port| port > 0)
            });
            if !fits {
                let wrong = format!("{:?} is not host:port", written.get_ref());
                checker.fault(Some(written.span()), "peers.address", wrong, WRITE);
            }
            written.get_ref().clone()
        }
        None if listen.ip().is_unspecified() || listen.port() == 0 => {
            let wrong = format!("is missing, and peers.listen ({listen}) does not say it");
            checker.fault(None, "peers.address", wrong, WRITE);
            String::new()
        }
        None => listen.to_string(),
    }
}

/// The kernel takes no longer path for a Unix socket (`sun_path`, 108 bytes with its end).
const SOCKET_PATH_BYTES_MAX: usize = 107;

fn check_socket(config: &Config, raw: &raw::File, checker: &mut Checker<'_>) {
    let length = config.admin_socket().as_os_str().len();
    if length > SOCKET_PATH_BYTES_MAX {
        let wrong = format!(
            "the admin socket in it would have a path of {length} bytes, and the kernel takes \
             {SOCKET_PATH_BYTES_MAX}"
        );
        let span = raw.data_dir.as_ref().map(Spanned::span);
        checker.fault(span, "data_dir", wrong, "name a folder with a shorter path");
    }
}

/// Two listeners on one port would only be told by the second bind.
fn check_ports(config: &Config, raw: &raw::File, checker: &mut Checker<'_>) {
    let clash = |a: SocketAddr, b: SocketAddr| {
        let same_ip = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
        a.port() != 0 && a.port() == b.port() && same_ip
    };
    let span = |raw: &raw::Text| raw.as_ref().map(Spanned::span);
    let rows = [
        (
            "signer.listen",
            config.signer.listen,
            "peers.listen",
            config.peers_listen,
            span(&raw.signer.listen),
        ),
        (
            "ops.listen",
            config.ops_listen,
            "peers.listen",
            config.peers_listen,
            span(&raw.ops.listen),
        ),
        (
            "ops.listen",
            config.ops_listen,
            "signer.listen",
            config.signer.listen,
            span(&raw.ops.listen),
        ),
    ];
    for (field, one, other_field, other, span) in rows {
        if clash(one, other) {
            let wrong = format!("{one} is also taken by {other_field} ({other})");
            checker.fault(span, field, wrong, "give each listener its own port");
        }
    }
}

/// An address to bind: `ip:port`.
fn address(
    raw: Option<&Spanned<String>>,
    field: &str,
    default: SocketAddr,
    checker: &mut Checker<'_>,
) -> SocketAddr {
    let Some(written) = raw else { return default };
    written.get_ref().parse().unwrap_or_else(|_not_an_address| {
        checker.fault(
            Some(written.span()),
            field,
            format!("{:?} is not an address and a port", written.get_ref()),
            format!("write listen = \"{default}\""),
        );
        default
    })
}

/// A path as the operator wrote it in a file of `folder`.
fn beside(folder: &Path, written: &str) -> PathBuf {
    folder.join(written)
}
