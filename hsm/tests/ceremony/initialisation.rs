//! Initialising a token.

use super::tokens::Tokens;

#[tokio::test]
async fn a_token_is_initialised_once_and_never_again() {
    let Some(tokens) = Tokens::new() else { return };
    let made = tokens.initialise("one").await.unwrap();
    assert_eq!(made.label, "one");
    tokens.open("one").await;
    let again = tokens.initialise("one").await.unwrap_err();
    assert!(again.what.contains("already"), "{again}");
    assert_eq!(tokens.open("one").await.token().serial, made.serial);
    let other = tokens.initialise("two").await.unwrap();
    assert_ne!(other.serial, made.serial);
}
