//! Who should lead: whoever can sign at least as much, and more. Pure.

use std::collections::{BTreeMap, BTreeSet};

use raft_store::hello::{Disk, Hello, Power};
use tezos::PublicKeyHash;

/// What this node can do now, as it tells its peers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ability {
    /// Per enrolled key, whether this node could sign with it now.
    pub can_sign: BTreeMap<PublicKeyHash, bool>,
    /// Whether it is on its way out and wants no leadership.
    pub draining: bool,
    /// How its disk does.
    pub disk: Disk,
    /// What feeds it.
    pub power: Power,
}

/// One thing that makes a node fit to lead.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Fitness {
    /// It could sign with this key.
    Key(PublicKeyHash),
    /// Its disk is neither slow nor full.
    Disk,
    /// It does not run on a battery. A dead driver is no battery, and no mains either.
    Power,
    /// It is here to stay.
    Staying,
}

impl Ability {
    /// What a peer said of itself.
    #[must_use]
    pub fn of(hello: &Hello) -> Self {
        let Hello {
            can_sign,
            draining,
            disk,
            power,
            ..
        } = hello;
        Self {
            can_sign: can_sign.clone(),
            draining: *draining,
            disk: *disk,
            power: *power,
        }
    }

    /// Everything that speaks for this node as a leader.
    #[must_use]
    pub fn fitness(&self) -> BTreeSet<Fitness> {
        let keys = self.can_sign.iter().filter(|(_, able)| **able);
        let mut fitness: BTreeSet<_> = keys.map(|(key, _)| Fitness::Key(*key)).collect();
        if self.disk == Disk::Healthy {
            fitness.insert(Fitness::Disk);
        }
        if matches!(self.power, Power::Mains | Power::Unknown) {
            fitness.insert(Fitness::Power);
        }
        if !self.draining {
            fitness.insert(Fitness::Staying);
        }
        fitness
    }

    /// Whether this node would be of use as a leader: it stays, and can sign with some key if there
    /// is any.
    #[must_use]
    pub fn may_lead(&self) -> bool {
        let helpless = !self.can_sign.is_empty() && !self.can_sign.values().any(|able| *able);
        !self.draining && !helpless
    }
}

/// The peer that a leader hands over to by itself: one that can do everything it can, and more. Of
/// several, the one that can do most, then the lowest id. None if there is none: a leader that hands
/// over for less would only move the failure.
///
/// A key counts only if this node knows it as enrolled. Nodes see an enrolment or a disabling at
/// slightly different times, and that difference is no ability.
#[must_use]
pub fn successor(mine: &Ability, peers: &BTreeMap<u64, Ability>) -> Option<u64> {
    let counts = |fitness: &Fitness| match fitness {
        Fitness::Key(key) => mine.can_sign.contains_key(key),
        Fitness::Disk | Fitness::Power | Fitness::Staying => true,
    };
    let own = mine.fitness();
    let able = peers.iter().map(|(id, ability)| {
        let theirs: BTreeSet<Fitness> = ability.fitness().into_iter().filter(counts).collect();
        (*id, theirs)
    });
    best(able.filter(|(_, theirs)| theirs.is_superset(&own) && *theirs != own))
}

/// The peer that an operator, or a drain, hands over to: the one that can do most.
#[must_use]
pub fn heir(peers: &BTreeMap<u64, Ability>) -> Option<u64> {
    let able = peers.iter().map(|(id, ability)| (*id, ability.fitness()));
    best(able.filter(|(_, theirs)| theirs.contains(&Fitness::Staying)))
}

fn best(candidates: impl Iterator<Item = (u64, BTreeSet<Fitness>)>) -> Option<u64> {
    let ranked = candidates.map(|(id, fitness)| (std::cmp::Reverse(fitness.len()), id));
    ranked.min().map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PublicKeyHash {
        let mut bytes = [n; 21];
        bytes[0] = 0;
        PublicKeyHash::from_bytes(&bytes).unwrap()
    }

    fn able(keys: &[(u8, bool)]) -> Ability {
        let can_sign = keys.iter().map(|(n, able)| (key(*n), *able)).collect();
        Ability {
            can_sign,
            ..Ability::default()
        }
    }

    fn peers(all: &[(u64, &Ability)]) -> BTreeMap<u64, Ability> {
        all.iter()
            .map(|(id, ability)| (*id, (*ability).clone()))
            .collect()
    }

    #[test]
    fn a_leader_hands_over_only_to_a_strict_superset() {
        let (one, both) = (
            able(&[(1, true), (2, false)]),
            able(&[(1, true), (2, true)]),
        );
        let other = able(&[(1, false), (2, true)]);
        assert_eq!(successor(&one, &peers(&[(2, &both), (3, &other)])), Some(2));
        assert_eq!(
            successor(&one, &peers(&[(2, &one), (3, &other)])),
            None,
            "equal or different"
        );
        assert_eq!(successor(&both, &peers(&[(2, &one), (3, &other)])), None);
    }

    #[test]
    fn a_peer_that_has_not_seen_a_key_disabled_yet_is_no_better_leader() {
        let (after, before) = (able(&[(1, true)]), able(&[(1, true), (2, true)]));
        assert_eq!(successor(&after, &peers(&[(2, &before)])), None);
        assert_eq!(successor(&able(&[]), &peers(&[(2, &before)])), None);
    }

    #[test]
    fn two_leaders_that_miss_different_keys_do_not_hand_over_to_and_fro() {
        let (one, other) = (
            able(&[(1, true), (2, false)]),
            able(&[(1, false), (2, true)]),
        );
        assert_eq!(successor(&one, &peers(&[(2, &other)])), None);
        assert_eq!(successor(&other, &peers(&[(1, &one)])), None);
    }

    #[test]
    fn a_sick_disk_a_battery_and_a_drain_count_like_a_missing_key() {
        let well = able(&[(1, true)]);
        for sick in [
            Ability {
                disk: Disk::Slow,
                ..well.clone()
            },
            Ability {
                disk: Disk::Full,
                ..well.clone()
            },
            Ability {
                power: Power::Battery,
                ..well.clone()
            },
            Ability {
                draining: true,
                ..well.clone()
            },
        ] {
            assert_eq!(successor(&sick, &peers(&[(3, &well)])), Some(3), "{sick:?}");
            assert_eq!(successor(&well, &peers(&[(3, &sick)])), None, "{sick:?}");
        }
        let dead_driver = Ability {
            power: Power::Unknown,
            ..well.clone()
        };
        let mains = Ability {
            power: Power::Mains,
            ..well
        };
        assert_eq!(successor(&dead_driver, &peers(&[(3, &mains)])), None);
    }

    #[test]
    fn a_drain_hands_over_to_who_can_do_most_and_never_to_who_drains_too() {
        let (less, more) = (
            able(&[(1, true), (2, false)]),
            able(&[(1, true), (2, true)]),
        );
        let leaving = Ability {
            draining: true,
            ..more.clone()
        };
        assert_eq!(heir(&peers(&[(2, &less), (3, &more)])), Some(3));
        assert_eq!(heir(&peers(&[(2, &less), (3, &leaving)])), Some(2));
        assert_eq!(heir(&peers(&[(3, &leaving)])), None);
    }

    #[test]
    fn a_node_that_can_sign_nothing_that_is_enrolled_is_of_no_use_as_a_leader() {
        assert!(able(&[]).may_lead(), "nothing is enrolled yet");
        assert!(able(&[(1, false), (2, true)]).may_lead());
        assert!(!able(&[(1, false), (2, false)]).may_lead());
        assert!(
            !Ability {
                draining: true,
                ..able(&[(1, true)])
            }
            .may_lead()
        );
    }
}
