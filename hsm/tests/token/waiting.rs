//! What tests ask of a module, and wait for.

use std::thread;
use std::time::{Duration, Instant};

use hsm::Trouble;
use hsm::parent::{Module, Standing};
use tezos::{Curve, Digest, PublicKeyHash, Signature};

/// How long anything may take to happen that a test waits for, on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The key of a module on a curve.
pub(crate) fn key(module: &Module, curve: Curve) -> PublicKeyHash {
    let standing = module.standing().borrow().clone();
    let mut keys = standing.keys.iter();
    *keys.find(|(_, key)| key.curve() == curve).unwrap().0
}

/// Signs, and sees that the signature verifies and has a low s.
pub(crate) async fn signed(module: &Module, key: PublicKeyHash) -> Result<Signature, Trouble> {
    let known = module.standing().borrow().keys.get(&key).cloned();
    let mut message = [0; 40];
    getrandom::fill(&mut message).unwrap();
    let signature = module.sign(key, *Digest::of(&message).as_bytes()).await?;
    let known = match known {
        Some(known) => known,
        // It was healed meanwhile, and signed a moment before that is told.
        None => until(module, "the key that signed", |now| {
            now.keys.contains_key(&key)
        })
        .await
        .keys[&key]
            .clone(),
    };
    known.verify(&message, &signature).unwrap();
    Ok(signature)
}

/// Asks for signatures until one is made: a request that comes before trouble is noticed fails too.
pub(crate) async fn signs_again(module: &Module, key: PublicKeyHash) {
    let asking = async {
        while signed(module, key).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let asked = tokio::time::timeout(PATIENCE, asking).await;
    let standing = module.standing().borrow().clone();
    assert!(asked.is_ok(), "no request was signed: {standing:?}");
}

/// Waits until a module stands as told.
pub(crate) async fn until(
    module: &Module,
    what: &str,
    holds: impl Fn(&Standing) -> bool,
) -> Standing {
    let mut standing = module.standing();
    let waited = tokio::time::timeout(PATIENCE, standing.wait_for(|now| holds(now))).await;
    match waited {
        Ok(held) => held.unwrap().clone(),
        Err(_elapsed) => panic!(
            "{what} did not happen: {:?}",
            module.standing().borrow().clone()
        ),
    }
}

/// Waits until a module has no trouble.
pub(crate) async fn well(module: &Module) -> Standing {
    until(module, "standing well", |now| now.trouble.is_none()).await
}

/// Waits until a module has trouble whose words hold these.
pub(crate) async fn trouble(module: &Module, words: &str) -> Standing {
    until(module, words, |now| {
        now.trouble
            .as_ref()
            .is_some_and(|trouble| trouble.what.contains(words))
    })
    .await
}

/// Waits until something holds that no module tells.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < limit, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The same, without a runtime.
pub(crate) fn eventually_within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < limit, "{what} did not happen in time");
        thread::sleep(Duration::from_millis(2));
    }
}
