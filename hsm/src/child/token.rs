//! Finding the token.

use cryptoki::context::Pkcs11;
use cryptoki::slot::{Slot, TokenInfo};

use crate::wire::{PinState, Token};
use crate::{TokenName, Trouble, TroubleKind};

/// The one token that fits.
///
/// # Errors
/// If none does, which a fresh process may cure (a token that was plugged in, a network HSM that
/// came up), or several do.
pub(super) fn find(context: &Pkcs11, name: &TokenName) -> Result<(Slot, Token), Trouble> {
    let mut fitting = Vec::new();
    let mut others = Vec::new();
    for slot in context.get_slots_with_token()? {
        let info = match context.get_token_info(slot) {
            Ok(info) => info,
            // One slot that fails must not hide the others.
            Err(error) => {
                others.push(format!("slot {}: {}", slot.id(), Trouble::from(error)));
                continue;
            }
        };
        let fits =
            |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        let fits = info.token_initialized()
            && fits(&name.label, info.label())
            && fits(&name.serial, info.serial_number())
            && fits(&name.manufacturer, info.manufacturer_id())
            && fits(&name.model, info.model())
            && name.slot.is_none_or(|wanted| wanted == slot.id());
        match fits {
            true => fitting.push((slot, info)),
            false if info.token_initialized() => {
                others.push(format!("label {:?}", info.label()));
            }
            false => {}
        }
    }
    match fitting.as_slice() {
        [(slot, info)] => Ok((*slot, describe(*slot, info))),
        [] => {
            let seen = match others.is_empty() {
                true => "there is no other".to_owned(),
                false => format!("there is: {}", others.join("; ")),
            };
            let what = format!("the {name} is not there ({seen})");
            Err(Trouble::new(TroubleKind::Device, what))
        }
        several => {
            let serials: Vec<_> = several
                .iter()
                .map(|(_, info)| info.serial_number())
                .collect();
            Err(Trouble::unfit(format!(
                "{} tokens fit the {name}: name one by its serial ({})",
                several.len(),
                serials.join(", ")
            )))
        }
    }
}

pub(super) fn describe(slot: Slot, info: &TokenInfo) -> Token {
    let pin = match info {
        _ if info.user_pin_locked() => PinState::Locked,
        _ if info.user_pin_final_try() => PinState::FinalTry,
        _ if !info.user_pin_initialized() => PinState::Missing,
        _ => PinState::Fine,
    };
    Token {
        label: info.label().to_owned(),
        serial: info.serial_number().to_owned(),
        manufacturer: info.manufacturer_id().to_owned(),
        model: info.model().to_owned(),
        slot: slot.id(),
        pin,
    }
}
