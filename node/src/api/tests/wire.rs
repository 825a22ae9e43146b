//! The forms in which requests arrive.

use super::*;

#[tokio::test]
async fn the_traffic_of_octez_is_answered_byte_by_byte() {
    let served = served(|_config| {}).await;
    // HAProxy's check, then octez: one connection a call, the body in chunks.
    let probe = served
        .exchange("GET /authorized_keys HTTP/1.0\r\nConnection: close\r\n\r\n")
        .await;
    assert!(probe.starts_with("HTTP/1.0 200 OK\r\n"), "{probe}");
    assert!(
        probe.contains("content-length: 3\r\n") && probe.ends_with("\r\n\r\n{}\n"),
        "{probe}"
    );

    let accept = "application/json;q=1000,application/bson;q=100,application/octet-stream;q=200";
    let text = hex_of(&attestation(10, 1));
    let (head, tail) = text.split_at(60);
    let request = format!(
        "POST /keys/{}?version=3 HTTP/1.1\r\naccept: {accept}\r\ncontent-type: application/json\r\n\
         host: localhost:6732\r\ntransfer-encoding: chunked\r\nuser-agent: ocaml-cohttp/\r\n\
         connection: close\r\n\r\n{:x}\r\n{head}\r\n{:X}\r\n{tail}\r\n0\r\n\r\n",
        served.signer.key().hash(),
        head.len(),
        tail.len(),
    );
    let answer = served.exchange(&request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        body(&answer).starts_with("{\"signature\":\"edsig"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_in_pieces_and_in_single_bytes_is_read_whole() {
    let served = served(|_config| {}).await;
    let request = served.posted(&hex_of(&attestation(10, 1)), "Connection: close\r\n");
    let mut stream = served.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in request.as_bytes() {
        stream.write_all(&[*byte]).await.unwrap();
        stream.flush().await.unwrap();
    }
    assert_eq!(status(&until_closed(&mut stream).await), 200);
}

#[tokio::test]
async fn http_1_0_clients_are_closed_and_keep_alive_is_kept_for_those_that_ask() {
    let served = served(|_config| {}).await;
    let plain = served
        .exchange("GET /authorized_keys HTTP/1.0\r\n\r\n")
        .await;
    assert_eq!(status(&plain), 200);
    let mut stream = served.connect().await;
    for _request in 0..3 {
        let request = "GET /authorized_keys HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = one_answer(&mut stream).await;
        assert!(
            answer.to_lowercase().contains("connection: keep-alive"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn many_requests_on_one_connection_are_answered_in_order_also_when_sent_at_once() {
    let served = served(|_config| {}).await;
    let mut stream = served.connect().await;
    for level in 10..13 {
        let request = served.posted(&hex_of(&attestation(level, 1)), "");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(status(&one_answer(&mut stream).await), 200);
    }
    let pipelined = [
        served.posted(&hex_of(&attestation(13, 1)), ""),
        served.posted(&hex_of(&attestation(13, 2)), ""),
        "GET /authorized_keys HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
    ];
    stream
        .write_all(pipelined.concat().as_bytes())
        .await
        .unwrap();
    let answers = until_closed(&mut stream).await;
    let statuses: Vec<u16> = answers.split("HTTP/1.1").skip(1).map(status).collect();
    assert_eq!(statuses, [200, 409, 200, 404], "{answers}");
}

#[tokio::test]
async fn a_client_that_expects_100_is_asked_to_go_on() {
    let served = served(|_config| {}).await;
    let text = hex_of(&attestation(10, 1));
    let request = served.posted(&text, "Expect: 100-continue\r\nConnection: close\r\n");
    let (head, tail) = request.split_at(request.len() - text.len());
    let mut stream = served.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let interim = one_answer(&mut stream).await;
    assert_eq!(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(tail.as_bytes()).await.unwrap();
    assert_eq!(status(&until_closed(&mut stream).await), 200);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_is_sent_or_heard_out() {
    let served = served(|config| config.limits.body_bytes_max = 2_048).await;
    let long = format!("\"{}\"", "1".repeat(4_000));
    let announced = served.posted(&long, "Expect: 100-continue\r\n");
    let (head, _unsent) = announced.split_at(announced.len() - long.len());
    let answer = served.exchange(head).await;
    assert_eq!(
        status(&answer),
        413,
        "without 100 Continue before it: {answer}"
    );

    let answer = served.post(&long).await;
    assert_eq!(status(&answer), 413);
    assert_eq!(
        message(&answer),
        "the request body is longer than 2048 bytes"
    );

    let chunks = format!("800\r\n{}\r\n", "1".repeat(0x800)).repeat(3);
    let answer = served
        .exchange(format!(
            "POST /keys/{} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n",
            served.signer.key().hash()
        ))
        .await;
    assert_eq!(status(&answer), 413);
    assert_eq!(served.signer.signed(), 0);
}

#[tokio::test]
async fn a_slow_loris_is_cut_off_in_its_headers_and_answered_in_its_body() {
    let served = served(|config| {
        config.limits.header_time = Duration::from_millis(300);
        config.limits.body_time = Duration::from_millis(300);
    })
    .await;
    let mut stream = served.connect().await;
    stream
        .write_all(b"POST /keys/tz1 HTTP/1.1\r\nHost: ")
        .await
        .unwrap();
    let cut = until_closed(&mut stream).await;
    assert!(cut.is_empty() || status(&cut) == 408, "{cut}");

    let mut stream = served.connect().await;
    let request = served.posted(&hex_of(&attestation(10, 1)), "");
    stream
        .write_all(&request.as_bytes()[..request.len() - 10])
        .await
        .unwrap();
    let answer = until_closed(&mut stream).await;
    assert_eq!(status(&answer), 408, "{answer}");
    assert_eq!(message(&answer), "the request body took longer than 300 ms");

    let mut idle = served.connect().await;
    assert_eq!(
        until_closed(&mut idle).await,
        "",
        "an idle connection costs a place, not for ever"
    );
}

#[tokio::test]
async fn headers_are_bounded_in_number_and_size() {
    let served = served(|config| config.limits.header_bytes_max = 8_192).await;
    let many = "x-y: z\r\n".repeat(200);
    let answer = served
        .exchange(format!("GET /authorized_keys HTTP/1.1\r\n{many}\r\n"))
        .await;
    assert_eq!(status(&answer), 431, "{answer}");
    let long = "z".repeat(20_000);
    let answer = served
        .exchange(format!(
            "GET /authorized_keys HTTP/1.1\r\nx-y: {long}\r\n\r\n"
        ))
        .await;
    assert_eq!(status(&answer), 431, "{answer}");
}

#[tokio::test]
async fn a_full_listener_closes_at_once_and_a_free_place_serves_again() {
    let served = served(|config| config.limits.connections_max = 1).await;
    let mut first = served.connect().await;
    first
        .write_all(b"GET /authorized_keys HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(status(&one_answer(&mut first).await), 200);
    let mut second = served.connect().await;
    assert_eq!(until_closed(&mut second).await, "");
    drop(first);
    // The place is free once the node has seen the first one go.
    let served_again = async {
        loop {
            if served
                .get("/authorized_keys")
                .await
                .starts_with("HTTP/1.0 200")
            {
                break;
            }
        }
    };
    timeout(PATIENCE, served_again).await.unwrap();
}

#[tokio::test]
async fn head_and_body_of_an_answer_leave_in_one_write() {
    let served = served(|_config| {}).await;
    for _answer in 0..20 {
        let mut stream = served.connect().await;
        stream
            .write_all(served.posted(&hex_of(&attestation(10, 1)), "").as_bytes())
            .await
            .unwrap();
        let mut packet = vec![0; 4_096];
        let length = timeout(PATIENCE, stream.read(&mut packet))
            .await
            .unwrap()
            .unwrap();
        assert!(
            packet[..length].ends_with(b"\"}\n"),
            "the first packet holds the whole answer"
        );
    }
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_work_and_takes_nothing_new() {
    let served = served(|_config| {}).await;
    served.signer.hang().await;
    let mut stream = served.connect().await;
    stream
        .write_all(served.posted(&hex_of(&attestation(10, 1)), "").as_bytes())
        .await
        .unwrap();
    let mut in_work = served.world.nodes[&1].path.admission().in_work();
    timeout(PATIENCE, in_work.wait_for(|count| *count == 1))
        .await
        .unwrap()
        .unwrap();
    served.stop.send_replace(true);
    served.signer.resume();
    assert_eq!(
        status(&until_closed(&mut stream).await),
        200,
        "finished, and then closed"
    );
    timeout(PATIENCE, served.server).await.unwrap().unwrap();
    TcpStream::connect(served.address).await.unwrap_err();
}

#[tokio::test]
async fn r23_a_client_that_hangs_up_has_its_message_signed_nevertheless() {
    let served = served(|_config| {}).await;
    served.signer.hang().await;
    let mut stream = served.connect().await;
    stream
        .write_all(served.posted(&hex_of(&attestation(10, 1)), "").as_bytes())
        .await
        .unwrap();
    let mut in_work = served.world.nodes[&1].path.admission().in_work();
    timeout(PATIENCE, in_work.wait_for(|count| *count == 1))
        .await
        .unwrap()
        .unwrap();
    drop(stream);
    served.signer.resume();
    timeout(PATIENCE, in_work.wait_for(|count| *count == 0))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(served.signer.signed(), 1);
}

#[tokio::test]
async fn https_serves_what_http_serves_and_plain_text_is_not_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.pem"), folder.path().join("tls.key"));
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    raft_store::disk::replace(&certificate, &[issued.cert.pem().as_bytes()]).unwrap();
    raft_store::disk::replace(&key, &[issued.signing_key.serialize_pem().as_bytes()]).unwrap();
    let files = crate::config::TlsFiles { certificate, key };
    let served = served(|config| config.tls = Some(files.clone())).await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(issued.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut stream = connector
        .connect(name, served.connect().await)
        .await
        .unwrap();
    let request = served.posted(&hex_of(&attestation(10, 1)), "Connection: close\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status(&answer), 200, "{answer}");

    let mut plain = served.connect().await;
    plain
        .write_all(b"GET /authorized_keys HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Closed or reset: both are no answer.
    drop(
        timeout(PATIENCE, plain.read_to_end(&mut answer))
            .await
            .unwrap(),
    );
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.pem"), folder.path().join("tls.key"));
    let files = crate::config::TlsFiles {
        certificate: certificate.clone(),
        key,
    };
    let fault = tls::acceptor(&files).err().unwrap().to_string();
    assert!(fault.contains("tls.pem"), "{fault}");
    raft_store::disk::replace(&certificate, &[b"nothing of the kind\n"]).unwrap();
    let fault = tls::acceptor(&files).err().unwrap().to_string();
    assert!(fault.contains("holds no certificate"), "{fault}");
}

/// Reads one answer off a connection that stays open.
async fn one_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        let mut byte = [0];
        timeout(PATIENCE, stream.read_exact(&mut byte))
            .await
            .expect("an answer")
            .unwrap();
        answer.extend(byte);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse().unwrap())
        });
        if body.len() == length.unwrap_or(0) {
            return text.into_owned();
        }
    }
}
