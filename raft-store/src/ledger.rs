//! The ledger: turns what this node itself committed into permission to sign. It is the only file
//! in which a [`Grant`] or a [`Permit`] is built.
//!
//! **Invariant:** permission comes from the answer to this node's own committed entry, and from
//! nothing else: not from leadership, a lease, a metric or a clock. What is unknown is a failure,
//! never a refusal, and frees nothing (R5, R15).

mod outstanding;
mod propose;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tezos::payload::Consensus;
use tezos::{ChainId, Digest, Kind, PublicKey, PublicKeyHash, Signature, Slot};
use tokio::time::Instant;

use crate::command::{Act, Advance, Answer, Command, PermitAsked, Record, Refusal};
use crate::machine::{StateDisk, StateReader, StateRef};
use crate::policy::{Slotless, Slotted, Subject};
use crate::state::ReleaseMode;
use crate::types::{EntryId, Raft};
use outstanding::{Outstanding, Ticket};

/// Commits entries through this node, and mints permission from their answers. Cheap to clone.
pub struct Ledger<D: StateDisk> {
    raft: Raft<D>,
    reader: StateReader,
    outstanding: Arc<Outstanding>,
    clock: Clock,
}

/// A clock: seconds since 1970. It travels in entries for the jump rule only.
pub type Clock = fn() -> u64;

/// What a request for a message with a slot comes to.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "made and taken apart once a request"
)]
pub enum Decision {
    /// It may be signed, once.
    Grant(Grant),
    /// It was signed before: this is its signature.
    Replay(Released),
    /// It may not be signed.
    Refused(Refusal),
}

/// What a request for a message without a slot comes to.
#[derive(Debug)]
pub enum PermitDecision {
    /// It may be signed, once.
    Permit(Permit),
    /// It may not be signed.
    Refused(Refusal),
}

/// What releasing a signature comes to.
#[derive(Debug)]
pub enum Release {
    /// This signature may leave. It may be another node's, if that one was recorded first.
    Released(Released),
    /// Nothing may leave.
    Refused(Refusal),
}

/// Why there is no decision. Never a refusal: the entry may or may not be committed, now or later.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
pub enum Unavailable {
    /// This node does not lead; nothing was proposed.
    #[error("this node does not lead")]
    NotLeader {
        /// Who does, as far as this node knows.
        leader: Option<u64>,
    },
    /// This node lost the lead while the entry was on its way.
    #[error("this node lost the lead, and whether the entry is committed is unknown")]
    Deposed {
        /// Who leads now, as far as this node knows.
        leader: Option<u64>,
    },
    /// The deadline came first.
    #[error("no majority answered in time, and whether the entry is committed is unknown")]
    OutOfTime,
    /// This node's consensus has stopped; only a restart helps.
    #[error("this node has stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
}

/// Where a command was committed, and what applying it said.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Committed {
    /// The entry.
    pub entry: EntryId,
    /// What applying it said.
    pub answer: Answer,
}

/// The signature does not verify with the enrolled key. The grant is spent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the signature does not verify with {key}")]
pub struct WrongSignature {
    /// The key that should have signed.
    pub key: PublicKeyHash,
}

/// Permission to sign one message in one slot, once. The signer takes the message out of it.
///
/// Nobody else makes one: it has no public constructor and no default, and its fields are private.
///
/// ```compile_fail
/// fn forge(consensus: tezos::payload::Consensus) -> raft_store::ledger::Grant {
///     raft_store::ledger::Grant { consensus }
/// }
/// ```
///
/// It is spent by value, on failure too. What compiles is signing with it once:
///
/// ```
/// use raft_store::ledger::{Grant, Signed, WrongSignature};
/// fn once(grant: Grant, signature: tezos::Signature) -> Result<Signed, WrongSignature> {
///     grant.seal(signature)
/// }
/// ```
/// and what does not is signing with it twice:
/// ```compile_fail,E0382
/// use raft_store::ledger::{Grant, Signed, WrongSignature};
/// fn twice(grant: Grant, signature: tezos::Signature) -> Result<Signed, WrongSignature> {
///     let first = grant.seal(signature.clone());
///     grant.seal(signature)
/// }
/// ```
pub struct Grant {
    key: PublicKey,
    consensus: Consensus,
    release: ReleaseMode,
    ticket: Ticket,
}

/// Permission to sign one message that has no slot, once.
pub struct Permit {
    key: PublicKey,
    subject: Subject,
    ticket: Ticket,
}

/// A signed message on its way out: verified, not released.
pub struct Signed {
    grant: Grant,
    signature: Signature,
}

/// A signature that may leave this node.
pub struct Released {
    signature: Signature,
    ticket: Ticket,
}

impl<D: StateDisk> Ledger<D> {
    /// The ledger over `raft`, whose state machine `reader` looks at.
    #[must_use]
    pub fn new(raft: Raft<D>, reader: StateReader) -> Self {
        Self {
            raft,
            reader,
            outstanding: Arc::default(),
            clock: propose::unix_seconds,
        }
    }

    /// The same ledger by another clock, for a simulation.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Asks for a message with a slot. Returns once a majority has it on disk, or at `deadline`.
    ///
    /// # Errors
    /// [`Unavailable`]; nothing may be signed then.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else comes permits nothing"
    )]
    pub async fn advance(
        &self,
        allowed: Slotted,
        deadline: Instant,
    ) -> Result<Decision, Unavailable> {
        let Slotted { key, consensus } = allowed;
        let mut ticket = self.ticket();
        let advance = advance_of(&key, &consensus);
        let Committed { entry, answer } = self.commit(Act::Advance(advance), deadline).await?;
        ticket.settle(entry);
        match answer {
            Answer::Granted { digest, release } if digest == consensus.digest() => {
                Ok(Decision::Grant(Grant {
                    key,
                    consensus,
                    release,
                    ticket,
                }))
            }
            Answer::Replayed { digest, signature } if digest == consensus.digest() => {
                let released = verified(&key, consensus.message(), signature, ticket)?;
                Ok(Decision::Replay(released))
            }
            Answer::Refused(refusal) => Ok(Decision::Refused(refusal)),
            other => Err(unfitting(entry, &other)),
        }
    }

    /// Asks for a message without a slot. Returns once a majority has it on disk, or at `deadline`.
    ///
    /// # Errors
    /// [`Unavailable`]; nothing may be signed then.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else comes permits nothing"
    )]
    pub async fn permit(
        &self,
        allowed: Slotless,
        deadline: Instant,
    ) -> Result<PermitDecision, Unavailable> {
        let Slotless { key, subject } = allowed;
        let mut ticket = self.ticket();
        let (digest, what) = (subject.digest(), subject.permitted());
        let asked = PermitAsked {
            key: key.hash(),
            digest,
            what,
        };
        let Committed { entry, answer } = self.commit(Act::Permit(asked), deadline).await?;
        ticket.settle(entry);
        match answer {
            Answer::Permitted { digest: committed } if committed == digest => {
                Ok(PermitDecision::Permit(Permit {
                    key,
                    subject,
                    ticket,
                }))
            }
            Answer::Refused(refusal) => Ok(PermitDecision::Refused(refusal)),
            other => Err(unfitting(entry, &other)),
        }
    }

    /// Lets a signature go. For a key that releases after record, the signature is committed first
    /// and the one that was recorded first leaves, whoever made it.
    ///
    /// # Errors
    /// [`Unavailable`]; nothing may leave then.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else comes permits nothing"
    )]
    pub async fn release(&self, signed: Signed, deadline: Instant) -> Result<Release, Unavailable> {
        let Signed { grant, signature } = signed;
        let Grant {
            key,
            consensus,
            release,
            mut ticket,
        } = grant;
        match release {
            ReleaseMode::AfterCommit => {
                return Ok(Release::Released(Released { signature, ticket }));
            }
            ReleaseMode::AfterRecord => {}
        }
        let record = Record {
            advance: advance_of(&key, &consensus),
            signature: signature.clone(),
        };
        let Committed { entry, answer } = self.commit(Act::Record(record), deadline).await?;
        match answer {
            Answer::Recorded {
                digest,
                signature: winner,
            } if digest == consensus.digest() => {
                ticket.record(entry);
                if winner == signature {
                    return Ok(Release::Released(Released { signature, ticket }));
                }
                verified(&key, consensus.message(), winner, ticket).map(Release::Released)
            }
            Answer::Refused(refusal) => Ok(Release::Refused(refusal)),
            other => Err(unfitting(entry, &other)),
        }
    }

    /// Commits what an operator decided. Its first stage: from the entry it returns on, the command
    /// holds. Its second, drained, is when every node has applied that entry and
    /// [`outstanding`](Self::outstanding) names none before it.
    ///
    /// # Errors
    /// [`Unavailable`]. The command names a generation, so it can be repeated: it is applied once.
    pub async fn propose(
        &self,
        command: Command,
        deadline: Instant,
    ) -> Result<Committed, Unavailable> {
        self.commit(Act::Command(command), deadline).await
    }

    /// The applied state of this node.
    #[must_use]
    pub fn state(&self) -> StateRef<'_> {
        self.reader.state()
    }

    /// The lowest log index that a grant, a permit or a signature alive in this node may come from,
    /// requests that are still being committed included. None may come from before it.
    #[must_use]
    pub fn outstanding(&self) -> Option<u64> {
        self.outstanding.lowest()
    }

    /// A ticket is taken before proposing, so that no grant is ever on its way uncounted.
    fn ticket(&self) -> Ticket {
        let applied = self.state().applied().map_or(0, |id| id.index);
        Outstanding::take(&self.outstanding, applied.saturating_add(1))
    }
}

fn advance_of(key: &PublicKey, consensus: &Consensus) -> Advance {
    Advance {
        key: key.hash(),
        chain: consensus.chain(),
        kind: consensus.kind(),
        slot: consensus.slot(),
        digest: consensus.digest(),
    }
}

/// A recorded signature was verified before it was proposed; what does not verify now was damaged.
fn verified(
    key: &PublicKey,
    message: &[u8],
    signature: Signature,
    ticket: Ticket,
) -> Result<Released, Unavailable> {
    match key.verify(message, &signature) {
        Ok(_verified) => Ok(Released { signature, ticket }),
        Err(cause) => Err(Unavailable::Stopped {
            reason: format!(
                "the signature recorded for {} does not verify: {cause}",
                key.hash()
            ),
        }),
    }
}

/// The rule answers an act in its own words, so this is a fault of ours: nothing is signed on it.
fn unfitting(entry: EntryId, answer: &Answer) -> Unavailable {
    let reason = format!("entry {entry} was answered with {answer:?}, which does not fit it");
    Unavailable::Stopped { reason }
}

impl Grant {
    /// The bytes to sign. BLS signs the message itself; the other curves its BLAKE2b-256.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.consensus.message()
    }

    /// BLAKE2b-256 of the message.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.consensus.digest()
    }

    /// The enrolled key that is to sign.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// When the signature may leave.
    #[must_use]
    pub const fn release_mode(&self) -> ReleaseMode {
        self.release
    }

    /// What is signed.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.consensus.kind()
    }

    /// For which chain.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.consensus.chain()
    }

    /// In which slot.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.consensus.slot()
    }

    /// The committed entry that this comes from.
    #[must_use]
    pub const fn entry(&self) -> EntryId {
        self.ticket.entry()
    }

    /// Spends the grant on `signature`, made canonical (low s) and verified with the enrolled key.
    ///
    /// # Errors
    /// [`WrongSignature`]; the grant is spent, asking again gives another one.
    pub fn seal(self, signature: Signature) -> Result<Signed, WrongSignature> {
        let signature = signature.normalised();
        match self.key.verify(self.message(), &signature) {
            Ok(_verified) => Ok(Signed {
                grant: self,
                signature,
            }),
            Err(_not_by_this_key) => Err(WrongSignature {
                key: self.key.hash(),
            }),
        }
    }
}

impl Permit {
    /// What is signed. A proof of possession is made in its own scheme.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Whether this is a proof of possession, which is made in its own scheme.
    #[must_use]
    pub const fn is_possession(&self) -> bool {
        match self.subject {
            Subject::Operation(_) => false,
            Subject::Possession(_) => true,
        }
    }

    /// The bytes to sign.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.subject.message()
    }

    /// The enrolled key that is to sign.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The committed entry that this comes from.
    #[must_use]
    pub const fn entry(&self) -> EntryId {
        self.ticket.entry()
    }

    /// Spends the permit on `signature`, verified with the enrolled key in the scheme it is for.
    ///
    /// # Errors
    /// [`WrongSignature`]; the permit is spent, asking again gives another one.
    pub fn seal(self, signature: Signature) -> Result<Released, WrongSignature> {
        let signature = signature.normalised();
        let verified = match &self.subject {
            Subject::Operation(operation) => self.key.verify(operation.message(), &signature),
            Subject::Possession(possession) => possession.verify(&self.key, &signature),
        };
        match verified {
            Ok(_verified) => Ok(Released {
                signature,
                ticket: self.ticket,
            }),
            Err(_not_by_this_key) => Err(WrongSignature {
                key: self.key.hash(),
            }),
        }
    }
}

impl Signed {
    /// The grant it was signed on.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }
}

impl Released {
    /// The signature. Keep this alive until it has left the node: it counts as outstanding.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The committed entry that lets it leave.
    #[must_use]
    pub const fn entry(&self) -> EntryId {
        self.ticket.entry()
    }
}

impl<D: StateDisk> Clone for Ledger<D> {
    fn clone(&self) -> Self {
        Self {
            raft: self.raft.clone(),
            reader: self.reader.clone(),
            outstanding: Arc::clone(&self.outstanding),
            clock: self.clock,
        }
    }
}

impl<D: StateDisk> fmt::Debug for Ledger<D> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Ledger")
            .field("outstanding", &self.outstanding)
            .finish_non_exhaustive()
    }
}

/// Names what it is for, and shows neither message nor signature.
impl fmt::Debug for Grant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, kind, slot, entry) = (self.key.hash(), self.kind(), self.slot(), self.entry());
        write!(out, "Grant({key} {kind} {slot} entry {entry})")
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Permit({} entry {})", self.key.hash(), self.entry())
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Signed({:?})", self.grant)
    }
}

impl fmt::Debug for Released {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Released(entry {})", self.entry())
    }
}
