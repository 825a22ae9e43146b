//! Initialising a token: only one that never was. Nothing is wiped here, ever.

use std::path::Path;

use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

use super::session::load;
use super::token;
use crate::wire::Token;
use crate::{Trouble, TroubleKind};

/// Initialises a token in the first slot whose token is not (`C_InitToken`, `C_InitPIN`; PKCS#11
/// v2.40, sections 5.5 and 5.6). `pins` is the length of the officer's PIN, that PIN, the user's PIN.
///
/// # Errors
/// If a token has that label already, or every token is initialised.
pub(super) fn initialise(module: &Path, label: &str, pins: &[u8]) -> Result<Token, Trouble> {
    // `CK_TOKEN_INFO.label` has 32 bytes, padded with spaces.
    if label.is_empty() || label.len() > 32 || label != label.trim() {
        return Err(Trouble::unfit(format!(
            "the label {label:?} must have 1 to 32 bytes and no space at its ends"
        )));
    }
    let (so_pin, pin) = split(pins)?;
    let context = load(module)?;
    let mut free = None;
    for slot in context.get_slots_with_token()? {
        let info = context.get_token_info(slot)?;
        if !info.token_initialized() {
            free = free.or(Some(slot));
        } else if info.label() == label {
            return Err(Trouble::unfit(format!(
                "there is a token with label {label:?} already (serial {}), and none is ever \
                 initialised again",
                info.serial_number()
            )));
        }
    }
    let slot = free.ok_or_else(|| {
        Trouble::unfit("every token of the module is initialised already, and none is wiped")
    })?;
    context.init_token(slot, &so_pin, label)?;
    let session = context.open_rw_session(slot)?;
    session.login(UserType::So, Some(&so_pin))?;
    session.init_pin(&pin)?;
    session.logout()?;
    Ok(token::describe(slot, &context.get_token_info(slot)?))
}

fn split(pins: &[u8]) -> Result<(AuthPin, AuthPin), Trouble> {
    let wrong = || Trouble::new(TroubleKind::Unfit, "a PIN must be text of 1 to 255 bytes");
    let (length, rest) = pins.split_first().ok_or_else(wrong)?;
    let (so_pin, pin) = rest
        .split_at_checked(usize::from(*length))
        .ok_or_else(wrong)?;
    let text = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| !text.is_empty());
        text.map(AuthPin::from).ok_or_else(wrong)
    };
    Ok((text(so_pin)?, text(pin)?))
}
