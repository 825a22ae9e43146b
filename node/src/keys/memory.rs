//! Memory that is never written to a swap device: where secrets are.

use std::collections::BTreeMap;
use std::sync::{Mutex, Once, PoisonError};

use tezos::SecretKey;

/// The pages that are locked, by address, until this process ends.
///
/// A page is locked or not, however often that was asked for, so a page that is unlocked with one
/// secret would be unlocked under another. A handful of pages for the keys of a node is what it costs.
static LOCKED: Mutex<BTreeMap<usize, region::LockGuard>> = Mutex::new(BTreeMap::new());

/// The limit is told once, not with each key.
static TOLD: Once = Once::new();

/// Locks the pages that a secret is in (`mlock`). A kernel that does not allow it is told of, and the
/// key is used all the same: it is no reason to be down.
pub(super) fn lock(secret: &SecretKey) {
    let (place, bytes) = secret.memory();
    let mut locked = LOCKED.lock().unwrap_or_else(PoisonError::into_inner);
    let page = region::page::floor(place).addr();
    // A secret is smaller than a page, but may lie across the border of two.
    let last = region::page::floor(place.wrapping_add(bytes.saturating_sub(1))).addr();
    if locked.contains_key(&page) && locked.contains_key(&last) {
        return;
    }
    match region::lock(place, bytes) {
        Ok(guard) => {
            locked.insert(page, guard);
            if last != page
                && let Ok(guard) = region::lock(place.wrapping_add(bytes.saturating_sub(1)), 1)
            {
                locked.insert(last, guard);
            }
        }
        Err(error) => TOLD.call_once(|| {
            tracing::warn!(
                %error,
                "secret keys are not locked into memory and may be written to a swap device: raise \
                 RLIMIT_MEMLOCK (LimitMEMLOCK= in the systemd unit), or have no swap"
            );
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tezos::Curve;

    /// What the kernel says of this process, in kB.
    fn locked_now() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmLck:"));
        line.unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }

    #[test]
    fn a_secret_is_in_locked_memory() {
        for curve in Curve::ALL {
            let secret = SecretKey::generate(*curve).unwrap();
            lock(&secret);
            lock(&secret);
        }
        assert!(locked_now() > 0);
    }
}
