//! Policies and their changes in words: what an operator reads before saying yes.

use std::fmt::Display;

use raft_store::command::{Command, Edit, Enrolment};
use raft_store::state::{Chains, ReleaseMode, Role};

use crate::admin::Enrolled;

/// The policy of an enrolled key, a line a matter.
pub fn policy(enrolled: &Enrolled) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{}, released {}",
            role(enrolled.role),
            release(enrolled.release)
        ),
        format!("signs {}", list(&enrolled.kinds)),
        format!("on {}", chains(&enrolled.chains)),
        format!("asked by {}", clients(&enrolled.authorized)),
    ];
    if !enrolled.operations.is_empty() {
        lines.push(format!("operations {}", list(&enrolled.operations)));
    }
    if !enrolled.votes.is_empty() {
        lines.push(format!("ballots {}", list(&enrolled.votes)));
    }
    lines
}

/// What enrolling a key would mean.
pub fn enrolment(enrolment: &Enrolment) -> Vec<String> {
    let mut lines = vec![
        format!(
            "enrol {} ({})",
            enrolment.public_key.hash(),
            enrolment.public_key
        ),
        format!(
            "  {}, released {}",
            role(enrolment.role),
            release(enrolment.release)
        ),
        format!("  signs {}", list(&enrolment.kinds)),
        format!("  operations {}", list(&enrolment.operations)),
        format!("  ballots {}", list(&enrolment.votes)),
        format!("  on {}", chains(&enrolment.chains)),
        format!("  asked by {}", clients(&enrolment.authorized)),
    ];
    for import in &enrolment.imports {
        let kind = import
            .kind
            .map_or_else(|| "every kind".to_owned(), |kind| kind.to_string());
        let round = import
            .round
            .map_or_else(String::new, |round| format!(" round {round}"));
        let (chain, level) = (import.chain, import.level);
        lines.push(format!(
            "  burnt: {chain} {kind} up to level {level}{round}"
        ));
    }
    lines
}

/// What an edit changes, `old -> new`.
pub fn edit(now: &Enrolled, edit: &Edit) -> Vec<String> {
    let mut lines = Vec::new();
    let mut change = |what: &str, old: String, new: Option<String>| match new {
        Some(new) if new != old => lines.push(format!("  {what}: {old} -> {new}")),
        Some(_) | None => {}
    };
    change(
        "role",
        role(now.role).to_owned(),
        edit.role.map(|new| role(new).to_owned()),
    );
    change(
        "released",
        release(now.release).to_owned(),
        edit.release.map(|new| {
            format!(
                "{} (every mark first moves one level up, burnt)",
                release(new)
            )
        }),
    );
    change("signs", list(&now.kinds), edit.kinds.as_ref().map(list));
    change(
        "operations",
        list(&now.operations),
        edit.operations.as_ref().map(list),
    );
    change("ballots", list(&now.votes), edit.votes.as_ref().map(list));
    change("on", chains(&now.chains), edit.chains.as_ref().map(chains));
    let authorized = edit.authorized.as_deref().map(clients);
    change("asked by", clients(&now.authorized), authorized);
    lines
}

/// One command of a plan, without its details.
pub fn command(command: &Command) -> String {
    command.to_string()
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Baker => "baker key",
        Role::Consensus => "consensus key",
        Role::Companion => "companion key",
    }
}

fn release(mode: ReleaseMode) -> &'static str {
    match mode {
        ReleaseMode::AfterCommit => "after_commit",
        ReleaseMode::AfterRecord => "after_record",
    }
}

fn chains(chains: &Chains) -> String {
    match chains {
        Chains::Any { floor } => format!("any chain from level {floor}"),
        Chains::Listed(floors) => list(
            floors
                .iter()
                .map(|(chain, floor)| format!("{chain} from level {floor}")),
        ),
    }
}

fn clients(authorized: &[tezos::PublicKey]) -> String {
    match authorized.is_empty() {
        true => "anyone who reaches the socket".to_owned(),
        false => list(authorized.iter().map(tezos::PublicKey::hash)),
    }
}

fn list<T: Display>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string()).collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}
