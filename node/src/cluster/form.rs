//! Forming a cluster: the same line on every node makes the same binding on every node.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use raft_store::identity::ClusterBinding;
use raft_store::types::{Fingerprint, Member};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// How many voters a cluster may be formed of. One is for dev.
const SIZES: [usize; 3] = [1, 3, 5];

/// One member as `quorate init` prints it: `host:port#sha256:<64 hexadecimal digits>`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct MemberLine {
    host: String,
    port: u16,
    fingerprint: Fingerprint,
}

/// Why members make no cluster.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FormError {
    /// A word that is no member.
    #[error("{found:?} is no member; expected host:port#fingerprint, as `quorate init` prints it")]
    NotAMember {
        /// The word.
        found: String,
    },
    /// Too many, too few, or an even number.
    #[error("{0} members; a cluster is formed of 1 (for dev), 3 or 5")]
    Size(usize),
    /// Two members with one key, or one address.
    #[error("{what} is there twice; every node has its own")]
    Twice {
        /// The key or the address.
        what: String,
    },
    /// This node is not among them.
    #[error(
        "this node's key is {own}, and no member has it; run the line with what `quorate init` \
         printed on this node"
    )]
    Absent {
        /// This node's key.
        own: Fingerprint,
    },
}

impl FromStr for MemberLine {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let not_a_member = || FormError::NotAMember {
            found: text.to_owned(),
        };
        let (address, fingerprint) = text.split_once('#').ok_or_else(not_a_member)?;
        let (host, port) = address.rsplit_once(':').ok_or_else(not_a_member)?;
        let fingerprint = fingerprint.parse().map_err(|_not_one| not_a_member())?;
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(not_a_member)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        if bare.is_empty() || !bare.chars().all(plain) {
            return Err(not_a_member());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            fingerprint,
        })
    }
}

impl TryFrom<String> for MemberLine {
    type Error = FormError;

    fn try_from(text: String) -> Result<Self, FormError> {
        text.parse()
    }
}

impl From<MemberLine> for String {
    fn from(line: MemberLine) -> Self {
        line.to_string()
    }
}

impl fmt::Display for MemberLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}#{}", self.host, self.port, self.fingerprint)
    }
}

impl MemberLine {
    /// Addresses in the order of a human eye: by number where they are numbers.
    fn order(&self) -> (Option<IpAddr>, &str, u16, Fingerprint) {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        (bare.parse().ok(), &self.host, self.port, self.fingerprint)
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The binding that `lines` make for the node whose key is `own`.
///
/// Node ids count from 1 in the order of the addresses (IP addresses and ports by number), and the
/// cluster id is a hash of the lines in that order: whatever order the operator typed them in, every
/// node binds the same. Fingerprints are random, so no two clusters share an id.
///
/// # Errors
/// [`FormError`].
pub fn binding(lines: &[MemberLine], own: Fingerprint) -> Result<ClusterBinding, FormError> {
    if !SIZES.contains(&lines.len()) {
        return Err(FormError::Size(lines.len()));
    }
    let mut sorted: Vec<_> = lines.iter().collect();
    sorted.sort_by(|a, b| a.order().cmp(&b.order()));
    let mut seen = BTreeSet::new();
    for what in sorted
        .iter()
        .flat_map(|line| [line.address(), line.fingerprint.to_string()])
    {
        if !seen.insert(what.clone()) {
            return Err(FormError::Twice { what });
        }
    }
    let members: BTreeMap<u64, Member> = (1..)
        .zip(&sorted)
        .map(|(id, line)| {
            (
                id,
                Member {
                    address: line.address(),
                    fingerprint: line.fingerprint,
                },
            )
        })
        .collect();
    let me = members.iter().find(|(_, member)| member.fingerprint == own);
    let me = *me.ok_or(FormError::Absent { own })?.0;
    Ok(ClusterBinding {
        cluster_id: cluster_id(&sorted),
        members,
        me,
    })
}

fn cluster_id(sorted: &[&MemberLine]) -> [u8; 16] {
    let lines: String = sorted.iter().map(|line| format!("{line}\n")).collect();
    let hash = digest(&SHA256, format!("quorate cluster 1\n{lines}").as_bytes());
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(host: &str, port: u16, key: u8) -> MemberLine {
        let fingerprint = Fingerprint([key; 32]);
        format!("{host}:{port}#{fingerprint}").parse().unwrap()
    }

    #[test]
    fn the_same_line_in_any_order_binds_the_same_cluster_and_the_same_ids() {
        let mut lines = [
            line("10.0.0.10", 7101, 1),
            line("10.0.0.9", 7101, 2),
            line("n1", 7, 3),
        ];
        let first = binding(&lines, Fingerprint([2; 32])).unwrap();
        lines.reverse();
        let second = binding(&lines, Fingerprint([1; 32])).unwrap();
        assert_eq!(
            (first.cluster_id, &first.members),
            (second.cluster_id, &second.members)
        );
        assert_eq!(first.members[&first.me].address, "10.0.0.9:7101");
        assert_eq!(
            (first.me, second.me),
            (2, 3),
            "names first, then addresses by number"
        );
        assert_eq!(second.members.len(), 3);
        lines[0] = line("n1", 7, 4);
        let other = binding(&lines, Fingerprint([1; 32])).unwrap();
        assert_ne!(
            other.cluster_id, first.cluster_id,
            "another key is another cluster"
        );
    }

    #[test]
    fn members_that_make_no_cluster_are_refused_by_what_is_wrong() {
        let own = Fingerprint([1; 32]);
        let [a, b, c] = [line("a", 1, 1), line("b", 1, 2), line("c", 1, 3)];
        assert_eq!(
            binding(&[a.clone(), b.clone()], own),
            Err(FormError::Size(2))
        );
        let twice = binding(&[a.clone(), b.clone(), line("a", 1, 4)], own);
        assert_eq!(
            twice,
            Err(FormError::Twice {
                what: "a:1".to_owned()
            })
        );
        let twice = binding(&[a.clone(), b.clone(), line("c", 1, 2)], own);
        assert_eq!(
            twice,
            Err(FormError::Twice {
                what: Fingerprint([2; 32]).to_string()
            })
        );
        let own = Fingerprint([9; 32]);
        assert_eq!(binding(&[a, b, c], own), Err(FormError::Absent { own }));
    }

    #[test]
    fn a_member_line_is_read_back_and_nothing_else_is() {
        for good in ["n1:7101#", "[::1]:7101#", "127.0.0.1:1#"] {
            let text = format!("{good}{}", Fingerprint([7; 32]));
            assert_eq!(text.parse::<MemberLine>().unwrap().to_string(), text);
        }
        let hex = "07".repeat(32);
        assert_eq!(format!("n:1#{hex}").parse(), Ok(line("n", 1, 7)));
        for bad in [
            "n1",
            "n1:7101",
            "n1:7101#12",
            ":1#",
            "n:0#",
            "n:70000#",
            "a/b:1#",
            "n 1:1#",
        ] {
            let text = if bad.ends_with('#') {
                format!("{bad}{hex}")
            } else {
                bad.to_owned()
            };
            assert_eq!(
                text.parse::<MemberLine>(),
                Err(FormError::NotAMember { found: text })
            );
        }
    }
}
