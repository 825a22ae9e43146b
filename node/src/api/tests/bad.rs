//! Every class of bad request, with its status, in octez-signer's words where it has some. Nothing
//! of what is refused here moves a mark.

use super::*;

type Row = (String, u16, &'static str);

const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn every_class_of_bad_request_has_its_own_clear_answer() {
    let served = served(|_config| {}).await;
    let path = format!("/keys/{}", served.signer.key().hash());
    let good = hex_of(&attestation(10, 1));
    for (request, code, text) in [heads(&path, &good), bodies(&path, &good)].concat() {
        let answer = served.exchange(&request).await;
        assert_eq!(status(&answer), code, "{request}\n{answer}");
        match text {
            "" | "application/json" => assert_eq!(body(&answer), text, "{request}"),
            text => assert!(message(&answer).starts_with(text), "{request}\n{answer}"),
        }
    }
    assert_eq!(served.signer.signed(), 0);
    assert!(served.world.nodes[&1].path.peers().marks_nothing());
}

/// What is told before the body is looked at.
fn heads(path: &str, good: &str) -> Vec<Row> {
    let row = |target: &str, headers: &str, code, text| (post(target, headers, good), code, text);
    let query = |query: &str, text| row(&format!("{path}?{query}"), JSON, 400, text);
    vec![
        row("/sign", JSON, 404, ""),
        row("/keys", JSON, 404, ""),
        row(
            "/keys/tz1nonsense",
            JSON,
            400,
            "Failed to parsed an argument in path. After \"keys\", the value \"tz1nonsense\" is not acceptable for type \"pkh\"",
        ),
        query(
            "version=9",
            "Failed to parse the query string: version \"9\" is not one of",
        ),
        query(
            "versoin=3",
            "Failed to parse the query string: unknown parameter \"versoin\"",
        ),
        query(
            "version=3&version=3",
            "Failed to parse the query string: parameter \"version\" is given more than once",
        ),
        query(
            "authentication=",
            "Failed to parse the query string: parameter \"authentication\" is empty",
        ),
        row(path, "Content-Type: text/plain\r\n", 415, ""),
        row(path, "Content-Type: application/bson\r\n", 415, ""),
        row(path, "Accept: text/html\r\n", 406, "application/json"),
    ]
}

/// What is told of the body and of the message in it.
fn bodies(path: &str, good: &str) -> Vec<Row> {
    let twice = format!("{good}{good}");
    let unfinished = good.trim_end_matches('"');
    [
        (
            "",
            "Failed to parse the request body: expected one JSON string",
        ),
        (
            "\"\"",
            "Failed to parse the request body: can't sign empty data",
        ),
        (
            "\"abc\"",
            "Failed to parse the request body: 3 hexadecimal digits",
        ),
        (
            "\"zz\"",
            "Failed to parse the request body: no hexadecimal digit at position 0",
        ),
        (
            "\"0x11\"",
            "Failed to parse the request body: write the hexadecimal digits without 0x",
        ),
        (
            "{\"data\":1}",
            "Failed to parse the request body: expected one JSON string",
        ),
        (
            &twice,
            "Failed to parse the request body: expected one JSON string",
        ),
        (
            unfinished,
            "Failed to parse the request body: expected one JSON string",
        ),
        // Hex, and nothing that is ever signed.
        ("\"05\"", "magic byte 0x05 not allowed"),
        ("\"04\"", "magic byte 0x04 not allowed"),
        ("\"ff\"", "magic byte 0xFF not allowed"),
    ]
    .map(|(body, text)| (post(path, JSON, body), 400, text))
    .to_vec()
}

fn post(target: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: \
         {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_method_that_a_service_has_not_is_told_which_it_has() {
    let served = served(|config| config.allow_list_known_keys = true).await;
    let key = served.signer.key().hash();
    for (target, allowed) in [
        (format!("/keys/{key}"), "GET, POST"),
        ("/authorized_keys".to_owned(), "GET"),
        ("/known_keys".to_owned(), "GET"),
        (format!("/bls_prove_possession/{key}"), "GET"),
    ] {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let request =
                format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            let answer = served.exchange(request).await;
            assert_eq!(status(&answer), 405, "{answer}");
            assert!(
                answer.contains(&format!("\r\nallow: {allowed}\r\n")),
                "{answer}"
            );
        }
        let answer = served
            .exchange(format!("HEAD {target} HTTP/1.0\r\n\r\n"))
            .await;
        assert_eq!(status(&answer), 501, "as octez-signer: {answer}");
        if allowed == "GET" {
            let request = format!(
                "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n\"11\""
            );
            assert_eq!(status(&served.exchange(request).await), 405);
        }
    }
}

#[tokio::test]
async fn what_is_not_http_is_not_taken_for_a_request() {
    let served = served(|_config| {}).await;
    let key = served.signer.key().hash();
    let good = hex_of(&attestation(10, 1));
    for request in [
        "hello\r\n\r\n".to_owned(),
        "GET /authorized_keys\r\n\r\n".to_owned(),
        "GET /authorized_keys HTTP/9.9\r\n\r\n".to_owned(),
        "GET /authorized_keys HTTP/1.1\r\nno colon\r\n\r\n".to_owned(),
        format!("POST /keys/{key} HTTP/1.1\r\nContent-Length: x\r\n\r\n{good}"),
        format!(
            "POST /keys/{key} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{good}"
        ),
        format!("POST /keys/{key} HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n{good}"),
        format!(
            "POST /keys/{key} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{good}\r\n0\r\n\r\n"
        ),
    ] {
        let answer = served.exchange(&request).await;
        assert!(
            answer.is_empty() || status(&answer) == 400,
            "{request}\n{answer}"
        );
    }
    assert_eq!(served.signer.signed(), 0);
}

#[tokio::test]
async fn a_plain_listener_beyond_this_machine_serves_only_keys_that_say_who_may_ask() {
    let served =
        served(|config| config.allow_plain_http = crate::config::PlainHttp::AuthorizedKeysOnly)
            .await;
    let answer = served.post(&hex_of(&attestation(10, 1))).await;
    assert_eq!(status(&answer), 403);
    assert!(
        message(&answer).contains("names no authorized client"),
        "{answer}"
    );
}
