//! Imports that were killed half way.

use hsm::TroubleKind;
use hsm::parent::{Ceremony, Made, Place};
use shim_orders::{Act, Order, Orders};
use tezos::{Curve, SecretKey};

use super::tokens::{Tokens, named};

/// Where an import dies: before its first object, between the two, and before the key has proved
/// itself.
const DEATHS: [(&str, u64); 3] = [("C_CreateObject", 0), ("C_CreateObject", 1), ("C_Sign", 0)];

/// A token behind the shim.
fn shimmed(tokens: &Tokens, label: &str) -> (Place, Orders) {
    let orders = Orders::new(tokens.folder().with_file_name("orders"));
    let mut place = tokens.place(label);
    for (name, value) in orders.environment(&tokens.module) {
        let value = value.into_string().unwrap();
        place.launch.set.insert(name.to_owned(), value);
    }
    place.module = shim_orders::shim().unwrap();
    (place, orders)
}

async fn dies(tokens: &Tokens, death: (&str, u64), secret: &SecretKey, label: &str) {
    let (place, orders) = shimmed(tokens, "one");
    let mut token: Ceremony = tokens.open_at(place).await;
    let mut order = Order::new(death.0, Act::Crash).times(1);
    order.skip = death.1;
    orders.give("death", &order);
    let died = token.import(secret, &named(label)).await.unwrap_err();
    assert_eq!(died.kind, TroubleKind::Process, "{died}");
    orders.withdraw("death");
}

#[tokio::test]
async fn an_import_that_was_killed_half_way_is_finished_by_the_next_one() {
    let Some(tokens) = Tokens::new() else { return };
    tokens.initialise("one").await.unwrap();
    let mut names: Vec<Made> = Vec::new();
    for curve in [Curve::Ed25519, Curve::Secp256k1, Curve::P256] {
        for (number, death) in DEATHS.into_iter().enumerate() {
            let secret = SecretKey::generate(curve).unwrap();
            let label = format!("{curve} {number}");
            dies(&tokens, death, &secret, &label).await;
            let mut token = tokens.open("one").await;
            let made = token.import(&secret, &named(&label)).await.unwrap();
            assert_eq!(made.public_key, *secret.public_key(), "{death:?}");
            names.push(made);
        }
    }
    let found = tokens.open("one").await.keys().await.unwrap();
    assert_eq!(found.len(), names.len(), "{found:?}");
    for made in names {
        let found = found.iter().find(|found| found.name == made.name).unwrap();
        assert_eq!(found.key.as_ref().unwrap().public_key, made.public_key);
    }
}

/// What another import left may be all that there is of a key.
#[tokio::test]
async fn what_an_import_of_another_key_left_under_that_name_is_not_touched() {
    let Some(tokens) = Tokens::new() else { return };
    tokens.initialise("one").await.unwrap();
    let [left, other] = [(); 2].map(|()| SecretKey::generate(Curve::P256).unwrap());
    dies(&tokens, DEATHS[1], &left, "key").await;
    let mut token = tokens.open("one").await;
    let refused = token.import(&other, &named("key")).await.unwrap_err();
    assert!(refused.what.contains("nothing is overwritten"), "{refused}");
    let made = token.import(&left, &named("key")).await.unwrap();
    assert_eq!(made.public_key, *left.public_key());
}
