//! Wrong PINs: a token counts them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hsm::parent::{Ceremony, Hold, PinGuard};
use hsm::{Pin, Token, TroubleKind};

use super::tokens::Tokens;

/// Remembers what was refused, as a node does.
#[derive(Debug, Default)]
struct Wrong {
    refused: Mutex<bool>,
    tries: AtomicUsize,
}

impl PinGuard for Wrong {
    fn read(&self) -> Result<Pin, String> {
        Ok(Pin::new(b"not-the-pin"))
    }
    fn was_rejected(&self, _token: &Token, _pin: &Pin) -> Result<bool, String> {
        Ok(*self.refused.lock().unwrap())
    }
    fn hold(&self, _token: &Token) -> Result<Hold, String> {
        Ok(Hold::Here(Box::new(())))
    }
    fn reject(&self, _token: &Token, _pin: &Pin) -> Result<(), String> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        *self.refused.lock().unwrap() = true;
        Ok(())
    }
    fn forgive(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A node may open one token twice, for the keys in it and for what it sealed.
#[tokio::test]
async fn several_who_share_a_token_and_a_wrong_pin_spend_one_try() {
    let Some(tokens) = Tokens::new() else { return };
    tokens.initialise("one").await.unwrap();
    let guard = Arc::new(Wrong::default());
    let open = || {
        let guard = Arc::clone(&guard);
        Ceremony::open(tokens.place("one"), guard)
    };
    let (first, second, third) = tokio::join!(open(), open(), open());
    let mut kinds = [first, second, third].map(|opened| opened.unwrap_err().kind);
    kinds.sort_by_key(|kind| *kind == TroubleKind::PinBarred);
    let barred = TroubleKind::PinBarred;
    assert_eq!(kinds, [TroubleKind::PinRejected, barred, barred]);
    assert_eq!(guard.tries.load(Ordering::Relaxed), 1);
}
