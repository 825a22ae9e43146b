//! A listener that reads whole HTTP requests, keeps them, and answers with exact bytes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it does with every request, once it has read it whole.
#[derive(Clone)]
pub(crate) enum Behaviour {
    /// Write these bytes and close.
    Write(String),
    /// Keep the connection open and say nothing.
    Hang,
    /// Bind a port, then stop listening before anybody connects.
    CloseTheListener,
}

impl Behaviour {
    pub(crate) fn answer(status: u16, body: &str) -> Self {
        let length = body.len();
        Self::Write(format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ))
    }
}

#[derive(Clone)]
pub(crate) struct Request {
    head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(crate) fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(crate) struct Listener {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Listener {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = Self {
            port: socket.local_addr().unwrap().port(),
            requests: Arc::default(),
        };
        if !matches!(behaviour, Behaviour::CloseTheListener) {
            let requests = Arc::clone(&node.requests);
            tokio::spawn(async move {
                loop {
                    let (stream, _) = socket.accept().await.unwrap();
                    tokio::spawn(serve(stream, behaviour.clone(), Arc::clone(&requests)));
                }
            });
        }
        node
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour, requests: Arc<Mutex<Vec<Request>>>) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    requests.lock().unwrap().push(request);
    match behaviour {
        Behaviour::Write(bytes) => {
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
        Behaviour::Hang | Behaviour::CloseTheListener => std::future::pending().await,
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8(bytes.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let request = Request {
                head: head.to_owned(),
                body: body.to_owned(),
            };
            let length = request
                .header("content-length")
                .map_or(0, |length| length.parse().unwrap());
            if request.body.len() >= length {
                return Some(request);
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await.unwrap() {
            0 => return None,
            count => bytes.extend(piece.iter().take(count)),
        }
    }
}
