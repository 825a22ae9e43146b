use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

const FILE: &str = "/etc/quorate/node.toml";
const GOOD: &str = "data_dir = \"/var/lib/quorate\"\n[peers]\naddress = \"n1:7101\"\n";

fn parse(text: &str) -> Result<Config, Faults> {
    Config::parse(text, Path::new(FILE))
}

/// The faults of `GOOD` with more lines after it, each as `line field`.
fn faults(text: &str) -> Vec<String> {
    let Err(faults) = parse(text) else {
        return Vec::new();
    };
    faults
        .faults
        .iter()
        .map(|fault| format!("{} {}", fault.line, fault.field))
        .collect()
}

#[test]
fn a_file_with_only_what_must_be_said_has_the_defaults_of_the_design() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/var/lib/quorate"));
    assert_eq!(config.peers_address, "n1:7101");
    assert_eq!(config.peers_listen.to_string(), "0.0.0.0:7101");
    assert_eq!(config.signer.listen.to_string(), "127.0.0.1:6732");
    assert_eq!(config.ops_listen.to_string(), "127.0.0.1:9732");
    assert_eq!(config.signer.allow_plain_http, PlainHttp::Loopback);
    assert!(!config.signer.allow_list_known_keys && !config.signer.allow_to_prove_possession);
    assert_eq!(config.keys, Vec::new());
    assert_eq!(config.times, Times::default());
    assert_eq!(
        config.admin_socket(),
        PathBuf::from("/var/lib/quorate/admin.sock")
    );
}

#[test]
fn the_annotated_file_is_right_and_its_commented_lines_are_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/node.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let config = Config::parse(&text, Path::new(FILE)).unwrap();
    let mut bare = String::new();
    for line in text.lines() {
        // `# name = value` at the start of a line is a setting; prose never looks like that.
        let setting = line.strip_prefix("# ").filter(|rest| {
            let name = rest.split_once(" = ").map(|(name, _)| name);
            let word = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            name.is_some_and(word)
        });
        // These have no default, the TLS table is all or nothing, and a folder has a variable.
        let own = ["guard_path", "audit_file", "certificate", "key =", "folder"];
        match setting.filter(|setting| !own.iter().any(|name| setting.starts_with(name))) {
            Some(setting) => writeln!(bare, "{setting}").unwrap(),
            None => writeln!(bare, "{line}").unwrap(),
        }
    }
    assert!(bare.contains("\nheartbeat_ms = 100\n") && bare.contains("\nformat = \"text\"\n"));
    assert_eq!(Config::parse(&bare, Path::new(FILE)).unwrap(), config);
}

#[test]
fn every_setting_is_in_the_annotated_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/node.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let raw = include_str!("raw.rs");
    let fields = raw.lines().filter_map(|line| {
        line.trim()
            .strip_prefix("pub(super) ")?
            .split_once(": ")
            .map(|(name, _)| name)
    });
    let mut seen = 0;
    for field in fields {
        assert!(
            text.contains(field),
            "{field} is missing in deploy/node.toml"
        );
        seen += 1;
    }
    assert!(seen > 40, "only {seen} fields were found in raw.rs");
}

/// Goal: no fault hides another. Every class of fault in one file; all are told, each at its line.
#[test]
fn all_faults_are_told_at_once_each_with_its_line() {
    let text = r#"data_dir = ""
guard_path = 3
colour = "blue"
[peers]
listen = "everywhere"
[signer]
listen = "0.0.0.0:6732"
base_path = "a b"
allow_plain_http = "sometimes"
allow_list_known_keys = "yes"
[signer.tls]
certificate = "tls.pem"
[signer.limits]
body_bytes_max = 3
headers = 4
[ops]
listen = 9732
[times]
heartbeat_ms = 0
hold_ms = 2500
[[keys]]
backend = "file"
password_file = "p"
password_variable = "P"
[[keys]]
folder = "a"
[[keys]]
backend = "hsm"
[log]
format = "xml"
level = "a=b=c"
"#;
    let told = faults(text);
    let expected = [
        "0 keys.1.backend",
        "0 peers.address",
        "0 signer.tls.key",
        "1 data_dir",
        "2 guard_path",
        "3 colour",
        "5 peers.listen",
        "8 signer.base_path",
        "9 signer.allow_plain_http",
        "10 signer.allow_list_known_keys",
        "14 signer.limits.body_bytes_max",
        "15 signer.limits.headers",
        "17 ops.listen",
        "19 times.heartbeat_ms",
        "20 times.deadline_ms",
        "24 keys.0.password_file",
        "28 keys.2.backend",
        "30 log.format",
        "31 log.level",
    ];
    let mut told: Vec<&str> = told.iter().map(String::as_str).collect();
    told.sort_by_key(|fault| {
        let (line, field) = fault.split_once(' ').unwrap();
        (line.parse::<usize>().unwrap(), field.to_owned())
    });
    assert_eq!(told, expected);
}

#[test]
fn a_fault_says_file_line_field_what_is_wrong_and_what_to_write() {
    let text = format!("{GOOD}[signer]\nlisten = \"localhost\"\n");
    let told = parse(&text).unwrap_err().to_string();
    assert_eq!(
        told,
        "/etc/quorate/node.toml:5: signer.listen: \"localhost\" is not an address and a port; \
         write listen = \"127.0.0.1:6732\""
    );
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let told = faults("data_dir = \"a\n[peers\n");
    assert_eq!(told.first().map(String::as_str), Some("1 "));
    assert!(
        told.iter().all(|fault| fault.ends_with(' ')),
        "no field is blamed: {told:?}"
    );
}

/// R44: a plain-HTTP listener that others can reach needs its own word.
#[test]
fn plain_http_beyond_loopback_needs_tls_or_its_own_word() {
    let with = |more: &str| format!("{GOOD}[signer]\nlisten = \"10.0.0.1:6732\"\n{more}");
    assert_eq!(faults(&with("")), ["5 signer.listen"]);
    assert_eq!(
        faults(&with("allow_plain_http = \"loopback\"\n")),
        ["5 signer.listen"]
    );
    for word in ["anyone", "authorized-keys-only"] {
        assert_eq!(
            faults(&with(&format!("allow_plain_http = \"{word}\"\n"))),
            [""; 0]
        );
    }
    let tls = "[signer.tls]\ncertificate = \"a\"\nkey = \"b\"\n";
    assert_eq!(faults(&with(tls)), [""; 0]);
    assert_eq!(
        faults(&format!("{GOOD}[signer]\nlisten = \"[::1]:6732\"\n")),
        [""; 0]
    );
}

/// The order of the times, and that each is really looked at: every row is one slip.
#[test]
fn times_that_would_make_a_failover_miss_its_request_are_refused() {
    for (line, field) in [
        ("heartbeat_ms = 200", "election_min_ms"),
        ("rpc_timeout_ms = 400", "election_min_ms"),
        ("election_min_ms = 800", "election_max_ms"),
        ("election_max_ms = 801", "hold_ms"),
        ("hold_ms = 2000", "deadline_ms"),
        ("deadline_ms = 1200", "deadline_ms"),
        ("sign_ms = 1500", "deadline_ms"),
        ("no_leader_grace_ms = 1200", "no_leader_grace_ms"),
        ("hello_every_ms = 3000", "no_leader_grace_ms"),
        ("drain_wait_ms = 3600001", "drain_wait_ms"),
        ("transfer_pause_ms = 0", "transfer_pause_ms"),
        ("operator_deadline_ms = 0", "operator_deadline_ms"),
    ] {
        let told = faults(&format!("{GOOD}[times]\n{line}\n"));
        assert_eq!(told, [format!("5 times.{field}")], "{line}");
    }
    let wan = "[times]\nheartbeat_ms = 400\nelection_min_ms = 2000\nelection_max_ms = 3000\n\
               rpc_timeout_ms = 1500\nhold_ms = 6000\ndeadline_ms = 9000\nno_leader_grace_ms = 12000\n";
    let config = parse(&format!("{GOOD}{wan}")).unwrap();
    assert_eq!(config.times.hold, Duration::from_secs(6));
}

#[test]
fn two_listeners_on_one_port_are_told_before_the_second_bind() {
    let told = faults(&format!("{GOOD}[ops]\nlisten = \"127.0.0.1:6732\"\n"));
    assert_eq!(told, ["5 ops.listen"]);
    let told = faults(&format!("{GOOD}[signer]\nlisten = \"127.0.0.1:7101\"\n"));
    assert_eq!(
        told,
        ["5 signer.listen"],
        "0.0.0.0:7101 takes that port on every address"
    );
    let free = "[ops]\nlisten = \"127.0.0.1:0\"\n[signer]\nlisten = \"127.0.0.1:0\"\n";
    assert_eq!(
        faults(&format!("{GOOD}{free}")),
        [""; 0],
        "port 0 is any free one"
    );
}

#[test]
fn what_peers_dial_must_be_said_if_the_listener_does_not_say_it() {
    assert_eq!(faults("data_dir = \"/d\"\n"), ["0 peers.address"]);
    assert_eq!(
        faults("data_dir = \"/d\"\n[peers]\nlisten = \"10.0.0.1:0\"\n"),
        ["0 peers.address"]
    );
    let config = parse("data_dir = \"/d\"\n[peers]\nlisten = \"10.0.0.1:7\"\n").unwrap();
    assert_eq!(config.peers_address, "10.0.0.1:7");
    for wrong in ["n1", "n1:", "n1:0", ":7101", "n1:7101#x", "a@b:1"] {
        let text = format!("data_dir = \"/d\"\n[peers]\naddress = \"{wrong}\"\n");
        assert_eq!(faults(&text), ["3 peers.address"], "{wrong}");
    }
}

#[test]
fn key_sources_take_their_password_from_exactly_one_place() {
    let with = |more: &str| parse(&format!("{GOOD}[[keys]]\nbackend = \"file\"\n{more}"));
    let password = |more: &str| match with(more).unwrap().keys.remove(0) {
        KeySource::File { folder, password } => (folder, password),
        other => panic!("{other:?}"),
    };
    let keys = PathBuf::from("/var/lib/quorate/keys");
    let beside = PasswordSource::File(PathBuf::from("/etc/quorate/p"));
    assert_eq!(password("password_file = \"p\"\n"), (keys.clone(), beside));
    let credential = PasswordSource::Credential("k".to_owned());
    assert_eq!(
        password("password_credential = \"k\"\n"),
        (keys.clone(), credential)
    );
    let variable = PasswordSource::Variable("K".to_owned());
    assert_eq!(password("password_variable = \"K\"\n"), (keys, variable));
    assert!(with("password_credential = \"../k\"\n").is_err());
    assert!(
        with("password = \"secret\"\n").is_err(),
        "a password in the file itself"
    );
    let twice = "password_file = \"p\"\n[[keys]]\nbackend = \"file\"\npassword_file = \"p\"\n";
    assert!(
        with(twice)
            .unwrap_err()
            .to_string()
            .contains("already the folder")
    );
}

#[test]
fn a_token_is_named_with_its_module_its_keys_and_where_its_pin_is() {
    let source = |more: &str| {
        let text = format!("{GOOD}[[keys]]\nbackend = \"pkcs11\"\n{more}");
        match parse(&text).map(|mut config| config.keys.remove(0)) {
            Ok(KeySource::Pkcs11(token)) => Ok(token),
            Ok(other) => panic!("{other:?}"),
            Err(faults) => Err(faults.to_string()),
        }
    };
    let token = source(
        "module = \"/m.so\"\ntoken = \"one\"\nserial = \"07\"\npin_credential = \"pin\"\n\
         environment = { SOFTHSM2_CONF = \"/s.conf\" }\nkey = [{ id = \"01ff\" }, { label = \"b\" }]\n",
    )
    .unwrap();
    assert_eq!(token.module, PathBuf::from("/m.so"));
    assert_eq!(token.token.label.as_deref(), Some("one"));
    assert_eq!(token.token.serial.as_deref(), Some("07"));
    assert_eq!(token.pin, PasswordSource::Credential("pin".to_owned()));
    assert_eq!((token.sessions, token.keys.len()), (4, 2));
    assert_eq!(token.keys[0].name.id, Some(vec![1, 255]));
    assert_eq!(token.environment["SOFTHSM2_CONF"], "/s.conf");

    let uri =
        source("uri = \"pkcs11:token=one;id=%01?module-path=/m.so&pin-source=/p\"\n").unwrap();
    assert_eq!(uri.keys[0].name.id, Some(vec![1]));
    assert_eq!(uri.pin, PasswordSource::File(PathBuf::from("/p")));

    for (more, named) in [
        (
            "token = \"one\"\npin_file = \"p\"\n",
            "keys.0.module: is missing",
        ),
        (
            "module = \"/m.so\"\npin_file = \"p\"\n",
            "keys.0.token: no token is named",
        ),
        (
            "module = \"/m.so\"\ntoken = \"one\"\n",
            "no source of the pin is named",
        ),
        (
            "uri = \"pkcs11:token=a?pin-value=1234\"\n",
            "it holds a PIN",
        ),
        (
            "pin_file = \"p\"\nsessions = 0\n",
            "0 is not between 1 and 64",
        ),
        (
            "key = [{ id = \"xy\" }]\n",
            "keys.0.key.0.id: is not hexadecimal",
        ),
        ("key = [{}]\n", "the key is not named"),
        (
            "key = [{ id = \"01\" }, { id = \"01\" }]\n",
            "is named twice",
        ),
        ("folder = \"f\"\n", "means nothing to backend \"pkcs11\""),
        (
            "password_file = \"f\"\n",
            "keys.0.password_file: means nothing",
        ),
    ] {
        let told = source(more).unwrap_err();
        assert!(told.contains(named), "{more}: {told}");
        assert!(!told.contains("1234"), "{told}");
    }
}

#[test]
fn the_guard_is_on_another_volume_than_the_folder_it_guards() {
    let told = faults(&format!("guard_path = \"/var/lib/quorate/guard\"\n{GOOD}"));
    assert_eq!(told, ["1 guard_path"]);
}

#[test]
fn the_audit_file_is_no_part_of_the_data_folder() {
    let told = faults(&format!("audit_file = \"/var/lib/quorate/audit\"\n{GOOD}"));
    assert_eq!(told, ["1 audit_file"]);
    let config = parse(&format!("audit_file = \"audit.jsonl\"\n{GOOD}")).unwrap();
    let beside = PathBuf::from("/etc/quorate/audit.jsonl");
    assert_eq!(config.audit_file, Some(beside), "relative to node.toml");
}

/// R7: there is no setting that turns durability or the marks off. A new field must be thought
/// about here before it is allowed.
#[test]
fn no_setting_speaks_of_durability_or_marks() {
    let raw = include_str!("raw.rs");
    for word in [
        "sync",
        "memory",
        "watermark",
        "mark",
        "force",
        "unsafe",
        "skip",
        "disable",
    ] {
        let fields = raw
            .lines()
            .filter(|line| line.trim_start().starts_with("pub(super) "));
        let named: Vec<&str> = fields.filter(|line| line.contains(word)).collect();
        assert!(named.is_empty(), "{named:?}");
    }
}

#[test]
fn base_paths_are_plain_and_lose_their_outer_slashes() {
    let path = |text: &str| {
        parse(&format!("{GOOD}[signer]\nbase_path = \"{text}\"\n")).map(|c| c.signer.base_path)
    };
    assert_eq!(path("/").unwrap(), "");
    assert_eq!(path("a/b/").unwrap(), "/a/b");
    for wrong in ["a//b", "a/../b", "a?b", "a%20b"] {
        assert!(path(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_data_folder_whose_socket_path_is_too_long_is_told_now() {
    let long = "d".repeat(120);
    let told = faults(&format!(
        "data_dir = \"/{long}\"\n[peers]\naddress = \"n1:7101\"\n"
    ));
    assert_eq!(told, ["1 data_dir"]);
}

#[test]
fn snapshots_keep_their_proportions_and_a_senseless_number_is_refused() {
    let config = parse(&format!("{GOOD}\n[snapshots]\nevery = 300\n")).unwrap();
    let Snapshots {
        every,
        keep,
        purge_batch,
    } = config.snapshots;
    assert_eq!((every, keep, purge_batch), (300, 300, 30));
    for wrong in [0, 99, 1_000_001] {
        let text = format!("{GOOD}\n[snapshots]\nevery = {wrong}\n");
        let faults = parse(&text).unwrap_err().to_string();
        assert!(faults.contains("snapshots.every"), "{faults}");
    }
}
