//! `quorate cluster`: form one, and look at it.

use std::path::Path;
use std::str::FromStr;

use clap::Subcommand;
use raft_store::types::Fingerprint;

use super::{Exit, Failure, screen, status, with_node};
use crate::admin::{Form, MemberLine};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Bind this node to a cluster of these members. Run the same line on every node; run it again
    /// after any crash.
    Form {
        /// What `quorate init` printed on each node, in the same order everywhere.
        #[arg(required = true, value_name = "ADDRESS#FINGERPRINT", value_parser = member)]
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
        node.form(&Form { members }).await.map_err(Failure::from)
    })?;
    screen::line(&format!(
        "this node is bound as node {} of cluster {}",
        formed.me, formed.cluster_id
    ));
    match formed.leader {
        Some(leader) => screen::line(&format!("the cluster is formed; node {leader} leads")),
        None => screen::line(
            "the cluster has no leader yet: run the same line on the other nodes, then \
             `quorate cluster status`",
        ),
    }
    Ok(())
}

fn member(text: &str) -> Result<MemberLine, String> {
    let (address, fingerprint) = text
        .split_once('#')
        .ok_or_else(|| "expected host:port#sha256:..., as `quorate init` prints it".to_owned())?;
    let port = address
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(port)) if port > 0) {
        return Err(format!("{address:?} is not host:port"));
    }
    let fingerprint = Fingerprint::from_str(fingerprint).map_err(|error| error.to_string())?;
    Ok(MemberLine {
        address: address.to_owned(),
        fingerprint,
    })
}
