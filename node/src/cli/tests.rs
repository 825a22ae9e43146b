use std::collections::BTreeSet;

use clap::CommandFactory as _;

use super::*;

fn reads(line: &str) -> bool {
    Cli::try_parse_from(line.split(' ')).is_ok()
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_of_the_design_is_read() {
    let member = format!("n1:7101#sha256:{}", "0a".repeat(32));
    let key = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
    for line in [
        "quorate dev --demo".to_owned(),
        "quorate init --config a.toml".to_owned(),
        "quorate --config a.toml node".to_owned(),
        format!("quorate cluster form {member} {member} {member}"),
        "quorate cluster status --json".to_owned(),
        "quorate key generate bls12-381 --json".to_owned(),
        "quorate key import --file a --password-file b".to_owned(),
        "quorate key reload".to_owned(),
        format!("quorate key enrol {key} --role baker --release after-commit --any-chain-from 0"),
        format!("quorate key enrol {key} --chain NetXdQprcVkpaWU=7 --kind block,attestation"),
        format!("quorate key enrol {key} --chain NetXdQprcVkpaWU=7 --import NetXdQprcVkpaWU=6/2"),
        format!(
            "quorate key enrol {key} --import octez:/a --import signatory:b --import dynamodb:c.json"
        ),
        "quorate marks export".to_owned(),
        format!("quorate marks export {key} --format octez --out a --even-enabled"),
        format!("quorate key enrol {key} --chain NetXdQprcVkpaWU=7 --operation reveal --vote yay"),
        format!("quorate key edit {key} --authorized none --operation none"),
        format!("quorate key disable {key} --yes"),
        format!("quorate key enable {key} --generation 3"),
        format!("quorate key raise {key} --chain NetXdQprcVkpaWU --level 9 --kind block"),
        "quorate key list --json".to_owned(),
        format!("quorate key prove-possession {key}"),
        "quorate apply keys.toml --yes".to_owned(),
        "quorate config check".to_owned(),
        "quorate status".to_owned(),
    ] {
        assert!(reads(&line), "{line}");
    }
}

#[test]
fn what_is_no_word_of_the_domain_is_refused() {
    let key = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
    for line in [
        "quorate cluster form n1:7101".to_owned(),
        "quorate key generate rsa".to_owned(),
        "quorate key enrol tz1x --any-chain-from 0".to_owned(),
        format!("quorate key enrol {key} --chain NetXdQprcVkpaWU"),
        format!("quorate key enrol {key} --chain NetXdQprcVkpaWU=2147483648"),
        format!("quorate key enrol {key} --chain NetXdQprcVkpaWU=1 --any-chain-from 0"),
        format!("quorate key enrol {key} --any-chain-from 0 --release sometimes"),
        format!("quorate key enrol {key} --any-chain-from 0 --kind endorsement"),
        format!("quorate key raise {key} --level 9"),
        format!("quorate key enrol {key} --import ledger:/a"),
        "quorate marks export --format octez".to_owned(),
        "quorate node --password x".to_owned(),
    ] {
        assert!(!reads(&line), "{line}");
    }
}

/// R32: no argument takes a secret or a password, only files that hold one.
#[test]
fn no_argument_is_a_secret() {
    fn names(command: &clap::Command, found: &mut Vec<String>) {
        found.extend(
            command
                .get_arguments()
                .map(|argument| argument.get_id().to_string()),
        );
        command
            .get_subcommands()
            .for_each(|command| names(command, found));
    }
    let mut found = Vec::new();
    names(&Cli::command(), &mut found);
    assert!(found.len() > 30, "{found:?}");
    let secret = |name: &&String| {
        ["secret", "password", "pin", "passphrase"]
            .iter()
            .any(|word| name.contains(word))
    };
    let named: BTreeSet<&str> = found.iter().filter(secret).map(String::as_str).collect();
    let harmless = BTreeSet::from(["password_file", "ask_password"]);
    assert_eq!(named, harmless, "a path and a yes or no");
}
