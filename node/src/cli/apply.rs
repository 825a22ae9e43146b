//! `quorate apply`: bring the enrolled keys to what a file declares.

use std::path::{Path, PathBuf};

use super::{Exit, Failure, screen, with_node};
use crate::admin::AdminClient;
use crate::apply::{declared, plan};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the keys are to be: `[[key]]` with public_key, role, release, kinds, operations, votes,
    /// chains (or any_chain_from), authorized, enabled.
    file: PathBuf,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

impl Args {
    pub(super) fn run(self, config: &Path) -> Result<(), Failure> {
        let text = std::fs::read_to_string(&self.file).map_err(|error| {
            Failure::new(
                Exit::Config,
                format!("cannot read {}: {error}", self.file.display()),
            )
        })?;
        let wanted = declared::parse(&text).map_err(|faults| {
            Failure::new(Exit::Config, format!("{}: {faults}", self.file.display()))
        })?;
        with_node(config, |node| apply(node, wanted, self.yes))
    }
}

async fn apply(
    node: AdminClient,
    wanted: Vec<declared::Declared>,
    yes: bool,
) -> Result<(), Failure> {
    let now = node.keys().await?;
    let unnamed = now.keys.iter().filter(|report| {
        report.enrolled.is_some() && wanted.iter().all(|key| key.public_key != report.public_key)
    });
    for report in unnamed {
        let hash = report.public_key_hash;
        screen::line(&format!(
            "{hash} is enrolled and not in the file: it stays as it is"
        ));
    }
    let steps = plan::plan(&now, &wanted);
    if steps.is_empty() {
        screen::line("nothing to change");
        return Ok(());
    }
    for line in steps.iter().flat_map(|step| &step.words) {
        screen::line(line);
    }
    screen::confirm("Apply this plan?", yes)?;
    for step in steps {
        let name = step.command.to_string();
        // Stops at the first refusal: later steps were decided on what this one was to make.
        let committed = node.propose(step.command).await?;
        screen::line(&format!("{name}: committed at {}", committed.entry));
    }
    Ok(())
}
