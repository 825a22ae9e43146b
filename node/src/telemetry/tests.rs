//! The audit line, read back from the log itself.

use std::io;
use std::sync::{Arc, Mutex};

use tezos::{ChainId, Curve, Kind, Level, Round, SecretKey, Slot};
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::answer::{Asked, Failed, Refused};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'writer> MakeWriter<'writer> for Lines {
    type Writer = Self;

    fn make_writer(&'writer self) -> Self {
        self.clone()
    }
}

fn fields_of(reply: &Reply, message: Option<Message>) -> serde_json::Value {
    let lines = Lines::default();
    let layer = fmt::layer().json().with_writer(lines.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    let key = "tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb".parse().unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let decision = Decision {
            key: &key,
            label: "attestation",
            message,
            digest: Some(Digest::of(b"the message")),
            reply,
            node: 2,
            forwarded_by: Some(3),
            entry: Some(raft_store::types::EntryId { term: 4, index: 99 }),
            took: Duration::from_micros(3_217),
        };
        decision.log();
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&line["level"], &line["target"]),
        (&"INFO".into(), &"quorate::decision".into())
    );
    line["fields"].clone()
}

fn consensus() -> Message {
    let slot = Slot::new(Level::new(10).unwrap(), Round::new(1).unwrap());
    let chain: ChainId = "NetXdQprcVkpaWU".parse().unwrap();
    Message::Consensus {
        kind: Kind::Attestation,
        chain,
        slot,
    }
}

#[test]
fn r46_every_decision_leaves_one_line_and_no_signature_in_it() {
    let signature = SecretKey::generate(Curve::Ed25519)
        .unwrap()
        .sign(b"the message");
    let signed = Reply::Signed {
        signature: signature.clone(),
        replayed: false,
    };
    let fields = fields_of(&signed, Some(consensus()));
    let digest = Digest::of(b"the message").to_string();
    let expected = serde_json::json!({
        "message": "decision",
        "key": "tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb",
        "kind": "attestation",
        "chain": "NetXdQprcVkpaWU",
        "height": 10,
        "round": 1,
        "digest": digest[..8],
        "outcome": "signed",
        "node": 2,
        "forwarded_by": 3,
        "term": 4,
        "index": 99,
        "ms": 3.217,
    });
    assert_eq!(fields, expected);
    assert!(!fields.to_string().contains(&signature.to_string()));
}

#[test]
fn a_refusal_and_a_failure_say_their_reason() {
    let asked = Asked {
        key: "tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb".parse().unwrap(),
        message: consensus(),
    };
    let refused: Reply = Refused::Ruled {
        asked,
        why: raft_store::command::Refusal::Disabled,
    }
    .into();
    let fields = fields_of(&refused, Some(consensus()));
    assert_eq!(
        (&fields["outcome"], &fields["reason"]),
        (&"refused".into(), &"disabled".into())
    );
    let fields = fields_of(&Failed::OutOfTime.into(), None);
    assert_eq!(
        (&fields["outcome"], &fields["reason"]),
        (&"failed".into(), &"out_of_time".into())
    );
    assert!(fields.get("height").is_none(), "{fields}");
}
