//! What a scenario is, and all of them.

use std::pin::Pin;
use std::time::Duration;

use super::failed::Failed;
use super::scenarios;
use super::stage::Stage;

/// A scenario on its way. It is not `Send`: nodes die with the thread that started them, which is
/// the main one.
pub(crate) type Story<'a> = Pin<Box<dyn Future<Output = Result<(), Failed>> + 'a>>;

/// A run of three real processes under faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// Its name in words, unique.
    pub(crate) name: &'static str,
    /// What it shows, in a sentence.
    pub(crate) words: &'static str,
    /// What the machine must have.
    pub(crate) needs: &'static [Need],
    /// Whether it breaks what Quorate stands on, so that the judge must see a broken promise.
    pub(crate) must_be_seen: bool,
    /// How long it may take, with the start of the processes. Several times what it takes on an idle
    /// machine: the limit ends a hang.
    pub(crate) limit: Duration,
    /// Tells it. Ends with faults that are over, or with nodes that are written down as lost; healing, the
    /// final marks and the verdict follow for every scenario alike.
    pub(crate) tell: for<'a> fn(&'a mut Stage) -> Story<'a>,
}

/// Something a machine may lack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// `/dev/fuse`, and the right to mount.
    Fuse,
    /// User id 0: control groups.
    Root,
    /// A file, by its path, and the package that brings it.
    File(&'static str, &'static str),
}

/// The usual limit.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// Every scenario, in the order in which they run.
pub(crate) fn all() -> Vec<Scenario> {
    let parts: [&[Scenario]; 12] = [
        scenarios::power::ALL,
        scenarios::power_moments::ALL,
        scenarios::power_founding::ALL,
        scenarios::disks::ALL,
        scenarios::disks_slow::ALL,
        scenarios::disks_lying::ALL,
        scenarios::hand_over::ALL,
        scenarios::folders::ALL,
        scenarios::swapped::ALL,
        scenarios::flipped_bits::ALL,
        scenarios::clocks::ALL,
        scenarios::pauses::ALL,
    ];
    parts.concat()
}

impl Need {
    /// What is missing, in words; `None` if it is there.
    pub(crate) fn missing(self) -> Option<String> {
        match self {
            Self::Fuse => lossyfs::available()
                .err()
                .map(|missing| missing.to_string()),
            Self::Root => (!rustix::process::geteuid().is_root()).then(|| "not root".to_owned()),
            Self::File(path, package) => (!std::path::Path::new(path).exists())
                .then(|| format!("{path} is not there (package {package})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_scenario_has_a_name_of_its_own_and_says_what_it_shows() {
        let names: BTreeSet<&str> = all().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all().len());
        for scenario in all() {
            assert!(scenario.words.ends_with('.'), "{}", scenario.name);
        }
    }

    #[test]
    fn what_is_missing_is_named_with_what_brings_it() {
        assert_eq!(Need::File("/proc/self/stat", "linux").missing(), None);
        let missing = Need::File("/no/such/library", "faketime").missing();
        assert_eq!(
            missing.unwrap(),
            "/no/such/library is not there (package faketime)"
        );
    }
}
