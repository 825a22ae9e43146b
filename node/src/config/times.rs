//! The one table of times, from which every duration in a node derives.

use std::time::Duration;

use toml::Spanned;

use super::fault::Checker;
use super::raw;

/// How long things take at most, and how often they happen. The defaults suit a quiet LAN.
///
/// **Invariant:** `2 x heartbeat < election_min`, `rpc_timeout < election_min < election_max`,
/// `2 x election_max <= hold < deadline`, `hold < no_leader_grace`, `sign + election_max < deadline`. The fields are public because
/// [`Times`] is plain data; a file that breaks the order does not become one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Times {
    /// How often a leader tells its followers that it lives. Above twice a round trip plus the
    /// slowest fsync in a hundred; default 100 ms.
    pub heartbeat: Duration,
    /// How long a follower waits at least, once the leader's lease is over, before it campaigns;
    /// default 350 ms.
    pub election_min: Duration,
    /// How long it waits at most; each campaign draws between the two. The lease is as long as this
    /// (openraft's choice), so that a dead leader is missed for `election_max + election_min` at
    /// least and twice `election_max` at most: measured, see `docs/reliability.md`. Default 500 ms.
    pub election_max: Duration,
    /// How long one RPC between peers may take; default 300 ms.
    pub rpc_timeout: Duration,
    /// How long a request waits for a leader before it is answered 502; default 1.2 s, the longest
    /// absence of a leader and the votes.
    pub hold: Duration,
    /// How long a request may take from its last byte in to its answer; default 2.0 s.
    pub deadline: Duration,
    /// How long an HSM may take for one signature before its module counts as hung, and another node
    /// is to lead; default 600 ms, so that a request that met it still has time for the other node.
    pub sign: Duration,
    /// How often each pair of nodes exchanges `hello`; default 500 ms.
    pub hello_every: Duration,
    /// How long a node without a leader stays ready, so that one election does not flip it;
    /// default 3 s.
    pub no_leader_grace: Duration,
    /// The shortest time between two leadership transfers; default 10 s.
    pub transfer_pause: Duration,
    /// How long a draining node is not ready before it hands leadership over: the balancer's
    /// check interval times its fall count, and a margin. Default 1 s.
    pub drain_wait: Duration,
    /// How long an operator's command waits for its commit and for the drain; default 10 s.
    pub operator_deadline: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(350),
            election_max: Duration::from_millis(500),
            rpc_timeout: Duration::from_millis(300),
            hold: Duration::from_millis(1_200),
            deadline: Duration::from_millis(2_000),
            sign: Duration::from_millis(600),
            hello_every: Duration::from_millis(500),
            no_leader_grace: Duration::from_millis(3_000),
            transfer_pause: Duration::from_millis(10_000),
            drain_wait: Duration::from_millis(1_000),
            operator_deadline: Duration::from_millis(10_000),
        }
    }
}

/// No time in the file may be longer: a figure above an hour is a slip of the unit.
const TIME_MS_MAX: u64 = 3_600_000;

pub(super) fn check(raw: &raw::Times, checker: &mut Checker<'_>) -> Times {
    let mut times = Times::default();
    let fields = [
        ("heartbeat_ms", &raw.heartbeat_ms, &mut times.heartbeat),
        (
            "election_min_ms",
            &raw.election_min_ms,
            &mut times.election_min,
        ),
        (
            "election_max_ms",
            &raw.election_max_ms,
            &mut times.election_max,
        ),
        (
            "rpc_timeout_ms",
            &raw.rpc_timeout_ms,
            &mut times.rpc_timeout,
        ),
        ("hold_ms", &raw.hold_ms, &mut times.hold),
        ("deadline_ms", &raw.deadline_ms, &mut times.deadline),
        ("sign_ms", &raw.sign_ms, &mut times.sign),
        (
            "hello_every_ms",
            &raw.hello_every_ms,
            &mut times.hello_every,
        ),
        (
            "no_leader_grace_ms",
            &raw.no_leader_grace_ms,
            &mut times.no_leader_grace,
        ),
        (
            "transfer_pause_ms",
            &raw.transfer_pause_ms,
            &mut times.transfer_pause,
        ),
        ("drain_wait_ms", &raw.drain_wait_ms, &mut times.drain_wait),
        (
            "operator_deadline_ms",
            &raw.operator_deadline_ms,
            &mut times.operator_deadline,
        ),
    ];
    for (name, written, time) in fields {
        if let Some(written) = written {
            *time = read(name, written, *time, checker);
        }
    }
    check_order(&times, raw, checker);
    times
}

fn read(
    name: &str,
    written: &Spanned<u64>,
    default: Duration,
    checker: &mut Checker<'_>,
) -> Duration {
    match *written.get_ref() {
        1..=TIME_MS_MAX => Duration::from_millis(*written.get_ref()),
        other => {
            checker.fault(
                Some(written.span()),
                &format!("times.{name}"),
                format!("{other} ms is not between 1 and {TIME_MS_MAX}"),
                format!("write {name} = {}", default.as_millis()),
            );
            default
        }
    }
}

/// The order that makes a failover fit into one request: each row is `lesser < greater`.
fn check_order(times: &Times, raw: &raw::Times, checker: &mut Checker<'_>) {
    let twice_heartbeat = times.heartbeat.saturating_mul(2);
    let lease_and_election = times.election_max.saturating_mul(2);
    let just_below = |time: Duration| time.saturating_sub(Duration::from_millis(1));
    let rows = [
        (
            "twice heartbeat_ms",
            twice_heartbeat,
            "election_min_ms",
            times.election_min,
        ),
        (
            "rpc_timeout_ms",
            times.rpc_timeout,
            "election_min_ms",
            times.election_min,
        ),
        (
            "election_min_ms",
            times.election_min,
            "election_max_ms",
            times.election_max,
        ),
        (
            "twice election_max_ms",
            just_below(lease_and_election),
            "hold_ms",
            times.hold,
        ),
        ("hold_ms", times.hold, "deadline_ms", times.deadline),
        (
            "sign_ms and election_max_ms together",
            times.sign.saturating_add(times.election_max),
            "deadline_ms",
            times.deadline,
        ),
        (
            "hold_ms",
            times.hold,
            "no_leader_grace_ms",
            times.no_leader_grace,
        ),
        (
            "hello_every_ms",
            times.hello_every,
            "no_leader_grace_ms",
            times.no_leader_grace,
        ),
    ];
    for (lesser, low, greater, high) in rows {
        if low >= high {
            let span = span_of(raw, greater).or_else(|| span_of(raw, lesser));
            checker.fault(
                span,
                &format!("times.{greater}"),
                format!(
                    "{} ms is not above {lesser} ({} ms)",
                    high.as_millis(),
                    low.as_millis()
                ),
                format!(
                    "write {greater} = {} or more",
                    low.as_millis().saturating_add(1)
                ),
            );
        }
    }
}

fn span_of(raw: &raw::Times, name: &str) -> Option<std::ops::Range<usize>> {
    let number = match name {
        "twice heartbeat_ms" => &raw.heartbeat_ms,
        "rpc_timeout_ms" => &raw.rpc_timeout_ms,
        "election_min_ms" => &raw.election_min_ms,
        "election_max_ms" | "twice election_max_ms" => &raw.election_max_ms,
        "hold_ms" => &raw.hold_ms,
        "sign_ms and election_max_ms together" => &raw.sign_ms,
        "deadline_ms" => &raw.deadline_ms,
        "hello_every_ms" => &raw.hello_every_ms,
        "no_leader_grace_ms" => &raw.no_leader_grace_ms,
        _ => return None,
    };
    number.as_ref().map(Spanned::span)
}
