//! octez-signer's `*_high_watermarks`.
//!
//! Source of the format: tezos/tezos-mirror, `src/bin_signer/handler.ml` (module `High_watermark`:
//! chain, key, then `level`, optional `round`, `hash`, optional `signature`; commit
//! `02d6524349ccc2356cbb66662da0c5fe728e3fe1` for the older names) and
//! `src/lib_client_base_unix/client_context_unix.ml` (the file is the name with an `s`). Octez v23
//! renamed `preendorsement` and `endorsement` (its CHANGES, !18481) and does not read the old files.

use serde::Deserialize;
use tezos::Kind;

use super::entry::{Entry, Signer};
use super::fault::Fault;
use super::pairs::Pairs;

/// The names of the files, the newer ones first, each with the kind of the marks in it.
pub const FILES: [(&str, Kind); 5] = [
    ("block_high_watermarks", Kind::Block),
    ("preattestation_high_watermarks", Kind::Preattestation),
    ("attestation_high_watermarks", Kind::Attestation),
    ("preendorsement_high_watermarks", Kind::Preattestation),
    ("endorsement_high_watermarks", Kind::Attestation),
];

/// What a mark is read for. Its hash and signature are not: an imported slot is burnt, whatever
/// stands there. Without a round it is one of an old octez-signer, which refuses the whole level.
#[derive(Debug, Deserialize)]
struct Mark {
    level: i64,
    round: Option<i64>,
}

/// The kind of the marks in the file of this name, if it is one of octez-signer's.
#[must_use]
pub fn kind_of(name: &str) -> Option<Kind> {
    FILES
        .iter()
        .find(|(file, _)| *file == name)
        .map(|(_, kind)| *kind)
}

/// The marks of one file.
///
/// # Errors
/// [`Fault::NotUnderstood`].
pub fn marks(file: &str, kind: Kind, text: &str) -> Result<Vec<Entry>, Fault> {
    let chains: Pairs<Pairs<Mark>> =
        serde_json::from_str(text).map_err(|error| Fault::NotUnderstood {
            file: file.to_owned(),
            signer: Signer::Octez,
            what: error.to_string(),
        })?;
    let mut entries = Vec::new();
    for (chain, keys) in chains {
        for (key, Mark { level, round }) in keys {
            entries.push(Entry {
                file: file.to_owned(),
                signer: Signer::Octez,
                key,
                chain: chain.clone(),
                kind: Ok(kind),
                level,
                round,
            });
        }
    }
    Ok(entries)
}
