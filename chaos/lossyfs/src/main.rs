//! `lossyfs`: the file system on its own.

use std::process::ExitCode;

use clap::Parser;

/// A file system that loses what was not fsynced, on command.
#[derive(Debug, Parser)]
#[command(name = "lossyfs", version)]
struct Cli {
    #[command(flatten)]
    args: lossyfs::cli::Args,
}

fn main() -> ExitCode {
    lossyfs::cli::run(&Cli::parse().args)
}
