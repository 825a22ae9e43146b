//! Secrets for tests: one in software that signs the same way each time, and one that behaves like
//! most HSMs and never does. Both can be held back, and fail, on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use p256::ecdsa::SigningKey;
use p256::elliptic_curve::ops::Reduce as _;
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::{FieldBytes, NonZeroScalar, ProjectivePoint, Scalar};
use raft_store::ledger::{Grant, Permit, Released, Signed};
use tezos::{Curve, Digest, PublicKey, SecretKey, Signature};
use tokio::sync::Semaphore;

use crate::keys::{SignFailure, Signer};

/// A secret of a test. Clones share everything but the secret of no one.
#[derive(Clone)]
pub(crate) struct TestSigner(Arc<Inner>);

struct Inner {
    secret: Secret,
    public_key: PublicKey,
    signed: AtomicUsize,
    fails: AtomicBool,
    gate: Semaphore,
}

enum Secret {
    Deterministic(SecretKey),
    Randomised(SigningKey),
}

/// More places than any test takes.
const OPEN: usize = 1 << 20;

impl TestSigner {
    /// A fresh key of `curve` that signs the same way each time.
    pub(crate) fn deterministic(curve: Curve) -> Self {
        let secret = SecretKey::generate(curve).unwrap();
        let public_key = secret.public_key().clone();
        Self::new(Secret::Deterministic(secret), public_key)
    }

    /// A fresh P-256 key with a random k for every signature, as in most HSMs.
    pub(crate) fn randomised() -> Self {
        let secret = SigningKey::from_slice(&random()).unwrap();
        let point = secret.verifying_key().to_sec1_point(true);
        let public_key = PublicKey::from_raw(Curve::P256, point.as_bytes()).unwrap();
        Self::new(Secret::Randomised(secret), public_key)
    }

    fn new(secret: Secret, public_key: PublicKey) -> Self {
        let gate = Semaphore::new(OPEN);
        let (signed, fails) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self(Arc::new(Inner {
            secret,
            public_key,
            signed,
            fails,
            gate,
        }))
    }

    /// The same secret, as a node's keyring takes it.
    pub(crate) fn shared(&self) -> Arc<dyn Signer> {
        Arc::new(self.clone())
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.0.public_key.clone()
    }

    /// How many signatures were made.
    pub(crate) fn signed(&self) -> usize {
        self.0.signed.load(Ordering::SeqCst)
    }

    /// From now on it hangs, like an HSM whose cable was pulled.
    pub(crate) async fn hang(&self) {
        self.0
            .gate
            .acquire_many(u32::try_from(OPEN).unwrap())
            .await
            .unwrap()
            .forget();
    }

    /// What hangs goes on.
    pub(crate) fn resume(&self) {
        self.0.gate.add_permits(OPEN);
    }

    /// How many of the next signatures are made and then lost: whether all of them are.
    pub(crate) fn fail(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::SeqCst);
    }
}

impl Inner {
    async fn sign(&self, message: &[u8]) -> Result<Signature, SignFailure> {
        let _through = self.gate.acquire().await.unwrap();
        self.signed.fetch_add(1, Ordering::SeqCst);
        let signature = match &self.secret {
            Secret::Deterministic(secret) => secret.sign(message),
            Secret::Randomised(secret) => sign_with_random_k(secret, message),
        };
        if self.fails.load(Ordering::SeqCst) {
            let what = "the session is lost".to_owned();
            return Err(SignFailure::Backend {
                key: self.public_key.hash(),
                what,
            });
        }
        Ok(signature)
    }
}

impl Signer for TestSigner {
    fn sign(&self, grant: Grant) -> BoxFuture<'static, Result<Signed, SignFailure>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let signature = inner.sign(grant.message()).await?;
            let key = inner.public_key.hash();
            grant
                .seal(signature)
                .map_err(|_wrong| SignFailure::WrongSignature { key })
        })
    }

    fn permit(&self, permit: Permit) -> BoxFuture<'static, Result<Released, SignFailure>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let key = inner.public_key.hash();
            let signature = match &inner.secret {
                Secret::Deterministic(secret) if permit.is_possession() => {
                    secret.prove_possession(permit.message()).unwrap()
                }
                Secret::Deterministic(_) | Secret::Randomised(_) => {
                    inner.sign(permit.message()).await?
                }
            };
            permit
                .seal(signature)
                .map_err(|_wrong| SignFailure::WrongSignature { key })
        })
    }

    fn deterministic(&self) -> bool {
        matches!(self.0.secret, Secret::Deterministic(_))
    }

    fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }
}

/// Textbook ECDSA with a fresh k. Not for production: that is the point.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic in a field does not overflow"
)]
fn sign_with_random_k(secret: &SigningKey, message: &[u8]) -> Signature {
    let z = Scalar::reduce(&FieldBytes::from(*Digest::of(message).as_bytes()));
    let k = *p256::SecretKey::from_slice(&random())
        .unwrap()
        .to_nonzero_scalar();
    let r = Scalar::reduce(&(ProjectivePoint::GENERATOR * k).to_affine().x());
    let d: &NonZeroScalar = secret.as_nonzero_scalar();
    let s = k.invert().unwrap() * (z + r * d.as_ref());
    let signature = p256::ecdsa::Signature::from_scalars(r, s).unwrap();
    Signature::from_raw(Curve::P256, &signature.to_bytes()).unwrap()
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
