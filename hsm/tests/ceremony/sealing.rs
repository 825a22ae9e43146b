//! Secrets that only one token opens.

use hsm::TroubleKind;

use super::tokens::Tokens;

const SECRET: &[u8] = b"a secret of BLS12-381, which no token signs with";

#[tokio::test]
async fn a_sealed_secret_opens_in_another_process_and_is_in_no_file() {
    let Some(tokens) = Tokens::new() else { return };
    let mut token = tokens.fresh("one").await;
    token.make_sealing_key("seal").await.unwrap();
    let sealed = token.seal("seal", "tz4", SECRET).await.unwrap();
    let again = tokens.open("one").await;
    let opened = again.unseal("seal", "tz4", &sealed).await.unwrap();
    assert_eq!(opened.as_slice(), SECRET);
    let files = tokens
        .files()
        .into_iter()
        .map(|file| std::fs::read(file).unwrap());
    for bytes in files.chain([sealed]) {
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET));
    }
}

#[tokio::test]
async fn a_sealed_secret_opens_in_no_other_token_for_no_other_key_and_not_altered() {
    let Some(tokens) = Tokens::new() else { return };
    let mut token = tokens.fresh("one").await;
    token.make_sealing_key("seal").await.unwrap();
    let sealed = token.seal("seal", "tz4", SECRET).await.unwrap();
    let mut other = tokens.fresh("two").await;
    other.make_sealing_key("seal").await.unwrap();
    let mut refused = vec![
        other.unseal("seal", "tz4", &sealed).await,
        token.unseal("seal", "tz3", &sealed).await,
        token.unseal("seal", "tz4", &sealed[..8]).await,
    ];
    for index in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[index] ^= 1;
        refused.push(token.unseal("seal", "tz4", &altered).await);
    }
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind, TroubleKind::Unfit);
    }
    // The session is none the worse for it.
    assert!(token.unseal("seal", "tz4", &sealed).await.is_ok());
}

#[tokio::test]
async fn one_secret_sealed_twice_gives_other_bytes() {
    let Some(tokens) = Tokens::new() else { return };
    let mut token = tokens.fresh("one").await;
    token.make_sealing_key("seal").await.unwrap();
    let first = token.seal("seal", "tz4", SECRET).await.unwrap();
    assert_ne!(first, token.seal("seal", "tz4", SECRET).await.unwrap());
}

#[tokio::test]
async fn a_sealing_key_is_made_once_and_one_that_is_missing_is_named() {
    let Some(tokens) = Tokens::new() else { return };
    let mut token = tokens.fresh("one").await;
    let missing = token.seal("seal", "tz4", SECRET).await.unwrap_err();
    assert!(missing.what.contains("quorate key seal"), "{missing}");
    token.make_sealing_key("seal").await.unwrap();
    let sealed = token.seal("seal", "tz4", SECRET).await.unwrap();
    let again = token.make_sealing_key("seal").await.unwrap_err();
    assert!(again.what.contains("nothing is overwritten"), "{again}");
    assert!(token.unseal("seal", "tz4", &sealed).await.is_ok());
}
