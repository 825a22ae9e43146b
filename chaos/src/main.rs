//! `quorate-chaos`: faults on demand, and the verdict on what the signer did under them.

use std::process::ExitCode;

use chaos::cli::Cli;
use clap::Parser as _;

// Subcommands run on the main thread: a node ends with the thread that started it.
fn main() -> ExitCode {
    Cli::parse().run()
}
