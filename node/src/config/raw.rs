//! `node.toml` as it is written: one struct a table, every field optional, unknown ones refused.
//!
//! Nothing outside `config` sees these; only the checked [`super::Config`] travels. Fields are
//! optional so that a missing one is told together with every other fault, not instead of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub(super) type Text = Option<Spanned<String>>;
pub(super) type Number = Option<Spanned<u64>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) data_dir: Text,
    pub(super) guard_path: Text,
    pub(super) audit_file: Text,
    #[serde(default)]
    pub(super) peers: Peers,
    #[serde(default)]
    pub(super) signer: Signer,
    #[serde(default)]
    pub(super) ops: Ops,
    #[serde(default)]
    pub(super) times: Times,
    #[serde(default)]
    pub(super) keys: Vec<Keys>,
    #[serde(default)]
    pub(super) snapshots: Snapshots,
    #[serde(default)]
    pub(super) log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peers {
    pub(super) listen: Text,
    pub(super) address: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signer {
    pub(super) listen: Text,
    pub(super) base_path: Text,
    pub(super) allow_plain_http: Text,
    #[serde(default)]
    pub(super) allow_list_known_keys: bool,
    #[serde(default)]
    pub(super) allow_to_prove_possession: bool,
    pub(super) tls: Option<Tls>,
    #[serde(default)]
    pub(super) limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) certificate: Text,
    pub(super) key: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) body_bytes_max: Number,
    pub(super) header_bytes_max: Number,
    pub(super) header_ms: Number,
    pub(super) body_ms: Number,
    pub(super) connections_max: Number,
    pub(super) in_flight_max: Number,
    pub(super) in_flight_per_key_max: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ops {
    pub(super) listen: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Times {
    pub(super) heartbeat_ms: Number,
    pub(super) election_min_ms: Number,
    pub(super) election_max_ms: Number,
    pub(super) rpc_timeout_ms: Number,
    pub(super) hold_ms: Number,
    pub(super) deadline_ms: Number,
    pub(super) sign_ms: Number,
    pub(super) hello_every_ms: Number,
    pub(super) no_leader_grace_ms: Number,
    pub(super) transfer_pause_ms: Number,
    pub(super) drain_wait_ms: Number,
    pub(super) operator_deadline_ms: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    pub(super) backend: Text,
    pub(super) folder: Text,
    pub(super) password_file: Text,
    pub(super) password_credential: Text,
    pub(super) password_variable: Text,
    pub(super) module: Text,
    pub(super) uri: Text,
    pub(super) token: Text,
    pub(super) serial: Text,
    pub(super) slot: Number,
    pub(super) pin_file: Text,
    pub(super) pin_credential: Text,
    pub(super) pin_variable: Text,
    pub(super) sessions: Number,
    pub(super) sealing_key: Text,
    pub(super) environment: Option<Spanned<BTreeMap<String, String>>>,
    #[serde(default)]
    pub(super) key: Vec<Spanned<Key>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) id: Text,
    pub(super) label: Text,
    pub(super) public_key_hash: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshots {
    pub(super) every: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: Text,
    pub(super) level: Text,
}
