//! HTTP as bytes on a socket, for what no HTTP library would send.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Above any deadline of a node: an answer that takes longer is a fault of its own.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// The `msg` of an octez error trace with exactly one error.
    pub(crate) fn message(&self) -> String {
        let trace: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        let [error] = trace.as_array().unwrap().as_slice() else {
            panic!("not one error: {trace}");
        };
        assert_eq!(error.get("kind").unwrap(), "temporary", "{trace}");
        assert_eq!(error.get("id").unwrap(), "failure", "{trace}");
        error.get("msg").unwrap().as_str().unwrap().to_owned()
    }

    /// The signature of a 200.
    pub(crate) fn signature(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body.get("signature").unwrap().as_str().unwrap().to_owned()
    }
}

/// A connection whose answer was not read yet.
pub(crate) struct Sent(TcpStream);

/// Opens a connection and writes these bytes.
pub(crate) async fn send(port: u16, bytes: &[u8]) -> Sent {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    Sent(stream)
}

impl Sent {
    /// Writes more of the request.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Reads a head that has no headers, as an interim answer has none, and returns its line.
    pub(crate) async fn line(&mut self) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            let read = timeout(PATIENCE, self.0.read_u8()).await;
            bytes.push(read.expect("no interim answer within 20 s").unwrap());
        }
        String::from_utf8(bytes).unwrap().trim().to_owned()
    }

    /// The whole answer; `None` if the connection broke before one came.
    pub(crate) async fn answer(mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        loop {
            if let Some(answer) = parse(&bytes) {
                return Some(answer);
            }
            let mut piece = [0; 4096];
            let read = timeout(PATIENCE, self.0.read(&mut piece)).await;
            match read.expect("no answer within 20 s") {
                Ok(0) | Err(_) => return None,
                Ok(count) => bytes.extend(piece.iter().take(count)),
            }
        }
    }
}

/// Writes a request and reads its answer.
pub(crate) async fn exchange(port: u16, bytes: &[u8]) -> Answer {
    let sent = send(port, bytes).await;
    sent.answer()
        .await
        .expect("the connection broke without an answer")
}

/// The bytes of an ordinary POST.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The bytes of an ordinary GET.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// An answer that is whole: its head, and as many bytes as it announced.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let line = lines.next()?;
    let headers: BTreeMap<String, String> = lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let body = body.get(..length)?.to_owned();
    let status = line.split(' ').nth(1)?.parse().unwrap();
    Some(Answer {
        status,
        headers,
        body,
    })
}
