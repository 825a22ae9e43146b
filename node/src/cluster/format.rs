//! Which format entries may use: the newest that every voter can read, agreed before it is used.

use std::collections::BTreeMap;

/// The format to propose: above the one agreed on, and announced by every voter. `voters` has the
/// formats of each, or none for a voter that was not heard.
#[must_use]
pub(super) fn next(agreed: u16, voters: &BTreeMap<u64, Option<Vec<u16>>>) -> Option<u16> {
    let mut all = voters.values();
    let first = all.next()?.as_ref()?;
    let mut common: Vec<u16> = first.clone();
    for formats in all {
        let formats = formats.as_ref()?;
        common.retain(|format| formats.contains(format));
    }
    common.into_iter().max().filter(|format| *format > agreed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voters(all: &[Option<&[u16]>]) -> BTreeMap<u64, Option<Vec<u16>>> {
        (1..)
            .zip(all.iter().map(|formats| formats.map(<[u16]>::to_vec)))
            .collect()
    }

    #[test]
    fn a_format_is_proposed_only_when_every_voter_announced_it() {
        assert_eq!(
            next(1, &voters(&[Some(&[1, 2]), Some(&[1, 2]), Some(&[1, 2])])),
            Some(2)
        );
        assert_eq!(
            next(1, &voters(&[Some(&[1, 2]), Some(&[1]), Some(&[1, 2])])),
            None
        );
        assert_eq!(
            next(1, &voters(&[Some(&[1, 2, 3]), Some(&[2]), Some(&[1, 2])])),
            Some(2)
        );
        assert_eq!(
            next(1, &voters(&[Some(&[1, 2]), None, Some(&[1, 2])])),
            None,
            "one not heard"
        );
        assert_eq!(
            next(2, &voters(&[Some(&[1, 2]), Some(&[1, 2])])),
            None,
            "agreed already"
        );
        assert_eq!(next(1, &voters(&[])), None);
    }
}
