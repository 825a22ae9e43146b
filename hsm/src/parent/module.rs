//! One module, as the rest of the node has it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as answers};

use tezos::{PublicKeyHash, Signature};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::live::Live;
use super::memory::Memory;
use super::standing::Standing;
use super::watching::{Order, Watching};
use super::{PinGuard as _, Place, SharedGuard};
use crate::{Trouble, TroubleKind};

/// How often one request is tried. Each try may have signed.
const TRIES: usize = 3;

/// A request that had this much of its time for the module alone tells whether the module hangs.
const NEARLY: f64 = 0.9;

/// One module. Dropping the last handle ends its process.
#[derive(Debug)]
pub struct Module {
    place: Arc<Place>,
    memory: Arc<Memory>,
    standing: watch::Receiver<Standing>,
    live: watch::Receiver<Option<Arc<Live>>>,
    orders: mpsc::UnboundedSender<Order>,
    /// The connection that made the last signature of each key.
    signed: Mutex<BTreeMap<PublicKeyHash, u64>>,
    task: JoinHandle<()>,
}

impl Module {
    /// Starts and watches a module. Needs a running tokio runtime.
    #[must_use]
    pub fn start(place: Place, guard: SharedGuard) -> Self {
        let (place, memory) = (Arc::new(place), Arc::new(Memory::of(guard)));
        let connecting = Trouble::new(TroubleKind::Process, "the module is being loaded");
        let (told, standing) = watch::channel(Standing {
            trouble: Some(connecting),
            ..Standing::default()
        });
        let (current, live) = watch::channel(None);
        let (orders, given) = mpsc::unbounded_channel();
        let watching = Watching::new(
            Arc::clone(&place),
            Arc::clone(&memory),
            told,
            current,
            given,
        );
        Self {
            place,
            memory,
            standing,
            live,
            orders,
            signed: Mutex::default(),
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
        let mut tries = TRIES;
        loop {
            let live = self.connection(after, by).await?;
            let Some(found) = live.keys.get(&key) else {
                return Err(Trouble::unfit(format!("the token does not hold {key}")));
            };
            after = Some(live.number);
            let turn = match timeout_at(by, Arc::clone(&live.turns).acquire_owned()).await {
                Ok(Ok(turn)) => turn,
                // The connection got into trouble meanwhile.
                Ok(Err(_closed)) => continue,
                Err(_elapsed) => return Err(busy()),
            };
            // Whoever waited for a turn has less time left than a signature may take: the module
            // hangs only if it does not use that either, which the check notices.
            let (left, full) = (
                by.saturating_duration_since(Instant::now()),
                self.place.within.sign,
            );
            let within = if left < full.mul_f64(NEARLY) {
                full
            } else {
                left
            };
            let trouble = match timeout_at(by, live.sign(found, &digest, within, turn)).await {
                Ok(Ok(signature)) => {
                    self.signed().insert(key, live.number);
                    return Ok(signature);
                }
                Ok(Err(trouble)) => trouble,
                Err(_elapsed) => match live.process.overdue() {
                    Some(trouble) => trouble,
                    None => return Err(busy()),
                },
            };
            self.heal(live.number, trouble.clone());
            tries = tries.saturating_sub(1);
            if Instant::now() >= by || tries == 0 {
                return Err(trouble);
            }
        }
    }

    /// Says that the last signature was wrong: the process that made it is replaced, unless that was
    /// done, and each key proves itself before it signs again.
    pub fn suspect(&self, key: PublicKeyHash) {
        let number = self.signed().get(&key).copied();
        let now = || self.live.borrow().as_ref().map(|live| live.number);
        let number = number.or_else(now);
        let what = format!("the token made a signature that {key} does not verify");
        self.heal(
            number.unwrap_or_default(),
            Trouble::new(TroubleKind::Device, what),
        );
    }

    /// Looks again at once: for a PIN that was refused and is right now, or a key that is new. An
    /// operator says that it is worth a try. The answer is as that of [`Self::look_again`].
    ///
    /// # Errors
    /// If what was remembered cannot be forgotten.
    pub fn retry(&self) -> Result<answers::Receiver<()>, String> {
        self.forgive()?;
        Ok(self.look_again())
    }

    /// Forgets that a PIN was refused; it is tried at the next look.
    ///
    /// # Errors
    /// If what was remembered cannot be forgotten.
    pub fn forgive(&self) -> Result<(), String> {
        self.memory.forgive()
    }

    /// Looks for keys again, also for ones that came since: the token is opened again, and requests wait
    /// for that. One that another process logs in to just now is left open as it is. Once
    /// [`Self::standing`] says what came of it, something is received.
    pub fn look_again(&self) -> answers::Receiver<()> {
        let (done, told) = answers::channel();
        // The task ends only with this handle.
        self.orders.send(Order::Retry(done)).ok();
        told
    }

    fn signed(&self) -> MutexGuard<'_, BTreeMap<PublicKeyHash, u64>> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heal(&self, number: u64, trouble: Trouble) {
        // The task ends only with this handle.
        self.orders.send(Order::Heal(number, trouble)).ok();
    }

    /// A connection that is newer than `after`. A request that comes while there is trouble is
    /// refused at once, so that another node can sign it. One that met the trouble may have been
    /// signed already: it stays, for as long as it has time.
    async fn connection(&self, after: Option<u64>, by: Instant) -> Result<Arc<Live>, Trouble> {
        let mut live = self.live.clone();
        let mut standing = self.standing.clone();
        let fits = |live: &Option<Arc<Live>>| {
            live.as_ref()
                .is_some_and(|live| after.is_none_or(|after| live.number > after))
        };
        let hopeless = |standing: &Standing| {
            let trouble = standing.trouble.as_ref();
            trouble.is_some_and(|trouble| after.is_none() || trouble.is_about_the_pin())
        };
        let found = timeout_at(by, async {
            tokio::select! {
                biased;
                found = live.wait_for(fits) => found.ok().and_then(|live| live.clone()),
                _ = standing.wait_for(hopeless) => None,
            }
        });
        if let Ok(Some(live)) = found.await {
            return Ok(live);
        }
        let trouble = self.standing.borrow().trouble.clone();
        Err(trouble.unwrap_or_else(|| {
            Trouble::new(TroubleKind::Process, "the token is being opened again")
        }))
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The token signs, for others, and is not to be replaced for that.
fn busy() -> Trouble {
    let what = "the token was busy with other requests for as long as this one could wait";
    Trouble::new(TroubleKind::Late, what)
}
