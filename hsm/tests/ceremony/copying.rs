//! Copying a key from one token into another.

use hsm::parent::Made;
use hsm::{Package, Request, Trouble};
use tezos::Curve;

use super::tokens::{Tokens, named};

/// A key on its way from the token `from` to the token `to`.
async fn send(tokens: &Tokens, curve: Curve) -> Result<(Made, Package), Trouble> {
    let mut source = tokens.fresh("from").await;
    let made = source.generate(curve, &named("key"), true).await.unwrap();
    let request = tokens.fresh("to").await.request().await.unwrap();
    let package = source.send(request, &made.name).await?;
    Ok((made, package))
}

#[tokio::test]
async fn a_copy_has_the_same_public_key_and_can_leave_neither_token_afterwards() {
    // Measured with SoftHSM 2.6.1.
    for curve in [Curve::Secp256k1, Curve::P256] {
        let Some(tokens) = Tokens::new() else { return };
        let (made, package) = send(&tokens, curve).await.unwrap();
        let mut target = tokens.open("to").await;
        let copied = target.receive(package, &made.name).await.unwrap();
        assert_eq!(copied, made);
        let mut source = tokens.open("from").await;
        assert_eq!(source.close(&made.name).await.unwrap(), made);
        // What could leave would be wrapped here.
        let request = tokens.fresh("thief").await.request().await.unwrap();
        for mut token in [source, target] {
            let stolen = token.send(request.clone(), &made.name).await.unwrap_err();
            assert!(stolen.what.contains("--copyable"), "{stolen}");
        }
    }
}

#[tokio::test]
async fn softhsm_wraps_no_ed25519_key_and_the_error_says_where_to_read_on() {
    let Some(tokens) = Tokens::new() else { return };
    let trouble = send(&tokens, Curve::Ed25519).await.unwrap_err();
    assert!(trouble.what.contains("CKR_KEY_NOT_WRAPPABLE"), "{trouble}");
    assert!(trouble.what.contains("docs/keys.md"), "{trouble}");
}

#[tokio::test]
async fn a_key_that_was_not_made_copyable_is_not_sent() {
    let Some(tokens) = Tokens::new() else { return };
    let mut source = tokens.fresh("from").await;
    let made = source.generate(Curve::P256, &named("key"), false).await;
    let request = tokens.fresh("to").await.request().await.unwrap();
    let sent = source.send(request, &made.unwrap().name).await;
    assert!(sent.unwrap_err().what.contains("--copyable"));
}

#[tokio::test]
async fn a_package_for_another_request_is_refused_even_if_it_claims_to_be_for_this_one() {
    let Some(tokens) = Tokens::new() else { return };
    let (made, package) = send(&tokens, Curve::P256).await.unwrap();
    let mut other = tokens.fresh("other").await;
    let own = other.request().await.unwrap();
    let refused = other.receive(package.clone(), &made.name).await;
    let refused = refused.unwrap_err();
    assert!(refused.what.contains("copy request"), "{refused}");
    let claims = Package {
        request: own.fingerprint(),
        ..package
    };
    let refused = other.receive(claims, &made.name).await.unwrap_err();
    assert!(refused.what.contains("does not open"), "{refused}");
    assert_eq!(other.keys().await.unwrap(), []);
}

#[tokio::test]
async fn a_package_that_was_altered_is_refused_and_leaves_nothing_and_the_right_one_still_arrives()
{
    let Some(tokens) = Tokens::new() else { return };
    let (made, package) = send(&tokens, Curve::P256).await.unwrap();
    let mut target = tokens.open("to").await;
    let mut wrapping_key = package.clone();
    alter(&mut wrapping_key.wrapping_key);
    let mut private_key = package.clone();
    alter(&mut private_key.private_key);
    let mut another = package.clone();
    let secret = tezos::SecretKey::generate(Curve::P256).unwrap();
    another.public_key = secret.public_key().clone();
    for altered in [wrapping_key, private_key, another] {
        let refused = target.receive(altered.clone(), &made.name).await;
        assert!(refused.is_err(), "{altered:?}");
        assert_eq!(target.keys().await.unwrap(), [], "{altered:?}");
    }
    assert_eq!(target.receive(package, &made.name).await.unwrap(), made);
}

#[tokio::test]
async fn a_request_is_answered_once() {
    let Some(tokens) = Tokens::new() else { return };
    let (made, package) = send(&tokens, Curve::P256).await.unwrap();
    let mut target = tokens.open("to").await;
    target.receive(package.clone(), &made.name).await.unwrap();
    let again = target.receive(package, &named("twice")).await.unwrap_err();
    assert!(again.what.contains("no request"), "{again}");
}

#[test]
fn a_fingerprint_is_of_the_key_that_would_be_wrapped_to() {
    let request = |modulus: &str, exponent: &str| Request {
        format: 1,
        id: "01".to_owned(),
        modulus: modulus.to_owned(),
        exponent: exponent.to_owned(),
    };
    let own = request("c0ffee", "010001").fingerprint();
    assert_eq!(own.len(), 8 * 8 + 7);
    assert_ne!(own, request("c0ffef", "010001").fingerprint());
    assert_ne!(own, request("c0ffee", "03").fingerprint());
}

/// Turns the last digit into another.
fn alter(hex: &mut String) {
    let last = hex.pop().unwrap();
    hex.push(if last == '0' { '1' } else { '0' });
}
