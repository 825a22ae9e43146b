//! The command line. One file a noun; each reads the configuration, does one thing, and says it.
//!
//! **Invariant:** no password and no secret key is ever an argument: arguments are readable to
//! everybody on the machine, in `/proc` (R32).

mod apply;
mod cluster;
mod exit;
mod init;
mod key;
mod marks;
mod screen;
mod status;
mod words;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::{Exit, Failure};

use crate::admin::AdminClient;
use crate::audit::Audit;
use crate::config::Config;
use crate::{dev, keys, run};

/// Quorate: a Tezos remote signer on three nodes that cannot double-sign and does not go down.
#[derive(Debug, Parser)]
#[command(
    name = "quorate",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// The node's configuration.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        default_value = "/etc/quorate/node.toml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Three nodes on this machine, and the story of what they promise.
    Dev(dev::DevArgs),
    /// Make this node's data folder and its key; prints `address#fingerprint`.
    Init,
    /// Form a cluster, or look at it.
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Run this node until it is told to stop.
    Node,
    /// Make keys, and say what they may sign.
    #[command(subcommand)]
    Key(key::Command),
    /// Take the marks out: for a backup, or for the way back to octez-signer.
    #[command(subcommand)]
    Marks(marks::Command),
    /// Bring the enrolled keys to what a file declares; shows its plan first.
    Apply(apply::Args),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// How this node is.
    Status(status::Args),
    /// Hold a PKCS#11 module for the node that started this process.
    #[command(name = keys::token::COMMAND, hide = true)]
    Pkcs11Module,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check the configuration; tells every fault at once and exits 64 if there is one.
    Check,
}

/// Reads the arguments of this process and does what they say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok();
            // Help and version are answers; everything else is wrong usage.
            return match error.use_stderr() {
                true => ExitCode::from(Exit::Config.code()),
                false => ExitCode::SUCCESS,
            };
        }
    };
    let done = match cli.command {
        // On this very thread: the children's parent-death signal follows the thread.
        Command::Dev(args) => return dev::run(args),
        Command::Pkcs11Module => return hsm::child::main(),
        Command::Node => run::node(&cli.config),
        Command::Init => init::init(&cli.config),
        Command::Cluster(command) => command.run(&cli.config),
        Command::Key(command) => command.run(&cli.config),
        Command::Marks(command) => command.run(&cli.config),
        Command::Apply(args) => args.run(&cli.config),
        Command::Config(ConfigCommand::Check) => check(&cli.config),
        Command::Status(args) => args.run(&cli.config),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.what.lines() {
                screen::note(&format!("quorate: {line}"));
            }
            failure.into()
        }
    }
}

fn check(file: &Path) -> Result<(), Failure> {
    let config = Config::load(file)?;
    if let Some(tls) = &config.signer.tls {
        crate::api::tls::acceptor(tls)
            .map_err(|fault| Failure::new(Exit::Config, fault.to_string()))?;
    }
    if let Some(path) = &config.audit_file {
        Audit::check(path)?;
    }
    screen::line(&format!("{} is right", file.display()));
    Ok(())
}

/// Runs one conversation with the node's admin socket.
fn with_node<T, F>(file: &Path, talk: impl FnOnce(AdminClient) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let config = Config::load(file)?;
    let client = AdminClient::new(&config.admin_socket(), config.times.operator_deadline)
        .map_err(|error| Failure::failed(error.to_string()))?;
    runtime()?.block_on(talk(client))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Io, format!("cannot start the async runtime: {error}")))
}
