//! Initialising a token, for three nodes on one machine and for tests.

use std::path::Path;

use zeroize::Zeroizing;

use super::ceremony::{MAKING, another, ask};
use super::process::Process;
use super::{Launch, durability};
use crate::ceremony::{Outcome, Step};
use crate::wire::Token;
use crate::{Pin, Trouble};

/// Initialises a token in the first slot whose token is not. One that is initialised is never
/// touched. The label has 1 to 32 bytes, each PIN is text of 4 to 255 bytes.
///
/// # Errors
/// If the label is taken, or every token is initialised.
pub async fn initialise(
    launch: &Launch,
    module: &Path,
    label: &str,
    so_pin: &Pin,
    pin: &Pin,
) -> Result<Token, Trouble> {
    let length = u8::try_from(so_pin.as_bytes().len()).map_err(|_long| {
        Trouble::unfit("the PIN of the security officer has more than 255 bytes")
    })?;
    let mut pins = Zeroizing::new(Vec::with_capacity(512));
    pins.push(length);
    pins.extend_from_slice(so_pin.as_bytes());
    pins.extend_from_slice(pin.as_bytes());
    let process = Process::start(launch).await?;
    let step = Step::Initialise {
        module: module.to_owned(),
        label: label.to_owned(),
    };
    match ask(&process, step, &pins, MAKING).await? {
        (Outcome::Token(token), _) => {
            process.kill();
            durability::sync(launch, &token)?;
            Ok(token)
        }
        (other, _) => Err(another(other)),
    }
}
