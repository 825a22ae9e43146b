//! Every class of bad request, with its status, in octez-signer's words where it has some. Nothing
//! of what is refused here moves a mark.

use super::*;

#[tokio::test]
async fn every_class_of_bad_request_has_its_own_clear_answer() {
    let served = served(|_config| {}).await;
    let key = served.signer.key().hash();
    let good = hex_of(&attestation(10, 1));
    let post = |target: String, headers: &str, body: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: \
             {}\r\n\r\n{body}",
            body.len()
        )
    };
    let keys = |query: &str| format!("/keys/{key}{query}");
    let json = "Content-Type: application/json\r\n";
    for (request, code, text) in [
        // Paths and arguments.
        (post("/sign".to_owned(), json, &good), 404, ""),
        (post("/keys".to_owned(), json, &good), 404, ""),
        (
            post("/keys/tz1nonsense".to_owned(), json, &good),
            400,
            "Failed to parsed an argument in path. After \"keys\", the value \"tz1nonsense\" is not acceptable for type \"pkh\"",
        ),
        // Queries.
        (
            post(keys("?version=9"), json, &good),
            400,
            "Failed to parse the query string: version",
        ),
        (
            post(keys("?versoin=3"), json, &good),
            400,
            "Failed to parse the query string: unknown",
        ),
        (
            post(keys("?version=3&version=3"), json, &good),
            400,
            "Failed to parse the query string: parameter \"version\" is given more than once",
        ),
        (
            post(keys("?authentication="), json, &good),
            400,
            "Failed to parse the query string: parameter \"authentication\" is empty",
        ),
        // Content types.
        (
            post(keys(""), "Content-Type: text/plain\r\n", &good),
            415,
            "",
        ),
        (
            post(keys(""), "Content-Type: application/bson\r\n", &good),
            415,
            "",
        ),
        (
            post(keys(""), "Accept: text/html\r\n", &good),
            406,
            "application/json",
        ),
        // Bodies.
        (
            post(keys(""), json, ""),
            400,
            "Failed to parse the request body: expected one JSON",
        ),
        (
            post(keys(""), json, "\"\""),
            400,
            "Failed to parse the request body: can't sign empty",
        ),
        (
            post(keys(""), json, "\"abc\""),
            400,
            "Failed to parse the request body: 3 hexadecimal",
        ),
        (
            post(keys(""), json, "\"zz\""),
            400,
            "Failed to parse the request body: no hexadecimal",
        ),
        (
            post(keys(""), json, "\"0x11\""),
            400,
            "Failed to parse the request body: write the",
        ),
        (
            post(keys(""), json, "{\"data\":1}"),
            400,
            "Failed to parse the request body: expected",
        ),
        (
            post(keys(""), json, &format!("{good}{good}")),
            400,
            "Failed to parse the request body:",
        ),
        (
            post(keys(""), json, &good[..good.len() - 1]),
            400,
            "Failed to parse the request body:",
        ),
        // Messages that are hex and nothing that is ever signed.
        (
            post(keys(""), json, "\"05\""),
            400,
            "magic byte 0x05 not allowed",
        ),
        (
            post(keys(""), json, "\"04\""),
            400,
            "magic byte 0x04 not allowed",
        ),
        (
            post(keys(""), json, "\"ff\""),
            400,
            "magic byte 0xFF not allowed",
        ),
    ] {
        let answer = served.exchange(&request).await;
        assert_eq!(status(&answer), code, "{request}\n{answer}");
        match (text, body(&answer)) {
            ("", body) => assert_eq!(body, "", "{request}"),
            ("application/json", body) => assert_eq!(body, "application/json"),
            (text, _) => assert!(message(&answer).starts_with(text), "{request}\n{answer}"),
        }
    }
    assert_eq!(served.signer.signed(), 0);
    assert!(served.world.nodes[&1].path.peers().marks_nothing());
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
