//! `quorate cluster`: form one, and look at it.

use std::path::Path;

use clap::Subcommand;

use super::{Exit, Failure, screen, status, with_node};
use crate::admin::Form;
use crate::cluster::MemberLine;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Bind this node to a cluster of these members. Run the same line on every node; run it again
    /// after any crash.
    Form {
        /// What `quorate init` printed on each node.
        #[arg(required = true, value_name = "ADDRESS#FINGERPRINT")]
        members: Vec<MemberLine>,
        /// A cluster of one node, which survives no failure: for development.
        #[arg(long)]
        single: bool,
    },
    /// Every node of the cluster, as this node sees it.
    Status(status::Args),
}

impl Command {
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        match self {
            Self::Form { members, single } => form(file, members, single),
            Self::Status(args) => args.run_cluster(file),
        }
    }
}

fn form(file: &Path, members: Vec<MemberLine>, single: bool) -> Result<(), Failure> {
    match (members.len(), single) {
        (1, true) | (3 | 5, false) => {}
        (1, false) => {
            let what = "one node survives no failure; name 3 or 5 members, or say --single";
            return Err(Failure::new(Exit::Config, what));
        }
        (count, _) => {
            let what = format!("{count} members; a cluster has 3 or 5 (or 1, with --single)");
            return Err(Failure::new(Exit::Config, what));
        }
    }
    let formed = with_node(file, |node| async move {
        Ok(node.form(&Form { members }).await?)
    })?;
    let (me, cluster) = (formed.me, formed.cluster_id);
    screen::line(&format!("this node is node {me} of cluster {cluster}"));
    match formed.leader {
        Some(leader) => screen::line(&format!("the cluster is formed; node {leader} leads")),
        None => screen::note(
            "no leader yet: run the same line on the other nodes, then `quorate cluster status`",
        ),
    }
    Ok(())
}
