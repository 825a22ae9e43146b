//! One module, watched and healed for as long as the node runs.
//!
//! ```text
//!           ┌────────────── trouble of the session: open again, same process ──────┐
//!  fresh process ─► token ─► PIN ─► keys ─► signs, is checked once a second ───────┤
//!           ▲                 │                                                    │
//!           │                 └─ refused: waits for another PIN                    │
//!           └── any other trouble: the process is killed; again after a pause ◄────┘
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tezos::{Curve, PublicKeyHash, Signature};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connection::{connect, unfitting};
use super::process::Process;
use super::standing::{Remembered, Standing};
use super::{Place, SharedGuard};
use crate::wire::{Ask, Key, Said, Token};
use crate::{Pin, Trouble, TroubleKind, curve};

/// How often a module that nobody asks is checked.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// A session that comes back within this time was never gone, as far as leadership is concerned.
const GRACE: Duration = Duration::from_millis(300);

/// The pause after a connection that failed, doubled each time up to the longest one.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often the source of a PIN that was refused is read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One module. Dropping the last handle ends its process.
#[derive(Debug)]
pub struct Module {
    place: Arc<Place>,
    guard: SharedGuard,
    standing: watch::Receiver<Standing>,
    live: watch::Receiver<Option<Arc<Live>>>,
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<()>,
}

/// A connection that signs.
#[derive(Debug)]
struct Live {
    number: u64,
    process: Arc<Process>,
    token: Token,
    keys: BTreeMap<PublicKeyHash, Key>,
}

/// What the watching task is told.
#[derive(Debug)]
enum Order {
    /// The connection of this number is in trouble.
    Heal(u64, Trouble),
    /// An operator wants a try.
    Retry,
}

impl Module {
    /// Starts and watches a module. Needs a running tokio runtime.
    #[must_use]
    pub fn start(place: Place, guard: SharedGuard) -> Self {
        let place = Arc::new(place);
        let connecting = Trouble::new(TroubleKind::Process, "the module is being loaded");
        let (told, standing) = watch::channel(Standing {
            trouble: Some(connecting),
            ..Standing::default()
        });
        let (current, live) = watch::channel(None);
        let (orders, given) = mpsc::unbounded_channel();
        let watching = Watching {
            remembered: Remembered::of(&place.keys),
            place: Arc::clone(&place),
            guard: Arc::clone(&guard),
            told,
            current,
            given,
            number: 0,
            pin: None,
        };
        Self {
            place,
            guard,
            standing,
            live,
            orders,
            task: tokio::spawn(watching.run()),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// How it stands, and every change of that.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Signs a digest. A session that was lost is opened again and the digest is signed again, so
    /// more than one signature of it may have been made when this returns one: whoever calls must
    /// release only one of them, ever.
    ///
    /// # Errors
    /// If it was not signed within the time for one signature.
    pub async fn sign(&self, key: PublicKeyHash, digest: [u8; 32]) -> Result<Signature, Trouble> {
        let now = Instant::now();
        let by = now.checked_add(self.place.within.sign).unwrap_or(now);
        let mut after = None;
        loop {
            let live = self.connection(after, by).await?;
            let Some(found) = live.keys.get(&key) else {
                return Err(Trouble::unfit(format!("the token does not hold {key}")));
            };
            let left = by.saturating_duration_since(Instant::now());
            let trouble = match sign(&live, found, &digest, left).await {
                Ok(signature) => return Ok(signature),
                Err(trouble) => trouble,
            };
            self.heal(live.number, trouble.clone());
            if Instant::now() >= by || after.is_some() {
                return Err(trouble);
            }
            after = Some(live.number);
        }
    }

    /// Says that the last signature was wrong: the process is replaced, and each key proves itself
    /// before it signs again.
    pub fn suspect(&self, key: PublicKeyHash) {
        let number = self.live.borrow().as_ref().map(|live| live.number);
        let what = format!("the token made a signature that {key} does not verify");
        self.heal(
            number.unwrap_or_default(),
            Trouble::new(TroubleKind::Device, what),
        );
    }

    /// Tries again at once, with a PIN that was refused too: an operator says that it is right now.
    ///
    /// # Errors
    /// If what was remembered cannot be forgotten.
    pub fn retry(&self) -> Result<(), String> {
        self.guard.forgive()?;
        self.orders.send(Order::Retry).ok();
        Ok(())
    }

    /// Looks for keys again, also for ones that came since, in the same process.
    pub fn look_again(&self) {
        let number = self.live.borrow().as_ref().map(|live| live.number);
        let what = "an operator has its keys looked for again";
        self.heal(
            number.unwrap_or_default(),
            Trouble::new(TroubleKind::Session, what),
        );
    }

    fn heal(&self, number: u64, trouble: Trouble) {
        // The task ends only with this handle.
        self.orders.send(Order::Heal(number, trouble)).ok();
    }

    /// A connection that is newer than `after`.
    async fn connection(&self, after: Option<u64>, by: Instant) -> Result<Arc<Live>, Trouble> {
        let mut live = self.live.clone();
        let mut standing = self.standing.clone();
        let fits = |live: &Option<Arc<Live>>| {
            live.as_ref()
                .is_some_and(|live| after.is_none_or(|after| live.number > after))
        };
        let troubled = async {
            let told = standing
                .wait_for(|standing| standing.trouble.is_some())
                .await;
            told.ok().and_then(|standing| standing.trouble.clone())
        };
        let found = timeout_at(by, async {
            tokio::select! {
                biased;
                found = live.wait_for(fits) => found.ok().and_then(|live| live.clone()).ok_or(None),
                trouble = troubled => Err(trouble),
            }
        });
        match found.await {
            Ok(Ok(live)) => Ok(live),
            Ok(Err(Some(trouble))) => Err(trouble),
            Ok(Err(None)) => Err(Trouble::new(TroubleKind::Process, "this node is ending")),
            Err(_elapsed) => Err(Trouble::new(
                TroubleKind::Process,
                "the token is being opened again",
            )),
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn sign(
    live: &Live,
    key: &Key,
    digest: &[u8],
    within: Duration,
) -> Result<Signature, Trouble> {
    let ask = Ask::Sign { key: key.number };
    let curve: Curve = key.public_key.curve();
    match live.process.ask(ask, digest, within).await? {
        (Said::Signed, bytes) => curve::signature(curve, &bytes),
        (other, _) => Err(unfitting(&other)),
    }
}

/// The task that keeps one connection.
struct Watching {
    place: Arc<Place>,
    guard: SharedGuard,
    remembered: Remembered,
    told: watch::Sender<Standing>,
    current: watch::Sender<Option<Arc<Live>>>,
    given: mpsc::UnboundedReceiver<Order>,
    number: u64,
    /// What the source of the PIN held before the last connection was tried.
    pin: Option<Pin>,
}

impl Watching {
    async fn run(mut self) {
        let mut pause = PAUSE;
        let mut process = None;
        loop {
            let trouble = match self.connect(process.take()).await {
                Ok(live) => {
                    pause = PAUSE;
                    let (number, held) = (live.number, Arc::clone(&live.process));
                    self.tell(live);
                    let trouble = self.watch(number, &held).await;
                    self.current.send_replace(None);
                    tracing::warn!(module = %self.name(), %trouble, "the token is opened again");
                    if trouble.kind == TroubleKind::Session {
                        process = Some(held);
                    } else {
                        held.kill();
                    }
                    // A hang has used up the time of a request already.
                    if trouble.kind == TroubleKind::Late {
                        self.fail(&trouble);
                    }
                    continue;
                }
                Err(trouble) => trouble,
            };
            let news = self.fail(&trouble);
            if trouble.is_about_the_pin() {
                if news {
                    tracing::error!(module = %self.name(), %trouble, "cannot sign");
                }
                self.another_pin().await;
                continue;
            }
            if news {
                tracing::warn!(module = %self.name(), %trouble, "cannot sign; trying again");
            }
            // An operator's word shortens the pause.
            drop(timeout(pause, self.retry()).await);
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    /// Connects, in `process` or a fresh one. Leadership is told if that takes longer than a moment.
    async fn connect(&mut self, process: Option<Arc<Process>>) -> Result<Live, Trouble> {
        self.pin = self.read_pin().await;
        let (place, guard) = (Arc::clone(&self.place), Arc::clone(&self.guard));
        let mut connecting = Box::pin(async move {
            let mut process = process;
            loop {
                let again = process.is_some();
                let held = match process.take() {
                    Some(held) => held,
                    None => Arc::new(Process::start(&place.launch).await?),
                };
                match connect(&held, &place, &guard).await {
                    Ok((token, found)) => return Ok((held, token, found)),
                    // What does not heal in the old process may in a fresh one.
                    Err(trouble) if again && !trouble.is_about_the_pin() => held.kill(),
                    Err(trouble) => {
                        held.kill();
                        return Err(trouble);
                    }
                }
            }
        });
        let connected = match timeout(GRACE, &mut connecting).await {
            Ok(connected) => connected,
            Err(_elapsed) => {
                let what = "the token is being opened";
                self.fail(&Trouble::new(TroubleKind::Process, what));
                connecting.await
            }
        };
        let (process, token, found) = connected?;
        let (keys, refused) = self.remembered.sort(found);
        for refused in &refused {
            tracing::error!(
                module = %self.name(), key = %refused.name, why = refused.why,
                "a key is refused; the others go on"
            );
        }
        self.told.send_if_modified(|standing| {
            let changed = standing.refused != refused;
            standing.refused = refused;
            changed
        });
        self.number = self.number.saturating_add(1);
        Ok(Live {
            number: self.number,
            process,
            token,
            keys,
        })
    }

    /// Watches a connection until it is in trouble.
    async fn watch(&mut self, number: u64, process: &Process) -> Trouble {
        loop {
            tokio::select! {
                order = self.given.recv() => match order {
                    Some(Order::Heal(about, trouble)) if about == number => return trouble,
                    // About an earlier connection, or a wish that is fulfilled.
                    Some(Order::Heal(..) | Order::Retry) => {}
                    None => std::future::pending().await,
                },
                () = sleep(CHECK_EVERY) => {
                    let checked = process.ask(Ask::Check, &[], self.place.within.sign).await;
                    if let Err(trouble) = checked {
                        return trouble;
                    }
                }
            }
        }
    }

    fn tell(&self, live: Live) {
        let keys = live.keys.values();
        let keys = keys.map(|key| (key.public_key.hash(), key.public_key.clone()));
        let (keys, token) = (keys.collect(), Some(live.token.clone()));
        tracing::info!(
            module = %self.name(), token = live.token.label, serial = live.token.serial,
            keys = live.keys.len(), "the token is open"
        );
        self.current.send_replace(Some(Arc::new(live)));
        self.told.send_if_modified(|standing| {
            let now = Standing {
                token,
                keys,
                refused: std::mem::take(&mut standing.refused),
                trouble: None,
            };
            let changed = *standing != now;
            *standing = now;
            changed
        });
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

    /// Waits until the source has another PIN than the one that was refused, or an operator says
    /// that it is worth a try.
    async fn another_pin(&mut self) {
        loop {
            if timeout(LOOK_EVERY, self.retry()).await.is_ok() {
                return;
            }
            let now = self.read_pin().await;
            if now.is_some() && now != self.pin {
                return;
            }
        }
    }

    async fn read_pin(&self) -> Option<Pin> {
        let guard = Arc::clone(&self.guard);
        let read = tokio::task::spawn_blocking(move || guard.read().ok());
        read.await.ok().flatten()
    }

    async fn retry(&mut self) {
        loop {
            match self.given.recv().await {
                Some(Order::Retry) => return,
                Some(Order::Heal(..)) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn name(&self) -> String {
        format!("{} ({})", self.place.module.display(), self.place.token)
    }
}
