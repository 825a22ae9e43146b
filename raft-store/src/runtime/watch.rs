//! The last value of something, and when it changes: tokio's `watch`, but for the order in which
//! those who wait are woken. Tokio's is random and cannot be seeded, here it is first come, first
//! served, so that a simulation wakes its tasks in the same order every time.
//!
//! Values, versions and closing are tokio's; only the bell is another one.

use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};
use tokio::task::coop::unconstrained;

pub use tokio::sync::watch::Ref;
pub use tokio::sync::watch::error::{RecvError, SendError};

/// Sets the value. Clones set the same one.
#[derive(Debug)]
pub struct Sender<T> {
    value: watch::Sender<T>,
    // Dropped after the value, so that who is woken by the drop sees that the channel is closed.
    bell: Bell,
}

/// Sees the value.
#[derive(Debug)]
pub struct Receiver<T> {
    value: watch::Receiver<T>,
    bell: Arc<Notify>,
}

/// Rings when the value changed, and when a sender goes.
#[derive(Clone, Debug)]
struct Bell(Arc<Notify>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}

impl<T> Sender<T> {
    /// A value that nobody sees yet.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            value: watch::Sender::new(value),
            bell: Bell(Arc::default()),
        }
    }

    /// Sets the value.
    ///
    /// # Errors
    /// If there is no receiver; the value is not set then.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.value.send(value)?;
        self.bell.0.notify_waiters();
        Ok(())
    }

    /// Sets the value, seen or not, and gives back the one before.
    pub fn send_replace(&self, value: T) -> T {
        let before = self.value.send_replace(value);
        self.bell.0.notify_waiters();
        before
    }

    /// Changes the value, and wakes who waits if `modify` says that it did.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let modified = self.value.send_if_modified(modify);
        if modified {
            self.bell.0.notify_waiters();
        }
        modified
    }

    /// The value. Keep the borrow short: it holds a lock.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.value.borrow()
    }

    /// One who sees the value from now on.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver {
            value: self.value.subscribe(),
            bell: Arc::clone(&self.bell.0),
        }
    }
}

impl<T> Receiver<T> {
    /// The value. Keep the borrow short: it holds a lock.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.value.borrow()
    }

    /// The value, which counts as seen from now on.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.value.borrow_and_update()
    }

    /// Waits for a value that was not seen yet.
    ///
    /// # Errors
    /// If there is none, and no sender is left.
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        loop {
            // Listens before it looks: a change in between rings.
            let mut ring = pin!(self.bell.notified());
            ring.as_mut().enable();
            // Unconstrained: tokio would otherwise say `not yet` to a task that has had its turn.
            if let Some(changed) = unconstrained(self.value.changed()).now_or_never() {
                return changed;
            }
            ring.await;
        }
    }

    /// Waits for a value that fits, which may be the one that is there.
    ///
    /// # Errors
    /// If the value does not fit and no sender is left.
    pub async fn wait_for(
        &mut self,
        mut fits: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, RecvError> {
        self.value.mark_unchanged();
        let mut later = self.clone();
        loop {
            // What was looked at is what is given back: another thread may change it right after.
            {
                let value = self.value.borrow();
                if fits(&value) {
                    return Ok(value);
                }
            }
            later.changed().await?;
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            bell: self.bell.clone(),
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            bell: Arc::clone(&self.bell),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken_in_the_order_of_waiting() {
        let sender = Sender::new(0);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let waiting: Vec<_> = (0..50)
            .map(|place| {
                let (mut value, woken) = (sender.subscribe(), Arc::clone(&woken));
                tokio::spawn(async move {
                    value.changed().await.unwrap();
                    woken.lock().unwrap().push(place);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        sender.send_replace(1);
        for task in waiting {
            task.await.unwrap();
        }
        let in_order: Vec<_> = (0..50).collect();
        assert_eq!(*woken.lock().unwrap(), in_order);
    }

    #[tokio::test]
    async fn the_last_value_is_still_seen_when_the_last_sender_goes() {
        let sender = Sender::new(0);
        let mut value = sender.subscribe();
        sender.send(1).unwrap();
        drop(sender);
        value.changed().await.unwrap();
        assert!(value.changed().await.is_err());
        assert!(value.wait_for(|value| *value == 2).await.is_err());
        assert_eq!(*value.wait_for(|value| *value == 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn who_waits_hears_that_the_last_sender_goes() {
        let sender = Sender::new(0);
        let mut value = sender.subscribe();
        let waiting = tokio::spawn(async move { value.changed().await.is_err() });
        tokio::task::yield_now().await;
        let clone = sender.clone();
        drop(sender);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "a clone is left");
        drop(clone);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_waited_for_is_what_is_given_back_whatever_changes_meanwhile() {
        let sender = Sender::new(None);
        let mut value = sender.subscribe();
        let flickering = std::thread::spawn(move || {
            for count in 0..200_000_u32 {
                sender.send_replace(Some(count));
                sender.send_replace(None);
            }
        });
        let mut found = 0_u64;
        while let Ok(some) = value.wait_for(Option::is_some).await {
            assert!(some.is_some());
            found = found.saturating_add(1);
        }
        flickering.join().unwrap();
        assert!(found > 0);
    }

    #[tokio::test]
    async fn a_task_that_has_had_its_turn_misses_no_change() {
        let sender = Sender::new(0_u64);
        let mut value = sender.subscribe();
        let looking = tokio::spawn(async move {
            // More changes than tokio lets one task see in one go.
            for _ in 0..1000 {
                value.changed().await.unwrap();
            }
        });
        while !looking.is_finished() {
            sender.send_if_modified(|value| {
                *value = value.wrapping_add(1);
                true
            });
            tokio::task::yield_now().await;
        }
        looking.await.unwrap();
    }
}
