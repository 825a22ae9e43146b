//! I9: every signature that was released verifies with the public key that was enrolled (R29).
//!
//! **Invariant:** what a signer returns and nobody releases is not verified here: signers that return
//! rubbish are one of the faults.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::case::{Case, Fact, MessageId, SignatureId, Stage};
use crate::findings::Findings;
use crate::signature::{PublicKey, Signature};
use crate::verdict::Invariant;

#[derive(Default)]
pub(super) struct Verified<'c> {
    keys: BTreeMap<&'c str, Option<PublicKey>>,
    /// A signature is released by a node and answered to a baker: it is verified once.
    known: BTreeSet<(MessageId, SignatureId)>,
}

impl<'c> Check<'c> for Verified<'c> {
    fn see(&mut self, fact: &Fact<'c>, case: &'c Case<'c>, found: &mut Findings) {
        let Some(shown) = case.shown(fact).filter(|shown| shown.stage != Stage::Made) else {
            return;
        };
        let key = shown.message.key;
        let (Some(id), Some(public)) = (shown.signature, case.public_keys.get(key)) else {
            return;
        };
        if !self.known.insert((shown.id, id)) {
            return;
        }
        let public = self
            .keys
            .entry(key)
            .or_insert_with(|| PublicKey::read(public));
        // What is no key, or no signature in form, is said where the evidence is looked at.
        let (Some(public), Some(Signature::Bytes(signature))) = (public, case.signature(id)) else {
            return;
        };
        if !public.verifies(&shown.message.bytes, signature) {
            let words =
                format!("a released signature does not verify with the public key of {key}");
            found.add(Invariant::I9, fact, &[], words);
        }
    }
}
