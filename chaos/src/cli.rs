//! The command line. Each subcommand is a module of its own with its `Args`, and a `run` that says
//! on the screen what it does and gives the exit code.

mod judge;
mod report;
mod screen;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Faults for Quorate, and the verdict on what it did under them.
///
/// Exit codes: 0 every promise held, 1 one did not or nothing was shown, 2 the command line is
/// wrong.
#[derive(Debug, Parser)]
#[command(name = "quorate-chaos", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Break three real nodes under load, and have what they did judged.
    Run(crate::real::Args),
    /// The same again and again with new seeds, for as long as asked.
    Long(crate::real::LongArgs),
    /// A file system that loses what was not fsynced, on command.
    Lossyfs(lossyfs::cli::Args),
    /// Faults built into the signer: says how to run them.
    Mutants,
    /// Run whole clusters in one thread on virtual time, one schedule of faults a seed.
    Sim(crate::sim::Args),
    /// Judge the history of a run that was kept.
    Judge(judge::Args),
    /// Make one page from files of results.
    Report(report::Args),
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Run(args) => crate::real::run(&args),
            Command::Long(args) => crate::real::long(&args),
            Command::Lossyfs(args) => lossyfs::cli::run(&args),
            Command::Mutants => mutants(),
            Command::Sim(args) => crate::sim::run(&args),
            Command::Judge(args) => judge::run(&args),
            Command::Report(args) => report::run(&args),
        }
    }
}

/// **Invariant:** no program that anybody runs has a mutant in it, this one included: they are compiled
/// into one test.
fn mutants() -> ExitCode {
    screen::trouble(
        "this program has no faults built in; `make chaos-mutants SEEDS=100` builds and runs those that do",
    );
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_one_that_clap_can_read() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_subcommand_says_what_it_does() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
