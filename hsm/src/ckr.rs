//! The module's return values (PKCS#11 v2.40, section 5.1), sorted by what helps.

use cryptoki::error::{Error, RvError};

use crate::{Trouble, TroubleKind};

impl From<Error> for Trouble {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is no return value is trouble with the library, whichever it is"
    )]
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(code, function) => Self::new(
                kind(code),
                format!("C_{function:?} answered {}", name(code)),
            ),
            // Displayed, it shows the library's own words, such as the path that it could not open.
            other => Self::new(TroubleKind::Device, other.to_string()),
        }
    }
}

/// What helps against a return value.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a hundred codes, some of vendors: a fresh process is what helps against all others"
)]
const fn kind(code: RvError) -> TroubleKind {
    match code {
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::UserNotLoggedIn
        | RvError::UserAlreadyLoggedIn
        | RvError::ObjectHandleInvalid
        | RvError::KeyHandleInvalid
        | RvError::OperationActive
        | RvError::OperationNotInitialized => TroubleKind::Session,
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => {
            TroubleKind::PinRejected
        }
        RvError::PinLocked | RvError::PinExpired | RvError::UserPinNotInitialized => {
            TroubleKind::PinBarred
        }
        // Of one key: it must not keep the others from signing.
        RvError::KeyFunctionNotPermitted
        | RvError::KeyTypeInconsistent
        | RvError::KeySizeRange
        | RvError::MechanismInvalid
        | RvError::MechanismParamInvalid
        | RvError::CurveNotSupported
        | RvError::DomainParamsInvalid
        | RvError::ActionProhibited => TroubleKind::Unfit,
        _ => TroubleKind::Device,
    }
}

/// `CKR_SESSION_HANDLE_INVALID` for `SessionHandleInvalid`.
pub(crate) fn name(code: RvError) -> String {
    let mut name = String::from("CKR");
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_named_as_in_the_standard() {
        assert_eq!(
            name(RvError::SessionHandleInvalid),
            "CKR_SESSION_HANDLE_INVALID"
        );
        assert_eq!(name(RvError::PinIncorrect), "CKR_PIN_INCORRECT");
    }

    #[test]
    fn a_refused_pin_is_never_something_to_try_again() {
        for code in [
            RvError::PinIncorrect,
            RvError::PinInvalid,
            RvError::PinLenRange,
            RvError::PinLocked,
            RvError::PinExpired,
        ] {
            let trouble = Trouble::new(kind(code), "");
            assert!(trouble.is_about_the_pin(), "{code:?}");
        }
        assert_eq!(kind(RvError::DeviceRemoved), TroubleKind::Device);
        assert_eq!(kind(RvError::SessionHandleInvalid), TroubleKind::Session);
    }
}
