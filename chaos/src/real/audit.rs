//! The nodes' audit files, as lines of a history.

use std::fs;
use std::io;
use std::path::Path;

use judge::history::{Kind, Line, Mark};
use node::admin::KeyReport;
use serde::Deserialize;

use super::failed::Failed;

/// What a node writes down beside what a history holds: a refusal is known from its answer, a proof
/// of possession has no slot.
const OF_NO_INTEREST: [&str; 2] = ["refused", "proved"];

/// Reads the audit file of a machine; there is none if its process never joined a cluster.
///
/// # Errors
/// If it cannot be read, or a whole line of it makes no sense. A torn last line is left out: the
/// process was killed before it did what the line says.
pub(crate) fn read(file: &Path) -> Result<Vec<Line>, Failed> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failed::file(file)(error)),
    };
    let whole = text
        .rfind('\n')
        .map_or("", |end| text.get(..end).unwrap_or_default());
    let mut lines = Vec::new();
    for (number, line) in whole.lines().enumerate() {
        match parse(line) {
            Ok(Some(line)) => lines.push(line),
            Ok(None) => {}
            Err(error) => {
                let place = format!("{} line {}", file.display(), number.saturating_add(1));
                return Err(Failed::step(format!(
                    "{place} is no line of a history: {error}"
                )));
            }
        }
    }
    Ok(lines)
}

/// Empty lines stand between a line that was cut off and the next one.
fn parse(line: &str) -> serde_json::Result<Option<Line>> {
    #[derive(Deserialize)]
    struct Named {
        event: String,
    }
    if line.is_empty() {
        return Ok(None);
    }
    let Named { event } = serde_json::from_str(line)?;
    match OF_NO_INTEREST.contains(&event.as_str()) {
        true => Ok(None),
        false => serde_json::from_str(line).map(Some),
    }
}

/// The marks that a node tells of itself, as the judge reads them.
pub(crate) fn marks(keys: &[KeyReport]) -> Vec<Mark> {
    let of_key = |report: &KeyReport| {
        let key = report.public_key_hash.to_string();
        let enrolled = report.enrolled.clone();
        let marks = enrolled.into_iter().flat_map(|enrolled| enrolled.marks);
        let told = marks.map(move |mark| Mark {
            key: key.clone(),
            chain: mark.chain.to_string(),
            kind: kind(mark.kind),
            level: i64::from(mark.level.get()),
            round: i64::from(mark.round.get()),
            digest: mark
                .digest
                .map(|digest| digest.to_string())
                .unwrap_or_default(),
        });
        told.collect::<Vec<_>>()
    };
    keys.iter().flat_map(of_key).collect()
}

/// The judge has words of its own.
const fn kind(kind: tezos::Kind) -> Kind {
    match kind {
        tezos::Kind::Block => Kind::Block,
        tezos::Kind::Preattestation => Kind::Preattestation,
        tezos::Kind::Attestation => Kind::Attestation,
    }
}

#[cfg(test)]
mod tests {
    use judge::history::{Entry, Event};
    use raft_store::disk;

    use super::*;

    fn of(text: &str) -> Result<Vec<Line>, Failed> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        disk::replace(&file, &[text.as_bytes()]).unwrap();
        read(&file)
    }

    /// As `node/src/audit/line.rs` writes them.
    const APPLIED: &str = r#"{"at_us":7,"event":"applied","node":2,"entry":{"term":3,"index":9},"mark":{"key":"tz1","chain":"Net","kind":"preattestation","level":5,"round":0,"digest":"aa"},"recorded":null,"wall":"2026-11-21T11:00:00Z"}"#;
    const REFUSED: &str = r#"{"at_us":8,"event":"refused","node":2,"entry":null,"key":"tz1","bytes":"12","reason":"below","asked":null,"forwarded_by":null,"wall":""}"#;

    #[test]
    fn a_line_of_a_node_is_a_line_of_the_history() {
        let lines = of(&format!("{APPLIED}\n\n{REFUSED}\n")).unwrap();
        let [line] = &lines[..] else {
            panic!("one line: {lines:?}");
        };
        let Event::Applied { node, entry, mark } = &line.event else {
            panic!("{line:?}");
        };
        assert_eq!(
            (line.at_us, *node, *entry),
            (7, 2, Entry { term: 3, index: 9 })
        );
        assert_eq!((mark.kind, mark.level), (Kind::Preattestation, 5));
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_a_torn_one_before_is_an_error() {
        let half = &APPLIED[..40];
        assert_eq!(of(&format!("{APPLIED}\n{half}")).unwrap().len(), 1);
        assert_eq!(of(half).unwrap().len(), 0);
        let error = of(&format!("{half}\n{APPLIED}\n")).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    #[test]
    fn a_node_that_never_joined_wrote_nothing() {
        assert!(read(Path::new("/no/such/audit.jsonl")).unwrap().is_empty());
    }
}
