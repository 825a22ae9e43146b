//! Signatory's `<base_dir>/watermark_v2/<chain>.json`.
//!
//! Source of the format: ecadlabs/signatory, commit `1199064c48a6a38238d81213fc96f5da5c50f014`,
//! `pkg/signatory/watermark/file.go` (key, request kind, mark) and `pkg/signatory/request/request.go`
//! (`level`, `round`, `hash`). The kinds are named by ecadlabs/gotez: `preendorsement` and `endorsement`
//! (`protocol/sign_request.go`, commit `c3dd68ea16434c893e40048961bcb35bd9f498b5`), in later versions by
//! the names of the operations, with DAL content apart (`integration_test/tests/server/watermark_test.go`
//! of the same Signatory, and its `docs/dal_bls_attestations.md`).

use serde::Deserialize;
use tezos::Kind;

use super::entry::{Entry, Signer};
use super::fault::Fault;
use super::pairs::Pairs;

#[derive(Debug, Deserialize)]
struct Mark {
    level: i64,
    round: Option<i64>,
}

/// The marks of the file of one chain. `chain` is its name without `.json`.
///
/// # Errors
/// [`Fault::NotUnderstood`].
pub fn marks(file: &str, chain: &str, text: &str) -> Result<Vec<Entry>, Fault> {
    let keys: Pairs<Pairs<Mark>> =
        serde_json::from_str(text).map_err(|error| Fault::NotUnderstood {
            file: file.to_owned(),
            signer: Signer::Signatory,
            what: error.to_string(),
        })?;
    let mut entries = Vec::new();
    for (key, kinds) in keys {
        for (word, Mark { level, round }) in kinds {
            let kind = kind_of(&word).ok_or(word);
            entries.push(Entry {
                file: file.to_owned(),
                signer: Signer::Signatory,
                key: key.clone(),
                chain: chain.to_owned(),
                round: round_of(kind.as_ref().ok().copied(), round),
                kind,
                level,
            });
        }
    }
    Ok(entries)
}

/// The kind of a request, by any of the names that Signatory gave it. An attestation with DAL
/// content has a mark of its own there; both are one kind, so the higher one counts.
pub(super) fn kind_of(word: &str) -> Option<Kind> {
    match word {
        "block" => Some(Kind::Block),
        "preattestation" | "preendorsement" => Some(Kind::Preattestation),
        "attestation" | "endorsement" | "attestation_with_dal" | "endorsement_with_dal" => {
            Some(Kind::Attestation)
        }
        _ => None,
    }
}

/// The round of a block is the one its *payload* was first proposed in, and it was signed in that
/// round or a later one: nobody knows which, so the whole level counts as signed.
pub(super) const fn round_of(kind: Option<Kind>, round: Option<i64>) -> Option<i64> {
    match kind {
        Some(Kind::Block) => None,
        Some(Kind::Preattestation | Kind::Attestation) | None => round,
    }
}
