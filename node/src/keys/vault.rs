//! Opens the sealed files of one `[[keys]]`: at the start, when an operator asks, and until the token
//! is there. The process that holds its module ends as soon as they are open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc as answers};
use std::time::Duration;

use hsm::parent::{Ceremony, Memory, PinGuard as _, Place, SharedGuard};
use hsm::{Pin, Trouble, TroubleKind};
use tezos::PublicKeyHash;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Signer;
use super::file::FileSigner;
use super::pin::PinSource;
use super::sealed::{self, Sealed};

/// The pause after a token that could not be opened, doubled each time up to the longest one.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often the source of a PIN that was refused is read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How soon files that did not open are tried again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What is open, and what is not.
#[derive(Clone, Default)]
pub(super) struct Opened {
    /// The keys, in this process.
    pub(super) signers: BTreeMap<PublicKeyHash, Arc<dyn Signer>>,
    /// Why a file or all of them could not be opened, each by name.
    pub(super) troubles: Vec<String>,
}

/// One `[[keys]]` of sealed files. Dropping it ends the task.
pub(super) struct Vault {
    folder: PathBuf,
    guard: Arc<Memory>,
    opened: watch::Receiver<Opened>,
    orders: mpsc::UnboundedSender<answers::Sender<()>>,
    task: JoinHandle<()>,
}

/// What the task has.
struct Opening {
    folder: PathBuf,
    place: Place,
    guard: Arc<Memory>,
    opened: watch::Sender<Opened>,
    changes: watch::Sender<u64>,
    orders: mpsc::UnboundedReceiver<answers::Sender<()>>,
}

impl Vault {
    /// Starts opening. `changes` counts what changed in what this node can sign.
    pub(super) fn start(
        folder: &Path,
        place: Place,
        guard: PinSource,
        changes: watch::Sender<u64>,
    ) -> Self {
        // The token is opened again and again.
        let guard = Arc::new(Memory::of(Arc::new(guard)));
        let (orders, given) = mpsc::unbounded_channel();
        let (told, opened) = watch::channel(Opened {
            troubles: vec!["the sealed files are being opened".to_owned()],
            ..Opened::default()
        });
        let opening = Opening {
            folder: folder.to_owned(),
            place,
            guard: Arc::clone(&guard),
            opened: told,
            changes,
            orders: given,
        };
        Self {
            folder: folder.to_owned(),
            guard,
            opened,
            orders,
            task: tokio::spawn(opening.run()),
        }
    }

    /// What is open.
    pub(super) fn opened(&self) -> Opened {
        self.opened.borrow().clone()
    }

    /// Where the files are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Forgets that a PIN was refused: an operator says that it is worth a try.
    ///
    /// # Errors
    /// If what was remembered of it cannot be forgotten.
    pub(super) fn forgive(&self) -> Result<(), String> {
        self.guard.forgive()
    }

    /// Opens the files again. Something is received once that was tried.
    pub(super) fn look_again(&self) -> answers::Receiver<()> {
        let (done, told) = answers::channel();
        // The task ends only with this handle; and it goes on when nobody waits any more.
        self.orders.send(done).ok();
        told
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Opening {
    async fn run(mut self) {
        let mut pause = PAUSE;
        let mut waiting: Vec<answers::Sender<()>> = Vec::new();
        loop {
            let pin = self.read_pin().await;
            let opened = self.open().await;
            if let Err(trouble) = &opened
                && self.fail(trouble)
            {
                let folder = self.folder.display();
                match trouble.is_about_the_pin() {
                    true => tracing::error!(%folder, %trouble, "sealed keys stay closed"),
                    false => {
                        tracing::warn!(%folder, %trouble, "sealed keys stay closed; trying again");
                    }
                }
            }
            // Whoever waits finds how it went in what is told, whichever way.
            for done in waiting.drain(..) {
                done.send(()).ok();
            }
            let order = match opened {
                Ok(()) if self.opened.borrow().troubles.is_empty() => {
                    pause = PAUSE;
                    self.orders.recv().await
                }
                // Some tokens say of a passing weakness what they say of a wrong file.
                Ok(()) => {
                    pause = PAUSE;
                    let order = timeout(LOOK_AGAIN, self.orders.recv()).await;
                    order.unwrap_or_default()
                }
                Err(trouble) if trouble.is_about_the_pin() => self.another_pin(pin).await,
                Err(_trouble) => {
                    let order = timeout(pause, self.orders.recv()).await;
                    pause = pause.saturating_mul(2).min(PAUSE_MAX);
                    order.unwrap_or_default()
                }
            };
            waiting.extend(order);
        }
    }

    /// Opens every file. One that is wrong refuses its own key, and the others go on (R41).
    async fn open(&self) -> Result<(), Trouble> {
        let files =
            sealed::list(&self.folder).map_err(|fault| Trouble::unfit(fault.to_string()))?;
        let mut now = Opened::default();
        let before = self.opened.borrow().clone();
        // An empty folder needs no token: the node may start before its first key is sealed.
        if !files.is_empty() {
            let guard: SharedGuard = Arc::<Memory>::clone(&self.guard);
            let token = Ceremony::open(self.place.clone(), guard).await?;
            for path in files {
                match open_one(&token, &path).await? {
                    Ok(signer) => {
                        let key = signer.public_key().hash();
                        now.signers.insert(key, Arc::new(signer));
                    }
                    Err(why) => {
                        if !before.troubles.contains(&why) {
                            tracing::error!(
                                file = %path.display(), why,
                                "a sealed key is refused; the others go on"
                            );
                        }
                        now.troubles.push(why);
                        // What is open is in this process, and needs no token to stay so.
                        if let Ok(sealed) = Sealed::read(&path)
                            && let Some(open) = before.signers.get(&sealed.public_key.hash())
                        {
                            let key = sealed.public_key.hash();
                            now.signers.insert(key, Arc::clone(open));
                        }
                    }
                }
            }
            tracing::info!(
                folder = %self.folder.display(), keys = now.signers.len(), "sealed keys are open"
            );
        }
        self.tell(now);
        Ok(())
    }

    /// Tells what keeps the files closed, and whether that is news. What was open before stays open:
    /// it is in this process, and needs no token.
    fn fail(&self, trouble: &Trouble) -> bool {
        let mut now = self.opened.borrow().clone();
        let troubles = vec![trouble.what.clone()];
        let news = now.troubles != troubles;
        if news {
            now.troubles = troubles;
            self.tell(now);
        }
        news
    }

    fn tell(&self, now: Opened) {
        self.opened.send_replace(now);
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits until the source has another PIN than the one that was refused, or an operator asks.
    async fn another_pin(&mut self, refused: Option<Pin>) -> Option<answers::Sender<()>> {
        loop {
            if let Ok(order) = timeout(LOOK_EVERY, self.orders.recv()).await {
                return order;
            }
            let now = self.read_pin().await;
            if now.is_some() && now != refused {
                return None;
            }
        }
    }

    async fn read_pin(&self) -> Option<Pin> {
        let guard = Arc::clone(&self.guard);
        let read = tokio::task::spawn_blocking(move || guard.read().ok());
        read.await.ok().flatten()
    }
}

/// The outer error is the token's, the inner one that of this file.
async fn open_one(token: &Ceremony, path: &Path) -> Result<Result<FileSigner, String>, Trouble> {
    let sealed = match Sealed::read(path) {
        Ok(sealed) => sealed,
        Err(fault) => return Ok(Err(fault.to_string())),
    };
    match sealed.unseal(token).await {
        Ok(secret) => Ok(Ok(FileSigner::new(secret))),
        Err(trouble) if trouble.kind == TroubleKind::Unfit => Ok(Err(format!(
            "{} cannot be opened: {}",
            path.display(),
            trouble.what
        ))),
        Err(trouble) => Err(trouble),
    }
}
