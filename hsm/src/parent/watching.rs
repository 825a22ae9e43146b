//! One module, watched and healed for as long as the node runs.
//!
//! ```text
//!           ┌────────────── trouble of the session: open again, same process ──────┐
//!  fresh process ─► token ─► PIN ─► keys ─► signs, is checked once a second ───────┤
//!           ▲                 │                                                    │
//!           │                 └─ refused: waits for another PIN                    │
//!           └── any other trouble: the process is killed; again after a pause ◄────┘
//! ```

use std::mem;
use std::sync::{Arc, mpsc as answers};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connection::here_or_afresh;
use super::live::Live;
use super::memory::Memory;
use super::process::Process;
use super::standing::{Refused, Remembered, Standing};
use super::{Hold, PinGuard as _, Place};
use crate::wire::at_once;
use crate::{Token, Trouble, TroubleKind};

/// How often a module that nobody asks is checked.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// A session that comes back within this time was never gone, as far as leadership is concerned.
const GRACE: Duration = Duration::from_millis(300);

/// The pause after a connection that failed, doubled each time up to the longest one. The first
/// ones are well within the grace.
const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often the source of a PIN that was refused is read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the watching task is told.
#[derive(Debug)]
pub(super) enum Order {
    /// The connection of this number is in trouble.
    Heal(u64, Trouble),
    /// An operator wants a look, and to hear when what came of it is told.
    Retry(answers::Sender<()>),
}

/// The task that keeps one connection.
pub(super) struct Watching {
    place: Arc<Place>,
    memory: Arc<Memory>,
    remembered: Remembered,
    told: watch::Sender<Standing>,
    current: watch::Sender<Option<Arc<Live>>>,
    given: mpsc::UnboundedReceiver<Order>,
    number: u64,
    /// When the last trouble is told, if that was not yet done, and what it is.
    tell_at: Instant,
    last: Trouble,
    /// Who hears when it is told how the token stands now.
    waiting: Vec<answers::Sender<()>>,
}

impl Watching {
    pub(super) fn new(
        place: Arc<Place>,
        memory: Arc<Memory>,
        told: watch::Sender<Standing>,
        current: watch::Sender<Option<Arc<Live>>>,
        given: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        Self {
            remembered: Remembered::of(&place.keys),
            place,
            memory,
            told,
            current,
            given,
            number: 0,
            tell_at: Instant::now(),
            last: Trouble::new(TroubleKind::Process, "the module is being loaded"),
            waiting: Vec::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut pause = PAUSE;
        let mut process = None;
        loop {
            let trouble = match self.connect(process.take()).await {
                Ok((live, refused)) => {
                    pause = PAUSE;
                    process = self.hold(live, refused).await;
                    continue;
                }
                Err(trouble) => trouble,
            };
            self.last.clone_from(&trouble);
            if trouble.is_about_the_pin() {
                if self.fail(&trouble) {
                    tracing::error!(module = %self.name(), %trouble, "cannot sign");
                }
                self.answer();
                self.another_pin().await;
                continue;
            }
            if Instant::now() >= self.tell_at {
                if self.fail(&trouble) {
                    tracing::warn!(module = %self.name(), %trouble, "cannot sign; trying again");
                }
                self.answer();
            }
            // An operator's word shortens the pause.
            drop(timeout(pause, self.retry()).await);
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    /// Lets a connection sign until it is in trouble; its process, if that may yet be of use.
    async fn hold(&mut self, live: Live, refused: Vec<Refused>) -> Option<Arc<Process>> {
        let live = Arc::new(live);
        self.tell(&live, refused);
        let trouble = self.watch(&live).await;
        self.current.send_replace(None);
        live.turns.close();
        let now = Instant::now();
        self.tell_at = now.checked_add(GRACE).unwrap_or(now);
        self.last.clone_from(&trouble);
        tracing::warn!(module = %self.name(), %trouble, "the token is opened again");
        if trouble.kind == TroubleKind::Session {
            return Some(Arc::clone(&live.process));
        }
        live.process.kill();
        // A hang has used up the time of a request already.
        if trouble.kind == TroubleKind::Late {
            self.fail(&trouble);
        }
        None
    }

    /// Connects, in `process` or a fresh one. Leadership is told if that takes longer than a moment.
    async fn connect(
        &mut self,
        process: Option<Arc<Process>>,
    ) -> Result<(Live, Vec<Refused>), Trouble> {
        let (place, memory) = (Arc::clone(&self.place), Arc::clone(&self.memory));
        let mut connecting = Box::pin(here_or_afresh(process, place, memory));
        let connected = match timeout_at(self.tell_at, &mut connecting).await {
            Ok(connected) => connected,
            Err(_elapsed) => {
                self.fail(&self.last);
                connecting.await
            }
        };
        let (process, token, found) = connected?;
        let (keys, refused) = self.remembered.sort(found);
        self.number = self.number.saturating_add(1);
        let live = Live {
            number: self.number,
            process,
            token,
            keys,
            turns: Arc::new(Semaphore::new(at_once(self.place.sessions))),
        };
        Ok((live, refused))
    }

    /// Watches a connection until it is in trouble.
    async fn watch(&mut self, live: &Live) -> Trouble {
        let within = self.place.within.sign;
        loop {
            // Orders are heard while a check is under way: it may hang.
            let mut check = std::pin::pin!(async {
                sleep(CHECK_EVERY).await;
                live.check(within).await
            });
            loop {
                tokio::select! {
                    order = self.given.recv() => match order {
                        Some(Order::Heal(about, trouble)) if about == live.number => return trouble,
                        // About an earlier connection.
                        Some(Order::Heal(..)) => {}
                        Some(Order::Retry(done)) => match self.may_log_in(&live.token).await {
                            Ok(()) => {
                                self.waiting.push(done);
                                let what = "an operator asked for a look";
                                return Trouble::new(TroubleKind::Session, what);
                            }
                            // To open it again would be to wait without signing.
                            Err(who) => {
                                tracing::warn!(
                                    module = %self.name(),
                                    "not opened again while {who} logs in to the token; it signs on"
                                );
                                done.send(()).ok();
                            }
                        },
                        None => std::future::pending().await,
                    },
                    checked = &mut check => match checked {
                        Ok(()) => break,
                        Err(trouble) => return trouble,
                    },
                }
            }
        }
    }

    /// Whether nobody else is logging in to the token just now.
    async fn may_log_in(&self, token: &Token) -> Result<(), String> {
        let (memory, token) = (Arc::clone(&self.memory), token.clone());
        let held = tokio::task::spawn_blocking(move || memory.hold(&token)).await;
        match held.map_err(|ended| ended.to_string()).flatten()? {
            Hold::Here(_free) => Ok(()),
            Hold::Elsewhere(who) => Err(who),
        }
    }

    fn tell(&mut self, live: &Arc<Live>, refused: Vec<Refused>) {
        for refused in &refused {
            tracing::error!(
                module = %self.name(), key = %refused.name, why = refused.why,
                "a key is refused; the others go on"
            );
        }
        tracing::info!(
            module = %self.name(), token = live.token.label, serial = live.token.serial,
            keys = live.keys.len(), "the token is open"
        );
        let keys = live.keys.values();
        let keys = keys.map(|key| (key.public_key.hash(), key.public_key.clone()));
        let now = Standing {
            token: Some(live.token.clone()),
            keys: keys.collect(),
            refused,
            trouble: None,
        };
        self.current.send_replace(Some(Arc::clone(live)));
        self.told.send_if_modified(|standing| {
            let changed = *standing != now;
            *standing = now;
            changed
        });
        self.answer();
    }

    /// Whoever wanted a look has had it.
    fn answer(&mut self) {
        for done in mem::take(&mut self.waiting) {
            done.send(()).ok();
        }
    }

    /// Says that nothing can be signed now; whether that is news.
    fn fail(&self, trouble: &Trouble) -> bool {
        self.told.send_if_modified(|standing| {
            let news = standing.trouble.as_ref() != Some(trouble);
            standing.keys.clear();
            standing.trouble = Some(trouble.clone());
            news
        })
    }

    /// Waits for another PIN than the one that was refused, or for an operator's word.
    async fn another_pin(&mut self) {
        while timeout(LOOK_EVERY, self.retry()).await.is_err() {
            let memory = Arc::clone(&self.memory);
            let look = tokio::task::spawn_blocking(move || memory.has_news());
            if look.await.unwrap_or_default() {
                return;
            }
        }
    }

    async fn retry(&mut self) {
        loop {
            match self.given.recv().await {
                Some(Order::Retry(done)) => return self.waiting.push(done),
                Some(Order::Heal(..)) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn name(&self) -> String {
        format!("{} ({})", self.place.module.display(), self.place.token)
    }
}
