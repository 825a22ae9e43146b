//! From what is enrolled to what is declared: the commands, in order. Pure.
//!
//! **Invariant:** a plan never lowers a mark, and never touches a key that the file does not name.

use raft_store::command::{Command, Edit, Enrolment};
use raft_store::state::ReleaseMode;

use super::declared::Declared;
use super::describe;
use crate::admin::{Enrolled, KeyReports};

/// One step: a command, and what it means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// The command, on the generation that the key will have by then.
    pub command: Command,
    /// What it means, for people.
    pub words: Vec<String>,
}

/// The steps from `now` to `wanted`; none if they agree.
///
/// A key that is to be off is disabled before its policy changes, and one that is to be on is
/// enabled after: in between it signs under neither policy.
pub fn plan(now: &KeyReports, wanted: &[Declared]) -> Vec<Step> {
    wanted
        .iter()
        .flat_map(|declared| steps(now, declared))
        .collect()
}

fn steps(now: &KeyReports, declared: &Declared) -> Vec<Step> {
    let hash = declared.public_key.hash();
    let report = now
        .keys
        .iter()
        .find(|report| report.public_key_hash == hash);
    let Some(enrolled) = report.and_then(|report| report.enrolled.as_ref()) else {
        return introduce(declared);
    };
    let mut steps = Vec::new();
    let mut generation = enrolled.generation;
    let mut push = |words: Vec<String>, command: &dyn Fn(u64) -> Command| {
        steps.push(Step {
            command: command(generation),
            words,
        });
        generation = generation.saturating_add(1);
    };
    if enrolled.enabled && !declared.enabled {
        push(vec![format!("disable {hash}")], &|generation| {
            Command::Disable {
                key: hash,
                generation,
            }
        });
    }
    let edit = difference(enrolled, declared);
    if edit != Edit::default() {
        let mut words = vec![format!("edit {hash}")];
        words.extend(describe::edit(enrolled, &edit));
        push(words, &|generation| Command::Edit {
            key: hash,
            generation,
            edit: Box::new(edit.clone()),
        });
    }
    if !enrolled.enabled && declared.enabled {
        push(vec![format!("enable {hash}")], &|generation| {
            Command::Enable {
                key: hash,
                generation,
            }
        });
    }
    steps
}

fn introduce(declared: &Declared) -> Vec<Step> {
    let enrolment = Enrolment {
        generation: 0,
        public_key: declared.public_key.clone(),
        role: declared.role,
        release: declared.release,
        kinds: declared.kinds.clone(),
        operations: declared.operations.clone(),
        votes: declared.votes.clone(),
        chains: declared.chains.clone(),
        authorized: declared.authorized.clone(),
        imports: Vec::new(),
    };
    // A key that is to be off is not introduced: for a moment it would be on.
    match declared.enabled {
        false => Vec::new(),
        true => vec![Step {
            words: describe::enrolment(&enrolment),
            command: Command::Enrol(Box::new(enrolment)),
        }],
    }
}

fn difference(now: &Enrolled, declared: &Declared) -> Edit {
    fn changed<T: Clone + PartialEq>(now: &T, wanted: &T) -> Option<T> {
        (now != wanted).then(|| wanted.clone())
    }
    Edit {
        role: changed(&now.role, &declared.role),
        release: changed::<ReleaseMode>(&now.release, &declared.release),
        kinds: changed(&now.kinds, &declared.kinds),
        operations: changed(&now.operations, &declared.operations),
        votes: changed(&now.votes, &declared.votes),
        chains: changed(&now.chains, &declared.chains),
        authorized: changed(&now.authorized, &declared.authorized),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use raft_store::state::{Chains, Role};
    use tezos::{ChainId, Curve, Level, SecretKey};

    use super::*;
    use crate::admin::KeyReport;
    use crate::apply::declared;

    fn file(key: &tezos::PublicKey, more: &str) -> Vec<Declared> {
        let text = format!("[[key]]\npublic_key = \"{key}\"\n{more}\n");
        declared::parse(&text).unwrap()
    }

    fn reports(declared: &Declared, enabled: bool, generation: u64) -> KeyReports {
        let enrolled = Enrolled {
            generation,
            enabled,
            role: declared.role,
            release: declared.release,
            kinds: declared.kinds.clone(),
            operations: declared.operations.clone(),
            votes: declared.votes.clone(),
            chains: declared.chains.clone(),
            authorized: declared.authorized.clone(),
            marks: Vec::new(),
        };
        let key = KeyReport {
            public_key_hash: declared.public_key.hash(),
            public_key: declared.public_key.clone(),
            loaded: false,
            enrolled: Some(enrolled),
        };
        KeyReports {
            applied: 1,
            locked: false,
            keys: vec![key],
        }
    }

    fn key() -> tezos::PublicKey {
        SecretKey::generate(Curve::Ed25519)
            .unwrap()
            .public_key()
            .clone()
    }

    const MAINNET: &str = "chains = { NetXdQprcVkpaWU = 7 }";

    #[test]
    fn a_key_that_is_not_enrolled_is_enrolled_with_what_the_file_says() {
        let wanted = file(&key(), MAINNET);
        let none = KeyReports {
            applied: 0,
            locked: false,
            keys: Vec::new(),
        };
        let steps = plan(&none, &wanted);
        let [
            Step {
                command: Command::Enrol(enrolment),
                ..
            },
        ] = steps.as_slice()
        else {
            panic!("{steps:?}")
        };
        assert_eq!(enrolment.generation, 0);
        assert_eq!(enrolment.role, Role::Baker);
        assert_eq!(enrolment.release, ReleaseMode::AfterRecord);
        let floors = BTreeMap::from([(ChainId::MAINNET, Level::new(7).unwrap())]);
        assert_eq!(enrolment.chains, Chains::Listed(floors));
    }

    #[test]
    fn what_agrees_with_the_file_needs_no_step() {
        let wanted = file(&key(), MAINNET);
        assert_eq!(plan(&reports(&wanted[0], true, 3), &wanted), Vec::new());
    }

    #[test]
    fn a_key_that_is_to_be_off_is_disabled_before_its_policy_changes() {
        let key = key();
        let before = file(&key, MAINNET);
        let wanted = file(
            &key,
            &format!("{MAINNET}\nenabled = false\nkinds = [\"block\"]"),
        );
        let steps = plan(&reports(&before[0], true, 3), &wanted);
        let [disable, edit] = steps.as_slice() else {
            panic!("{steps:?}")
        };
        assert!(matches!(
            disable.command,
            Command::Disable { generation: 3, .. }
        ));
        assert!(matches!(edit.command, Command::Edit { generation: 4, .. }));
        assert!(
            edit.words.iter().any(|line| line.contains("-> block")),
            "{:?}",
            edit.words
        );
    }

    #[test]
    fn a_key_that_is_to_be_on_is_enabled_after_its_policy_changed() {
        let key = key();
        let before = file(&key, MAINNET);
        let wanted = file(&key, &format!("{MAINNET}\nkinds = [\"block\"]"));
        let steps = plan(&reports(&before[0], false, 3), &wanted);
        let [edit, enable] = steps.as_slice() else {
            panic!("{steps:?}")
        };
        assert!(matches!(edit.command, Command::Edit { generation: 3, .. }));
        assert!(matches!(
            enable.command,
            Command::Enable { generation: 4, .. }
        ));
    }

    #[test]
    fn a_file_with_a_key_twice_without_chains_or_with_a_typo_is_refused() {
        let key = key();
        for (more, what) in [
            ("", "no chain"),
            (
                "chains = { NetXdQprcVkpaWU = 7 }\nany_chain_from = 0",
                "exclude",
            ),
            (
                "chains = { NetXdQprcVkpaWU = 7 }\nrolle = \"baker\"",
                "rolle",
            ),
            ("chains = { NetXdQprcVkpaWU = 2147483648 }", "2147483648"),
        ] {
            let text = format!("[[key]]\npublic_key = \"{key}\"\n{more}\n");
            let faults = declared::parse(&text).unwrap_err().to_string();
            assert!(faults.contains(what), "{faults}");
        }
        let one = format!("[[key]]\npublic_key = \"{key}\"\n{MAINNET}\n");
        let faults = declared::parse(&format!("{one}{one}"))
            .unwrap_err()
            .to_string();
        assert!(faults.contains("twice"), "{faults}");
    }
}
