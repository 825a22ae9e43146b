//! What SoftHSM leaves to a power cut.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hsm::parent::{Ceremony, Files};
use tezos::Curve;

use super::tokens::{Tokens, named};

#[tokio::test]
async fn every_file_of_a_token_is_fsynced_and_every_folder_up_the_chain() {
    let Some(tokens) = Tokens::new() else { return };
    let mut token = tokens.fresh("one").await;
    token
        .generate(Curve::P256, &named("a"), false)
        .await
        .unwrap();
    let files = Files::of(&tokens.folder(), token.token()).unwrap();
    // One token alone is on this machine, so every file there is its own.
    let there: BTreeSet<PathBuf> = tokens.files().into_iter().collect();
    assert!(
        there.len() >= 4,
        "two objects, the token, its lock: {there:?}"
    );
    assert_eq!(files.files.into_iter().collect::<BTreeSet<_>>(), there);
    let own = there.first().unwrap().parent().unwrap();
    let chain: Vec<PathBuf> = own.ancestors().map(PathBuf::from).collect();
    assert!(chain.starts_with(&files.folders), "{:?}", files.folders);
    assert!(files.folders.contains(&tokens.folder()));
}

#[tokio::test]
async fn the_files_of_another_token_are_left_alone_and_a_token_without_any_is_an_error() {
    let Some(tokens) = Tokens::new() else { return };
    let one = tokens.initialise("one").await.unwrap();
    let two = tokens.initialise("two").await.unwrap();
    let (first, second) = (
        Files::of(&tokens.folder(), &one).unwrap(),
        Files::of(&tokens.folder(), &two).unwrap(),
    );
    assert!(first.files.iter().all(|file| !second.files.contains(file)));
    let mut gone = one;
    gone.serial = "0123456789abcdef".to_owned();
    let error = Files::of(&tokens.folder(), &gone).unwrap_err();
    assert!(error.to_string().contains("0123456789abcdef"), "{error}");
}

#[tokio::test]
async fn a_key_whose_files_cannot_be_fsynced_is_not_announced() {
    let Some(tokens) = Tokens::new() else { return };
    let mut token: Ceremony = tokens.fresh("one").await;
    let mut place = tokens.place("one");
    // The module finds its files, and this process does not.
    let configuration = place.launch.set.remove("SOFTHSM2_CONF").unwrap();
    let child = place.launch.program.display();
    let script = format!("SOFTHSM2_CONF='{configuration}' exec '{child}'");
    place.launch.program = "/bin/sh".into();
    place.launch.arguments = vec!["-c".into(), script.into()];
    let mut blind = tokens.open_at(place).await;
    let made = blind.generate(Curve::P256, &named("a"), false).await;
    let trouble = made.unwrap_err();
    assert!(trouble.what.contains("lost by a power cut"), "{trouble}");
    assert!(
        token
            .generate(Curve::P256, &named("b"), false)
            .await
            .is_ok()
    );
}
